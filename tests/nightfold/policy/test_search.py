"""A search over policies: seeded, honest about luck, and blind to what lies outside its window."""

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from optuna.trial import FixedTrial
from pydantic import ValidationError

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.signal import Strategy
from nightfold.policy.choice import Flat, PolicyTrial, chosen, sharpe_of
from nightfold.policy.picture import policy_picture
from nightfold.policy.record import PolicyCard, policy_trials, trial_table
from nightfold.policy.search import Market, drawn, search_policy, sweep, try_policy
from nightfold.policy.spec import PolicySpec, Thresholds
from nightfold.schema import TIME
from nightfold.tearsheet import measures
from nightfold.tearsheet.measures import deflated_sharpe_ratio
from nightfold.tuning.ledger import LEDGER, joined_returns

HOUR = 3_600_000
SPEC = PolicySpec(trials=12, batch=4, min_trades=5)


def market(seed: int, edge: float = 0.0, days: int = 60) -> Market:
    """Hourly bars of a random walk, and forecasts that know so much of the next six hours."""
    random = np.random.default_rng(seed)
    size = 24 * days
    moves = random.normal(0, 0.004, size)
    ahead = np.array([moves[bar + 1 : bar + 7].sum() for bar in range(size)])
    said = edge * ahead + (1 - edge) * random.normal(0, 0.01, size)
    close = 100 * np.exp(moves.cumsum())
    opened = np.concatenate(([100.0], close[:-1]))
    key = {"symbol": "AAAUSDT", "open_time": pl.Series(HOUR * np.arange(size)).cast(TIME)}
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    bars = pl.DataFrame({**key, "open": opened, "high": high, "low": low, "close": close, "volume": 1.0})
    outlooks = pl.DataFrame(
        {
            **key,
            "close": close,
            "move": said,
            "confidence": 0.5 + 0.5 * np.tanh(np.abs(said) / 0.01),
            "cost": 0.0002,
            "stop_long": 0.01,
            "stop_short": 0.01,
        }
    )
    costs = Costs(taker_fee_bps=0.2, half_spread_bps=0, slippage_bps=0, funding_rate=0.0)
    return Market(outlooks, bars, Strategy(horizon=6), costs, RiskLimits(instrument="perpetual"), 10_000.0)


def trial(number: int, sharpe: float | None, trades: int = 50, days: int = 60) -> PolicyTrial:
    random = np.random.default_rng(number)
    noise = random.normal(size=days)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    returns = 0.01 * (noise + (sharpe or 0.0))
    policy = Thresholds(min_confidence=0.5, min_edge=1.0, base_risk_fraction=0.01, max_risk_fraction=0.05)
    feasible = sharpe is not None and trades >= SPEC.min_trades
    return PolicyTrial(number, policy, trades, sharpe, feasible, date(2024, 1, 1), tuple(returns))


def test_the_same_seed_makes_the_same_search() -> None:
    first, second, other = (search_policy(market(1, 0.3), SPEC, seed) for seed in (5, 5, 6))
    assert first == second
    assert [each.thresholds for each in first.trials] != [each.thresholds for each in other.trials]
    assert [each.number for each in first.trials] == list(range(12))


def test_all_that_is_drawn_lies_in_its_range_and_the_base_never_above_the_maximum() -> None:
    spec = PolicySpec(trials=40, base_risk_fraction=(0.02, 0.3), max_risk_fraction=(0.03, 0.1))
    for each in search_policy(market(1, 0.3, days=10), spec, 1).trials:
        found = each.thresholds
        assert 0.4 <= found.min_confidence <= 0.7
        assert 0 <= found.min_edge <= 2
        assert 0.02 <= found.base_risk_fraction <= found.max_risk_fraction <= 0.1
        assert found.max_risk_fraction >= 0.03


@pytest.mark.parametrize(
    ("base", "share", "most"),
    [(0.01, 0.0, 0.03), (0.01, 1.0, 0.10), (0.05, 0.0, 0.05), (0.05, 0.5, 0.075), (0.05, 1.0, 0.10)],
)
def test_the_whole_of_each_range_is_searched_by_default(base: float, share: float, most: float) -> None:
    asked = FixedTrial({"base_risk_fraction": base, "min_confidence": 0.5, "min_edge": 1.0, "max_risk_share": share})
    assert drawn(asked, PolicySpec()).max_risk_fraction == pytest.approx(most)
    assert {name: (each.low, each.high) for name, each in asked.distributions.items()} == {
        "min_confidence": (0.40, 0.70),
        "min_edge": (0.0, 2.0),
        "base_risk_fraction": (0.01, 0.05),
        "max_risk_share": (0.0, 1.0),  # of the way from .03, or the base where that is more, to .10
    }


def test_forecasts_that_know_something_are_traded() -> None:
    found = search_policy(market(2, 0.5), SPEC, 1)
    assert not found.is_flat
    assert found.best is not None
    assert found.deflated_sharpe is not None
    assert found.deflated_sharpe > 0.9


def test_luck_is_told_from_skill_by_counting_all_trials() -> None:
    """Of forecasts without an edge, some policy earns in many windows; few of them pass once it is deflated."""
    earning = [
        search_policy(market(seed), SPEC.model_copy(update={"min_deflated_sharpe": 0.0}), 1) for seed in range(24)
    ]
    strict = [chosen(found.trials, SPEC) for found in earning]
    assert sum(not found.is_flat for found in earning) >= 6
    assert sum(not found.is_flat for found in strict) <= 2


def test_too_few_trades_are_infeasible_whatever_they_earned() -> None:
    found = chosen([trial(0, 3.0, trades=4), trial(1, 0.5)], SPEC)
    assert found.best is not None
    assert found.best.number == 1
    none = chosen([trial(0, 3.0, trades=4)], SPEC)
    assert none.best is None
    assert none.flat == ("few_trades", "no policy made 5 trades in the window; the most were 4")


def test_a_losing_best_and_a_lucky_best_stay_flat_each_with_its_reason() -> None:
    losing = chosen([trial(0, -0.1), trial(1, -0.2)], SPEC)
    assert losing.flat == ("no_gain", "no policy earned anything after costs in the window")
    lucky = chosen([trial(number, 0.1 if number else 0.12) for number in range(12)], SPEC)
    assert lucky.best is not None
    assert lucky.best.number == 0
    assert lucky.flat is not None
    assert lucky.flat.cause == "luck"
    assert "may be luck" in lucky.reason


def test_exactly_the_deflated_ratio_that_is_asked_is_enough() -> None:
    trials = [trial(number, 0.02 * number) for number in range(12)]
    reached = chosen(trials, SPEC).deflated_sharpe
    assert reached is not None
    assert 0 < reached < 1
    asked = {"min_deflated_sharpe": reached}, {"min_deflated_sharpe": math.nextafter(reached, 1)}
    assert [chosen(trials, SPEC.model_copy(update=each)).is_flat for each in asked] == [False, True]


def test_exactly_as_many_trades_as_are_asked_are_enough() -> None:
    there = market(2, 0.5, days=20)
    policy = Thresholds(min_confidence=0.5, min_edge=1.0, base_risk_fraction=0.01, max_risk_fraction=0.05)
    made = there.trade(policy, SPEC).trades.filter(~pl.col("is_open")).height
    assert made > 5
    tried = [try_policy(there, SPEC.model_copy(update={"min_trades": made + more}), policy, 0) for more in (0, 1)]
    assert [each.trades for each in tried] == [made, made]
    assert [each.is_feasible for each in tried] == [True, False]


@pytest.mark.parametrize(
    ("trades", "why"),
    [
        (4, Flat("few_trades", "no policy made 5 trades in the window; the most were 4")),
        (5, Flat("lost", "every policy that made 5 trades in the window lost the account")),
    ],
)
def test_why_nothing_is_feasible_is_told_by_the_trades_that_are_asked(trades: int, why: Flat) -> None:
    assert chosen([replace(trial(0, 0.5, trades=trades), is_feasible=False)], SPEC).flat == why


def test_the_selection_is_deflated_by_the_number_and_spread_of_all_its_trials() -> None:
    ratios = [0.05 * number for number in range(12)]
    found = chosen([trial(number, ratio) for number, ratio in enumerate(ratios)], SPEC)
    expected = deflated_sharpe_ratio(trial(11, ratios[11]).daily_returns, 12, float(np.var(ratios, ddof=1)))
    assert found.best is not None
    assert found.best.number == 11
    assert found.deflated_sharpe == pytest.approx(expected)


def test_trials_that_move_as_one_amount_to_one_and_the_raw_number_deflates() -> None:
    ratios = [0.3 + 0.01 * number for number in range(12)]
    copies = [replace(trial(0, ratio), number=number) for number, ratio in enumerate(ratios)]
    apart = [trial(number, ratio) for number, ratio in enumerate(ratios)]
    alike, unlike = (chosen(trials, SPEC) for trials in (copies, apart))
    assert alike.effective_trials == pytest.approx(1)
    matrix = np.corrcoef([each.daily_returns for each in apart])
    correlation = matrix[np.triu_indices(12, 1)].mean()
    assert unlike.effective_trials == pytest.approx(correlation + 12 * (1 - correlation))
    expected = deflated_sharpe_ratio(copies[-1].daily_returns, 12, float(np.var(ratios, ddof=1)))
    assert alike.deflated_sharpe == pytest.approx(expected)


def test_where_under_two_trials_traded_nothing_is_known_of_how_alike_they_are() -> None:
    still = replace(trial(1, None), daily_returns=(0.0,) * 60)
    assert chosen([trial(0, 0.5), still], SPEC).effective_trials is None
    assert chosen([], SPEC).effective_trials is None
    assert chosen([trial(0, 0.5), trial(1, 0.1, trades=1), still], SPEC).effective_trials is not None


def test_infeasible_trials_were_looked_at_and_widen_the_spread() -> None:
    """Twelve that traded enough, and one with the worst ratio that did not; one that never traded has no ratio."""
    ratios = [0.05 * number for number in range(12)]
    feasible = [trial(number, ratio) for number, ratio in enumerate(ratios)]
    still = replace(trial(13, None), daily_returns=(0.0,) * 60)
    found = chosen([*feasible, trial(12, -1.0, trades=1), still], SPEC)
    spread = float(np.var([*ratios, -1.0], ddof=1))
    assert found.deflated_sharpe == pytest.approx(deflated_sharpe_ratio(feasible[-1].daily_returns, 14, spread))


def test_a_lost_account_is_infeasible_and_counts_with_all_it_lost() -> None:
    """Ten times the equity in a coin that falls by a third: nothing is left, and the days after it stand still."""
    there = market(5, days=20)
    late = pl.col("open_time") >= pl.lit(24 * 10 * HOUR).cast(TIME)
    names = ("open", "high", "low", "close")
    crashed = there.bars.with_columns(pl.when(late).then(pl.col(name) * 0.66).otherwise(name) for name in names)
    always = there.outlooks.with_columns(move=pl.lit(0.05), confidence=pl.lit(0.9))
    limits = RiskLimits(instrument="perpetual", max_position=10, max_gross=10, maintenance_margin=1e-9)
    policy = Thresholds(min_confidence=0.5, min_edge=0, base_risk_fraction=0.5, max_risk_fraction=0.5)
    spec = SPEC.model_copy(update={"min_trades": 1})
    lost = try_policy(replace(there, outlooks=always, bars=crashed, limits=limits), spec, policy, 0)
    assert lost.trades >= 1
    assert not lost.is_feasible
    assert len(lost.daily_returns) == 20
    assert min(lost.daily_returns) == -0.9999
    assert set(lost.daily_returns[11:]) == {0.0}
    assert lost.sharpe == pytest.approx(np.mean(lost.daily_returns) / np.std(lost.daily_returns, ddof=1))
    reason = chosen([replace(lost, trades=50)], SPEC).reason
    assert reason == "every policy that made 5 trades in the window lost the account"


def test_a_very_long_half_life_searches_as_none_does() -> None:
    plain = search_policy(market(2, 0.5, days=30), SPEC, 1)
    long = search_policy(market(2, 0.5, days=30), SPEC.model_copy(update={"half_life_days": 1e9}), 1)
    assert [each.thresholds for each in long.trials] == [each.thresholds for each in plain.trials]
    assert [each.sharpe for each in long.trials] == pytest.approx([each.sharpe for each in plain.trials], rel=1e-6)
    assert long.deflated_sharpe == pytest.approx(plain.deflated_sharpe, rel=1e-6)


def test_a_half_life_weighs_objective_and_deflation_alike() -> None:
    forgetting = SPEC.model_copy(update={"half_life_days": 10.0})
    ended = tuple(0.01 + trial(0, 0.0).daily_returns[day] if day < 40 else -0.02 for day in range(60))
    trials = [replace(trial(0, 0.0), daily_returns=ended), *(trial(number, 0.4) for number in range(1, 12))]
    trials = [replace(each, sharpe=sharpe_of(each.daily_returns, forgetting)) for each in trials]
    found = chosen(trials, forgetting)
    ratios = [measures.decayed_sharpe_ratio(each.daily_returns, 10) or 0.0 for each in trials]
    assert [each.sharpe for each in trials] == ratios
    assert found.best is not None
    assert found.best.number == int(np.argmax(ratios)) != 0
    spread = float(np.var(ratios, ddof=1))
    told = measures.decayed_deflated_sharpe_ratio(found.best.daily_returns, 10, 12, spread)
    assert found.deflated_sharpe == pytest.approx(told)
    assert found.deflated_sharpe != pytest.approx(chosen(trials, SPEC).deflated_sharpe)


def test_where_the_edge_ended_a_shorter_half_life_goes_flat_sooner() -> None:
    """Forecasts know something up to day 90 and nothing after; the window is always the last 60 days."""
    whole, ended = market(6, 0.5, days=150), 24 * 90
    noise = market(7, 0.0, days=150).outlooks
    mixed = pl.concat([whole.outlooks[:ended], noise.select(whole.outlooks.columns)[ended:]])
    mixed = mixed.with_columns(whole.outlooks["close"])

    def flat_from(spec: PolicySpec) -> int:
        """First day of the end from which on the policy says to stay flat."""
        for last in range(90, 151, 5):
            rows = slice(24 * (last - 60), 24 * last)
            part = replace(whole, outlooks=mixed[rows], bars=whole.bars[rows])
            if search_policy(part, spec, 1).is_flat:
                return last
        return 999

    days = [flat_from(SPEC.model_copy(update={"half_life_days": half_life})) for half_life in (None, 20.0, 8.0)]
    assert days == sorted(days, reverse=True)
    assert 90 < days[2] < days[1] < days[0]


def test_half_lives_under_a_day_are_refused() -> None:
    with pytest.raises(ValidationError, match="half_life_days"):
        PolicySpec(half_life_days=0.5)
    assert PolicySpec().objective == "daily_sharpe_ratio"
    assert PolicySpec(half_life_days=30).objective == "decayed_sharpe_ratio"


def test_of_equals_the_earlier_is_best() -> None:
    found = chosen([trial(0, 0.5), trial(1, 0.5)], SPEC)
    assert found.best is not None
    assert found.best.number == 0


def test_every_trial_goes_into_the_ledger() -> None:
    found = search_policy(market(3, 0.2), SPEC, 2)
    as_of = datetime(2024, 3, 1, tzinfo=UTC)
    ledger = LEDGER.validate(policy_trials(found, "e/policy/pooled", as_of, 1_440, SPEC.objective))
    assert ledger.height == 12
    assert set(ledger["state"]) <= {"complete", "infeasible"}
    assert set(ledger["metric"]) == {"daily_sharpe_ratio"}
    returns = joined_returns(ledger.filter(pl.col("trial") == 0))["daily_return"].to_list()
    assert returns == pytest.approx(list(found.trials[0].daily_returns))
    again = policy_trials(search_policy(market(3, 0.2), SPEC, 2), "e/policy/pooled", as_of, 1_440, SPEC.objective)
    assert again.equals(ledger)


def test_cards_say_what_is_in_force_and_why_not() -> None:
    as_of = datetime(2024, 3, 1, tzinfo=UTC)
    early = PolicyCard.flat(as_of, Flat("few_days", "14 of 90 days of predictions lie before it"), "settings")
    assert early.rows(["A", "B"])["min_edge"].to_list() == [None, None]
    assert not early.is_complete
    assert (early.reason, early.cause) == ("14 of 90 days of predictions lie before it", "few_days")
    untaught = PolicyCard.flat(as_of, Flat("no_filter", "too few of its forecasts paid"), "settings")
    assert untaught.is_complete
    card = PolicyCard.of(search_policy(market(2, 0.5), SPEC, 1), as_of, "settings")
    assert PolicyCard.model_validate_json(card.model_dump_json()) == card
    assert card.thresholds is not None
    assert card.effective_trials is not None
    assert 1 < card.effective_trials < card.trials
    assert card.cause is None
    later = {"effective_trials", "cause"}
    older = {name: value for name, value in json.loads(card.model_dump_json()).items() if name not in later}
    assert PolicyCard.model_validate(older).effective_trials is None
    assert card.rows(["A"])["min_edge"].to_list() == [card.thresholds.min_edge]
    flat = PolicyCard.of(search_policy(market(2), SPEC.model_copy(update={"min_trades": 10_000}), 1), as_of, "settings")
    assert flat.is_complete
    assert flat.cause == "few_trades"
    assert PolicyCard.model_validate_json(flat.model_dump_json()) == flat
    assert flat.rows(["A"])["min_edge"].to_list() == [None]


def test_the_sweep_covers_both_ranges_and_trades_less_the_more_is_asked() -> None:
    there = market(2, 0.5, days=30)
    swept = sweep(
        there, SPEC, Thresholds(min_confidence=0, min_edge=0, base_risk_fraction=0.01, max_risk_fraction=0.05), 3
    )
    assert swept.height == 9
    assert swept["min_confidence"].unique().sort().to_list() == pytest.approx([0.4, 0.55, 0.7])
    by_edge = swept.filter(pl.col("min_confidence") == 0.4).sort("min_edge")["trades"].to_list()
    assert by_edge[0] >= by_edge[-1] > 0


def test_a_table_and_a_picture_show_the_search() -> None:
    there = market(2, 0.5, days=30)
    found = search_policy(there, SPEC, 1)
    table = trial_table(found)
    assert table["trial"][0] == found.best.number if found.best else False
    assert table["sharpe"].drop_nulls().is_sorted(descending=True) or not all(t.is_feasible for t in found.trials)
    drawn = policy_picture(
        found, sweep(there, SPEC, found.trials[0].thresholds, 3), SPEC, "Policies", is_simulated=True
    )
    assert drawn.startswith("<svg")
    assert "simulated market" in drawn
    assert drawn.count("<rect") == 10


def test_nothing_after_the_window_is_looked_at() -> None:
    """The account of a policy is that of the bars it is given: later ones change no trial."""
    whole = market(4, 0.3)
    early = pl.col("open_time") < pl.lit(24 * 30 * HOUR).cast(TIME)
    cut = Market(whole.outlooks.filter(early), whole.bars.filter(early), whole.strategy, whole.costs, whole.limits, 1e4)
    policy = Thresholds(min_confidence=0.5, min_edge=1.0, base_risk_fraction=0.01, max_risk_fraction=0.05)
    first, second = (try_policy(each, SPEC, policy, 0) for each in (cut, whole))
    assert second.daily_returns[:29] == pytest.approx(first.daily_returns[:29])
    assert math.isclose(first.daily_returns[0], second.daily_returns[0])
