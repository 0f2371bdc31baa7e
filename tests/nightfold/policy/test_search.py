"""A search over policies: seeded, honest about luck, and blind to what lies outside its window."""

import math
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.signal import Strategy
from nightfold.policy.picture import policy_picture
from nightfold.policy.record import PolicyCard, policy_trials, trial_table
from nightfold.policy.search import Market, PolicyTrial, chosen, search_policy, sweep, try_policy
from nightfold.policy.spec import PolicySpec, Thresholds
from nightfold.schema import TIME
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
    assert none.reason == "no policy made 5 trades in the window; the most were 4"


def test_a_losing_best_and_a_lucky_best_stay_flat_each_with_its_reason() -> None:
    losing = chosen([trial(0, -0.1), trial(1, -0.2)], SPEC)
    assert losing.reason == "no policy earned anything after costs in the window"
    lucky = chosen([trial(number, 0.1 if number else 0.12) for number in range(12)], SPEC)
    assert lucky.best is not None
    assert lucky.best.number == 0
    assert "may be luck" in lucky.reason


def test_the_selection_is_deflated_by_the_number_and_spread_of_all_its_trials() -> None:
    ratios = [0.05 * number for number in range(12)]
    found = chosen([trial(number, ratio) for number, ratio in enumerate(ratios)], SPEC)
    expected = deflated_sharpe_ratio(trial(11, ratios[11]).daily_returns, 12, float(np.var(ratios, ddof=1)))
    assert found.best is not None
    assert found.best.number == 11
    assert found.deflated_sharpe == pytest.approx(expected)


def test_of_equals_the_earlier_is_best() -> None:
    found = chosen([trial(0, 0.5), trial(1, 0.5)], SPEC)
    assert found.best is not None
    assert found.best.number == 0


def test_every_trial_goes_into_the_ledger() -> None:
    found = search_policy(market(3, 0.2), SPEC, 2)
    as_of = datetime(2024, 3, 1, tzinfo=UTC)
    ledger = LEDGER.validate(policy_trials(found, "e/policy/pooled", as_of, 1_440))
    assert ledger.height == 12
    assert set(ledger["state"]) <= {"complete", "infeasible"}
    returns = joined_returns(ledger.filter(pl.col("trial") == 0))["daily_return"].to_list()
    assert returns == pytest.approx(list(found.trials[0].daily_returns))
    again = policy_trials(search_policy(market(3, 0.2), SPEC, 2), "e/policy/pooled", as_of, 1_440)
    assert again.equals(ledger)


def test_cards_say_what_is_in_force_and_why_not() -> None:
    as_of = datetime(2024, 3, 1, tzinfo=UTC)
    early = PolicyCard.flat(as_of, "14 of 90 days of predictions lie before it", "settings", is_complete=False)
    assert early.rows(["A", "B"])["min_edge"].to_list() == [None, None]
    assert not early.is_complete
    assert early.reason == "14 of 90 days of predictions lie before it"
    card = PolicyCard.of(search_policy(market(2, 0.5), SPEC, 1), as_of, "settings")
    assert PolicyCard.model_validate_json(card.model_dump_json()) == card
    assert card.thresholds is not None
    assert card.rows(["A"])["min_edge"].to_list() == [card.thresholds.min_edge]
    flat = PolicyCard.of(search_policy(market(2), SPEC.model_copy(update={"min_trades": 10_000}), 1), as_of, "settings")
    assert flat.is_complete
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
