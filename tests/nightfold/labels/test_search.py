"""Barrier search: what it may look at, how it judges, and what it settles on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil, log

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nightfold.bars.simulate import simulate_bars
from nightfold.errors import BarsError, ConfigError
from nightfold.labels.barrier import BarrierRule, TripleBarrier, barrier_labels, panel_volatility, volatility
from nightfold.labels.choice import FIXED, BarrierSearch
from nightfold.labels.follower import FollowerSpec, forecasts, positions
from nightfold.labels.panel import read_panel
from nightfold.labels.search import run_search, search_barriers
from nightfold.labels.search_spec import BarrierSearchSpec
from nightfold.source import SimulatedSource

Bars = Callable[..., pl.DataFrame]

BAR = timedelta(minutes=5)
DAY = timedelta(days=1)
FEBRUARY = datetime(2023, 2, 1, tzinfo=UTC)
PRICES = ("open", "high", "low", "close")
QUICK = {"window_days": 35, "least_days": 20, "trials": 60, "population": 20}


def simulated(symbol: str = "BTCUSDT", trend: float = 0.0, days: int = 40, after: int = 0) -> pl.DataFrame:
    source = SimulatedSource(seed=11, trend_strength=trend)
    return simulate_bars([symbol], "5m", FEBRUARY - days * DAY, FEBRUARY + after * DAY, source)


@pytest.fixture(scope="module")
def found() -> BarrierSearch:
    """Search in a market with an edge."""
    return run_search(simulated(trend=0.2), FEBRUARY, 20, BarrierSearchSpec(**QUICK))


def with_quiet_end(bars: pl.DataFrame, spike: bool) -> pl.DataFrame:
    """Let the last 7 bars before February stand still, but for a spike in the very last."""
    last = pl.col("open_time") >= FEBRUARY - 7 * BAR
    level = bars.filter(pl.col("open_time") == FEBRUARY - 8 * BAR)["close"].item()
    bars = bars.with_columns(pl.when(last).then(level).otherwise(pl.col(name)).alias(name) for name in PRICES)
    high = pl.when(pl.col("open_time") == FEBRUARY - BAR).then(level * 2).otherwise(pl.col("high"))
    return bars.with_columns(high=high) if spike else bars


@pytest.mark.parametrize(("spike", "unknown"), [(False, 5), (True, 1)])
def test_a_row_counts_from_when_its_label_is_known(spike: bool, unknown: int) -> None:
    bars = with_quiet_end(simulated(after=1), spike)
    spec = BarrierSearchSpec(**QUICK | {"trials": 3}, least_holding=1.0)
    search = run_search(bars, FEBRUARY, 5, spec)
    assert search.trials["rows"].to_list() == [35 * 288 - unknown] * 3
    for trial in search.trials.iter_rows(named=True):
        labels = barrier_labels(bars, TripleBarrier(horizon=5, upper=trial["upper"], lower=trial["lower"]))
        used = labels.filter(pl.col("label_end") <= FEBRUARY, pl.col("open_time") >= FEBRUARY - 35 * DAY)
        assert used["open_time"].max() == FEBRUARY - (2 if spike else 6) * BAR
        assert used.height == trial["rows"]


def test_a_bar_that_has_not_closed_by_the_start_is_not_read() -> None:
    bars, spec = simulated(after=1), BarrierSearchSpec(**QUICK)
    off_the_grid = FEBRUARY + timedelta(minutes=2)
    closed = bars.filter(pl.col("open_time") < FEBRUARY)
    search = run_search(bars, off_the_grid, 20, spec)
    assert search.trials.equals(run_search(closed, off_the_grid, 20, spec, interval="5m").trials)


def test_nothing_after_the_start_matters() -> None:
    bars = simulated(trend=0.2, after=3)
    spec = BarrierSearchSpec(**QUICK)
    random = np.random.default_rng(1)
    later = pl.col("open_time") >= FEBRUARY
    noise = pl.when(later).then(pl.Series(random.lognormal(0, 0.1, bars.height))).otherwise(1.0)
    whole = run_search(bars, FEBRUARY, 20, spec)
    assert whole.chosen is not None
    for changed in (bars.filter(~later), bars.with_columns(pl.col(*PRICES, "volume") * noise)):
        search = run_search(changed.sample(fraction=1.0, shuffle=True, seed=2), FEBRUARY, 20, spec)
        assert search.trials.equals(whole.trials)
        assert search.barrier == whole.barrier


def test_bars_before_the_window_and_its_lookback_do_not_matter() -> None:
    bars, spec = simulated(trend=0.2, days=45), BarrierSearchSpec(**QUICK)
    needed = FEBRUARY - 35 * DAY - 288 * BAR
    search = run_search(bars, FEBRUARY, 20, spec)
    assert run_search(bars.filter(pl.col("open_time") >= needed), FEBRUARY, 20, spec).trials.equals(search.trials)


def slow_verdict(bars: pl.DataFrame, barrier: TripleBarrier, side: np.ndarray, first: int, cost: float) -> dict:
    """Judge barriers label by label."""
    labels = barrier_labels(bars, barrier, "5m").to_dicts()
    known = [row for row in range(first, bars.height) if labels[row]["label"] is not None]
    touches = [labels[row]["touch"] for row in known]
    shares = [touches.count(touch) / len(known) for touch in ("upper", "lower", "vertical")]
    profit, held = 0.0, 0
    place = {time: row for row, time in enumerate(bars["open_time"])}
    for row in known:
        label = labels[row]
        if not side[row]:
            continue
        bar = place[label["label_end"] - BAR]
        log_return, entry = label["log_return"], bars["close"][row]
        if barrier.entry == "next_open":
            entry = bars["open"][row + 1]
        if label["tie"] and side[row] < 0 and barrier.tie == "worse":
            log_return = log(max(label["upper_barrier"], bars["open"][bar]) / entry)
        profit += side[row] * log_return - cost
        held += bar - row
    sigma = volatility(bars)["volatility"]
    thin = [min(barrier.upper, barrier.lower) * barrier.width * sigma[row] < 1.5 * cost for row in known]
    return {
        "rows": len(known),
        "log_return_per_bar": profit / held,
        "entropy": -sum(share * log(share) / log(3) for share in shares if share),
        "upper_touches": shares[0],
        "lower_touches": shares[1],
        "timeouts": shares[2],
        "ties": sum(labels[row]["tie"] for row in known) / len(known),
        "thin_widths": sum(thin) / len(known),
    }


def with_jumps(bars: pl.DataFrame) -> pl.DataFrame:
    """Let some bars open far from the close before."""
    random = np.random.default_rng(6)
    jumps = random.normal(0, 0.01, bars.height) * (random.random(bars.height) < 0.02)
    return bars.with_columns(pl.col(*PRICES) * pl.Series(np.exp(np.cumsum(jumps))))


@pytest.mark.parametrize(("tie", "entry"), [("worse", "close"), ("nearer_open", "close"), ("worse", "next_open")])
def test_trials_are_judged_as_label_by_label(recorded_bars: Bars, tie: str, entry: str) -> None:
    start = datetime(2023, 3, 29, tzinfo=UTC)
    bars = with_jumps(recorded_bars("SOLUSDT", start - 8 * DAY, start))
    rule, cost = BarrierRule(tie=tie, entry=entry), 0.001
    spec = BarrierSearchSpec(
        window_days=7, least_days=5, trials=12, population=4, cost=cost, least_multiplier=0.1, most_multiplier=0.6
    )
    search = run_search(bars, start, 9, spec, rule)
    panel = read_panel(bars, "5m")
    forecast = forecasts(bars, panel, panel_volatility(panel, rule), 288, 9, spec.follower)
    side = positions(forecast, spec.follower.trade_share)
    for trial in search.trials.iter_rows(named=True):
        tried = {"upper": trial["upper"], "lower": trial["lower"], "horizon": ceil(9 * trial["holding"])}
        barrier = TripleBarrier(**rule.model_dump() | tried)
        expected = slow_verdict(bars, barrier, side, 288, cost)
        assert {name: trial[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert trial["feasible"] == (
            expected["timeouts"] <= 0.5
            and min(expected["upper_touches"], expected["lower_touches"], expected["timeouts"]) >= 0.1
            and expected["ties"] <= 0.02
            and expected["thin_widths"] <= 0.5
        )
    assert search.trials["ties"].max() > 0.02
    assert search.trials["thin_widths"].n_unique() > 3


@pytest.mark.parametrize(
    ("minutes", "is_decided_early", "is_used"), [(30, False, True), (25, False, False), (25, True, True)]
)
def test_the_worked_example_of_the_search_boundary(minutes: int, is_decided_early: bool, is_used: bool) -> None:
    """Five minutes, 5 bars: the row opening at 23:30 may be used; that at 23:35 only if decided by midnight."""
    bars = with_quiet_end(simulated(after=1), spike=is_decided_early)
    labels = barrier_labels(bars, TripleBarrier(horizon=5)).filter(pl.col("open_time") >= FEBRUARY - 35 * DAY)
    used = labels.filter(pl.col("label_end") <= FEBRUARY)
    assert (FEBRUARY - timedelta(minutes=minutes) in used["open_time"]) == is_used
    fixed = run_search(bars, FEBRUARY, 5, BarrierSearchSpec(**QUICK | {"trials": 1})).fixed.row(0, named=True)
    assert fixed["rows"] == used.height
    assert fixed["upper_touches"] == pytest.approx((used["label"] == 1).mean())
    assert fixed["lower_touches"] == pytest.approx((used["label"] == -1).mean())


def asymmetric(*, mirrored: bool) -> pl.DataFrame:
    """Rises that run on for two hours, and falls that are taken back after half an hour; mirrored the other way."""
    chance, unit, size = np.random.default_rng(0), 0.001, 40 * 288
    moves, place = chance.normal(0, unit, size), 0
    while place < size - 60:
        if chance.random() < 0.5:
            moves[place : place + 24] += 0.9 * unit
        else:
            moves[place : place + 6] -= 1.5 * unit
            moves[place + 6 : place + 12] += 1.5 * unit
        place += int(chance.integers(40, 60))
    close = 100 * np.exp(np.cumsum(moves - moves.mean()) * (-1 if mirrored else 1))
    opened = np.concatenate(([100.0], close[:-1]))
    wicks = np.exp(np.abs(chance.normal(0, unit / 3, (2, size))))
    times = pl.datetime_range(FEBRUARY - 40 * DAY, FEBRUARY, BAR, closed="left", eager=True)
    prices = {
        "open": opened,
        "high": np.maximum(opened, close) * wicks[0],
        "low": np.minimum(opened, close) / wicks[1],
        "close": close,
    }
    return pl.DataFrame({"symbol": "A", "open_time": times, **prices, "volume": chance.uniform(1, 2, size)})


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_planted_asymmetry_is_found(mirrored: bool) -> None:
    spec = BarrierSearchSpec(**QUICK | {"trials": 120, "population": 30}, cost=0.0005)
    search = run_search(asymmetric(mirrored=mirrored), FEBRUARY, 20, spec)
    far, near = search.barrier.upper, search.barrier.lower
    if mirrored:
        far, near = near, far
    assert search.fallback is None
    assert far > 1.8 * near
    assert search.in_force["log_return_per_bar"] > 1.3 * search.fixed["log_return_per_bar"].item()


def test_the_fixed_barriers_stand_beside_the_trials_and_are_not_counted(found: BarrierSearch) -> None:
    assert found.tried["trial"].to_list() == [FIXED, *range(60)]
    assert found.trials["trial"].to_list() == list(range(60))
    fixed = found.fixed.row(0, named=True)
    assert (fixed["upper"], fixed["lower"], fixed["holding"], fixed["holding_bars"]) == (0.8, 0.8, 1.0, 20)
    labels = barrier_labels(simulated(trend=0.2), TripleBarrier(), "5m").filter(
        pl.col("open_time") >= FEBRUARY - 35 * DAY
    )
    assert fixed["rows"] == labels["label"].count() > 10_000
    for touch, share in (("upper", "upper_touches"), ("lower", "lower_touches"), ("vertical", "timeouts")):
        assert fixed[share] == pytest.approx((labels["touch"].drop_nulls() == touch).mean())
    assert found.in_force["trial"] == found.chosen


def test_a_search_leaves_optunas_logging_as_it_was(capfd: pytest.CaptureFixture) -> None:
    import optuna

    level = optuna.logging.get_verbosity()
    run_search(simulated(), FEBRUARY, 20, BarrierSearchSpec(**QUICK | {"trials": 2}))
    assert optuna.logging.get_verbosity() == level
    assert capfd.readouterr().err == ""


def test_the_most_profitable_of_the_even_enough_is_chosen(found: BarrierSearch) -> None:
    offered = [trial for trial in found.trials.to_dicts() if trial["feasible"] and trial["entropy"] >= 0.9]
    best = max(offered, key=lambda trial: (trial["log_return_per_bar"], -trial["trial"]))
    assert found.fallback is None
    assert found.chosen == best["trial"]
    assert best["log_return_per_bar"] > 0
    assert found.barrier == TripleBarrier(upper=best["upper"], lower=best["lower"], horizon=best["holding_bars"])
    assert found.trials["trial"].to_list() == list(range(60))


def test_each_limit_alone_makes_a_trial_infeasible(found: BarrierSearch) -> None:
    wide = run_search(simulated(trend=0.2), FEBRUARY, 20, BarrierSearchSpec(**QUICK, most_timeouts=0.9, cost=0.004))
    broken = []
    for search, timeouts in ((found, 0.5), (wide, 0.9)):
        for trial in search.tried.iter_rows(named=True):
            shares = [trial[name] for name in ("upper_touches", "lower_touches", "timeouts")]
            limits = {
                "timeouts": shares[2] <= timeouts,
                "class": min(shares) >= 0.1,
                "ties": trial["ties"] <= 0.02,
                "width": trial["thin_widths"] <= 0.5,
            }
            assert trial["feasible"] == all(limits.values())
            assert trial["offered"] == (trial["feasible"] and trial["entropy"] >= 0.9)
            broken.append([name for name, kept in limits.items() if not kept])
    assert [name for name in ("timeouts", "class", "width") if [name] in broken] == ["timeouts", "class", "width"]


def test_the_front_holds_what_nothing_beats_and_convergence_never_falls(found: BarrierSearch) -> None:
    feasible = [
        (trial["log_return_per_bar"], trial["entropy"], trial["trial"])
        for trial in found.trials.iter_rows(named=True)
        if trial["feasible"]
    ]
    front = {
        number
        for gain, spread, number in feasible
        if not any(
            a >= gain and b >= spread and ((a, b) != (gain, spread) or earlier < number) for a, b, earlier in feasible
        )
    }
    assert set(found.front["trial"]) == front
    assert found.front["entropy"].is_sorted()
    best, so_far = None, []
    for trial in found.trials.iter_rows(named=True):
        if trial["feasible"] and trial["entropy"] >= 0.9:
            best = max(best or -1.0, trial["log_return_per_bar"])
        so_far.append(best)
    assert found.convergence["best_so_far"].to_list() == so_far


def test_generations_get_better_than_chance() -> None:
    bars, sizes = simulated(trend=0.2), QUICK | {"trials": 120}
    bred = run_search(bars, FEBRUARY, 20, BarrierSearchSpec(**sizes))
    drawn = run_search(bars, FEBRUARY, 20, BarrierSearchSpec(**sizes | {"population": 120}))
    assert bred.trials["feasible"].sum() > 1.3 * drawn.trials["feasible"].sum()


def test_the_same_seed_finds_the_same_and_another_does_not(found: BarrierSearch) -> None:
    bars = simulated(trend=0.2)
    assert run_search(bars, FEBRUARY, 20, BarrierSearchSpec(**QUICK)).trials.equals(found.trials)
    assert search_barriers(bars, FEBRUARY, 20, BarrierSearchSpec(**QUICK)) == found.barrier
    assert not run_search(bars, FEBRUARY, 20, BarrierSearchSpec(**QUICK, seed=1)).trials.equals(found.trials)


def test_a_market_without_an_edge_mostly_keeps_the_fixed_barriers() -> None:
    spec = BarrierSearchSpec(**QUICK, cost=0.001)
    searches = [run_search(simulated(f"S{number}USDT"), FEBRUARY, 20, spec) for number in range(12)]
    fallen = [search for search in searches if search.fallback]
    assert len(fallen) >= 10
    assert all(search.chosen is None and search.barrier == TripleBarrier() for search in fallen)
    assert sum("per bar after cost" in search.fallback for search in fallen) >= 8


def test_without_a_feasible_trial_the_fixed_barriers_of_the_rule_stay() -> None:
    rule = BarrierRule(upper=1.2, lower=0.7, entry="next_open")
    search = run_search(simulated(), FEBRUARY, 20, BarrierSearchSpec(**QUICK, cost=0.05), rule)
    assert search.barrier == TripleBarrier(upper=1.2, lower=0.7, entry="next_open")
    assert "60 trials 0 are feasible" in search.fallback
    assert search.in_force == search.fixed.row(0, named=True)
    assert search.front.is_empty()
    assert search.convergence["best_so_far"].null_count() == 60


@pytest.mark.parametrize("days", [0, 15])
def test_a_short_history_is_not_searched(days: int) -> None:
    bars = simulated(days=days) if days else simulated(days=1).clear()
    search = run_search(bars, FEBRUARY, 20, BarrierSearchSpec(**QUICK))
    assert (search.barrier, search.chosen) == (TripleBarrier(), None)
    assert "have volatility and features before 2023-02-01 00:00" in search.fallback
    assert search.tried.is_empty()
    assert search.in_force is None
    assert search.convergence.is_empty()


def test_what_cannot_be_searched_is_refused() -> None:
    bars = simulated(days=2)
    with pytest.raises(ConfigError, match="of 2 symbols"):
        run_search(pl.concat([bars, simulated("ETHUSDT", days=2)]), FEBRUARY)
    with pytest.raises(ConfigError, match="without a time zone"):
        run_search(bars, FEBRUARY.replace(tzinfo=None))
    with pytest.raises(BarsError, match="lacks the columns volume"):
        run_search(bars.drop("volume"), FEBRUARY)
    with pytest.raises(ValidationError, match="above `most_multiplier`"):
        BarrierSearchSpec(least_multiplier=2, most_multiplier=1)
    with pytest.raises(ValidationError, match="it may be `window_days`, 20"):
        BarrierSearchSpec(window_days=20)
    with pytest.raises(ValidationError, match="features"):
        FollowerSpec(features=[])
