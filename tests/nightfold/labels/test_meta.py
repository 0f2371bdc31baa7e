"""Meta-labels against worked examples, a slow walk, and the same market turned upside down."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import exp, log, sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.errors import ConfigError, SchemaError
from nightfold.labels.barrier import TripleBarrier, barrier_labels, volatility
from nightfold.labels.meta import meta_labels

Bars = Callable[..., pl.DataFrame]

BAR = timedelta(minutes=5)
SIGMA = 0.001
WARM_UP = [(100.0, 100.0, 100.0, 100.0), (100 * exp(SIGMA),) * 4] * 50 + [(100.0, 100.0, 100.0, 100.0)]
ENTRY = len(WARM_UP) - 1
QUIET = (100.0, 100.1, 99.9, 100.0)
BARRIER = TripleBarrier(horizon=4, upper=1.5, lower=1.0)
FOUND = ("meta_label", "label_end", "touch", "log_return", "net_log_return")


def with_sides(bars: pl.DataFrame, sides: list[int | None] | np.ndarray) -> pl.DataFrame:
    return bars.select("symbol", "open_time", pl.Series("side", sides, pl.Int8))


def meta_label(
    made_bars: Bars, path: list[tuple[float, ...]], side: int | None, cost: float = 0.0, **rules: Any
) -> dict[str, Any]:
    """Meta-label of a bar that closes at 100 after a warm-up with sigma .001, so that the width is .002."""
    bars = made_bars(WARM_UP + path)
    sides = with_sides(bars, [side] * bars.height)
    return meta_labels(bars, sides, BARRIER.model_copy(update=rules), cost).row(ENTRY, named=True)


def test_a_short_takes_its_profit_below_and_its_loss_above(made_bars: Bars) -> None:
    down = [QUIET, (100.0, 100.1, 99.7, 99.8)]
    taken = meta_label(made_bars, down, side=-1, cost=0.001)
    assert (taken["meta_label"], taken["touch"], taken["label_end"] - taken["open_time"]) == (1, "lower", 3 * BAR)
    assert taken["log_return"] == pytest.approx(-0.003, abs=1e-12)
    assert taken["net_log_return"] == pytest.approx(0.002, abs=1e-12)
    up = [QUIET, (100.0, 100.21, 99.9, 100.1)]
    lost = meta_label(made_bars, up, side=-1)
    assert (lost["meta_label"], lost["touch"]) == (0, "upper")
    assert lost["net_log_return"] == pytest.approx(-0.002, abs=1e-12)
    assert meta_label(made_bars, up, side=1)["label_end"] is None


@pytest.mark.parametrize(("side", "touch", "log_return"), [(1, "lower", -0.002), (-1, "upper", 0.002)])
def test_a_tie_counts_as_the_worse_for_the_side(made_bars: Bars, side: int, touch: str, log_return: float) -> None:
    path = [QUIET, (100.1, 100.4, 99.6, 100.0)]
    label = meta_label(made_bars, path, side)
    assert (label["meta_label"], label["touch"]) == (0, touch)
    assert label["log_return"] == pytest.approx(log_return, abs=1e-12)


@pytest.mark.parametrize(("opened", "touch", "meta"), [(100.15, "upper", 0), (99.75, "lower", 1)])
def test_a_tie_may_count_for_the_barrier_nearer_to_the_open(
    made_bars: Bars, opened: float, touch: str, meta: int
) -> None:
    label = meta_label(made_bars, [QUIET, (opened, 100.4, 99.6, 100.0)], side=-1, tie="nearer_open")
    assert (label["meta_label"], label["touch"]) == (meta, touch)


def test_a_bar_that_opens_beyond_a_barrier_is_left_at_its_open(made_bars: Bars) -> None:
    assert meta_label(made_bars, [(99.5, 99.5, 99.5, 99.5)], side=-1)["log_return"] == pytest.approx(log(0.995))
    assert meta_label(made_bars, [(101.0, 101.0, 101.0, 101.0)], side=-1)["log_return"] == pytest.approx(log(1.01))


@pytest.mark.parametrize(("side", "cost", "meta"), [(1, 0.0, 1), (1, 0.001, 0), (-1, 0.0, 0)])
def test_the_cost_decides_what_was_worth_it_at_the_vertical_barrier(
    made_bars: Bars, side: int, cost: float, meta: int
) -> None:
    label = meta_label(made_bars, [QUIET, QUIET, QUIET, (100.0, 100.1, 99.9, 100.05)], side, cost)
    assert (label["meta_label"], label["touch"]) == (meta, "vertical")
    assert label["net_log_return"] == pytest.approx(side * log(1.0005) - cost)


def test_a_return_that_just_pays_the_cost_was_not_worth_it(made_bars: Bars) -> None:
    assert meta_label(made_bars, [QUIET] * 4, side=1)["meta_label"] == 0


@pytest.mark.parametrize("side", [0, None])
def test_without_a_side_there_is_no_meta_label(made_bars: Bars, side: int | None) -> None:
    label = meta_label(made_bars, [QUIET] * 4, side)
    assert label["side"] == side
    assert {label[name] for name in FOUND} == {None}


def test_bars_without_a_row_of_sides_have_none_and_the_order_does_not_matter(random_bars: Bars) -> None:
    bars = random_bars(200, 3)
    barrier = TripleBarrier(horizon=5, volatility_bars=20)
    sides = with_sides(bars, np.random.default_rng(1).choice([-1, 1], 200))
    some = sides.sample(fraction=0.5, shuffle=True, seed=2)
    whole, part = meta_labels(bars, sides, barrier), meta_labels(bars, some, barrier)
    given = bars.select("open_time").to_series().is_in(some["open_time"].implode())
    assert part.filter(given).equals(whole.filter(given))
    assert part.filter(~given).select("side", *FOUND).null_count().row(0) == (100,) * 6


def slow_meta(rows: list[dict[str, Any]], row: int, sigma: float, barrier: TripleBarrier, side: int) -> tuple | None:
    """Walk from one row; exit and deciding bar, or None while unknown."""
    width, entry = sigma * sqrt(barrier.horizon), rows[row]["close"]
    profit, loss = entry * exp(side * barrier.upper * width), entry * exp(-side * barrier.lower * width)
    for step in range(1, barrier.horizon + 1):
        if row + step >= len(rows) or rows[row + step]["open_time"] - rows[row]["open_time"] != step * BAR:
            return None
        bar = rows[row + step]
        against, along = (bar["low"], bar["high"]) if side > 0 else (bar["high"], bar["low"])
        if side * against <= side * loss:
            return (min if side > 0 else max)(loss, bar["open"]), bar["open_time"] + BAR, -side
        if side * along >= side * profit:
            return (max if side > 0 else min)(profit, bar["open"]), bar["open_time"] + BAR, side
    return bar["close"], bar["open_time"] + BAR, 0


def test_meta_labels_of_recorded_bars_around_the_outage_equal_the_slow_walk(recorded_bars: Bars) -> None:
    bars = recorded_bars("SOLUSDT", datetime(2023, 3, 22, tzinfo=UTC), datetime(2023, 3, 27, tzinfo=UTC))
    sides = with_sides(bars, np.random.default_rng(7).integers(-1, 2, bars.height))
    barrier, cost = TripleBarrier(horizon=12, upper=0.4, lower=0.25), 0.0005
    found = meta_labels(bars, sides, barrier, cost, "5m")
    sigma, rows = volatility(bars, interval="5m")["volatility"].to_list(), bars.to_dicts()
    assert found.height == bars.height
    for row, label in enumerate(found.iter_rows(named=True)):
        want = slow_meta(rows, row, sigma[row], barrier, label["side"]) if label["side"] and sigma[row] else None
        if want is None:
            assert {label[name] for name in FOUND} == {None}
            continue
        leave, end, touch = want
        log_return = log(leave / rows[row]["close"])
        assert label["log_return"] == pytest.approx(log_return, rel=1e-12, abs=1e-14)
        assert label["net_log_return"] == pytest.approx(label["side"] * log_return - cost, abs=1e-14)
        assert label["meta_label"] == int(label["net_log_return"] > 0)
        assert (label["label_end"], label["touch"]) == (end, ["lower", "vertical", "upper"][touch + 1])
    known = found.drop_nulls()
    assert {*known["side"]} == {-1, 1}
    assert {*known["meta_label"]} == {0, 1}


def test_a_short_is_a_long_in_the_market_turned_upside_down(recorded_bars: Bars) -> None:
    bars = recorded_bars("BTCUSDT", datetime(2022, 11, 8, tzinfo=UTC), datetime(2022, 11, 10, tzinfo=UTC))
    turned = bars.with_columns(open=1 / pl.col("open"), high=1 / pl.col("low"), low=1 / pl.col("high"))
    turned = turned.with_columns(close=1 / pl.col("close"))
    barrier = TripleBarrier(horizon=20, upper=0.7, lower=0.3)
    short = meta_labels(bars, with_sides(bars, [-1] * bars.height), barrier)
    long = barrier_labels(turned, barrier)
    assert short["label_end"].equals(long["label_end"])
    np.testing.assert_allclose(-short["log_return"].to_numpy(), long["log_return"].to_numpy(), rtol=1e-9, atol=1e-13)


def test_inputs_come_back_unchanged(random_bars: Bars) -> None:
    bars = random_bars(50, 1)
    sides = with_sides(bars, [1] * 50).reverse()
    before = bars.clone(), sides.clone()
    meta_labels(bars, sides, TripleBarrier(volatility_bars=5))
    assert (bars.equals(before[0]), sides.equals(before[1])) == (True, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sides: sides.drop("side"), "lacks the columns side"),
        (lambda sides: sides.with_columns(side=pl.lit(2)), "20 rows are none of -1, 0, 1"),
        (lambda sides: sides.with_columns(side=pl.lit(0.5)), "20 rows are none of -1, 0, 1"),
        (lambda sides: sides.with_columns(side=pl.lit(float("nan"))), "20 rows are none of -1, 0, 1"),
        (lambda sides: sides.with_columns(side=pl.lit("long")), "side as String"),
        (lambda sides: pl.concat([sides, sides.head(3)]), "3 rows are repeated"),
        (lambda sides: sides.with_columns(pl.col("open_time") + BAR), "1 rows are of no bar"),
        (lambda sides: sides.with_columns(symbol=pl.lit("B")), "20 rows are of no bar"),
    ],
)
def test_wrong_sides_are_refused(
    random_bars: Bars, change: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    bars = random_bars(20, 1)
    with pytest.raises(SchemaError, match=message):
        meta_labels(bars, change(with_sides(bars, [1] * 20)), TripleBarrier())


@pytest.mark.parametrize("cost", [-0.001, float("nan"), float("inf")])
def test_a_cost_is_zero_or_more(random_bars: Bars, cost: float) -> None:
    bars = random_bars(20, 1)
    with pytest.raises(ConfigError, match="`cost` is"):
        meta_labels(bars, with_sides(bars, [1] * 20), TripleBarrier(), cost)
