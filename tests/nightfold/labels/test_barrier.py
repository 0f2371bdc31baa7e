"""Barrier labels against worked examples and a slow walk over the bars."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from math import exp, log, sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nightfold.errors import BarsError
from nightfold.labels.barrier import STRIP, TripleBarrier, barrier_labels, volatility
from nightfold.labels.touch import FAR, PART

Bars = Callable[..., pl.DataFrame]

BAR = timedelta(minutes=5)
SIGMA = 0.001
WARM_UP = [(100.0, 100.0, 100.0, 100.0), (100 * exp(SIGMA),) * 4] * 50 + [(100.0, 100.0, 100.0, 100.0)]
ENTRY = len(WARM_UP) - 1
QUIET = (100.0, 100.2, 99.9, 100.0)
RESULT = ("label", "label_end", "touch", "log_return", "mfe", "mae", "tie")


def slow_labels(bars: pl.DataFrame, barrier: TripleBarrier, interval: timedelta = BAR) -> list[dict[str, Any]]:
    """Spell the definition out bar by bar for one symbol."""
    rows = bars.sort("open_time").to_dicts()
    moves = [None] + [
        log(now["close"] / before["close"]) if now["open_time"] - before["open_time"] == interval else None
        for before, now in pairwise(rows)
    ]
    return [slow_label(rows, moves, index, barrier, interval) for index in range(len(rows))]


def slow_label(
    rows: list[dict[str, Any]], moves: list[float | None], index: int, barrier: TripleBarrier, interval: timedelta
) -> dict[str, Any]:
    unknown: dict[str, Any] = dict.fromkeys([*RESULT, "upper_barrier", "lower_barrier"])
    trailing = moves[max(0, index + 1 - barrier.volatility_bars) : index + 1]
    if len(trailing) < barrier.volatility_bars or None in trailing or not any(trailing):
        return unknown
    sigma = sqrt(np.mean(np.square(trailing)))
    path = []
    for step in range(1, barrier.horizon + 1):
        if index + step >= len(rows) or moves[index + step] is None:
            break
        path.append(rows[index + step])
    if barrier.entry == "next_open" and not path:
        return unknown
    entry = rows[index]["close"] if barrier.entry == "close" else path[0]["open"]
    width = sigma * sqrt(barrier.horizon) if barrier.scale == "horizon" else sigma
    upper, lower = entry * exp(barrier.upper * width), entry * exp(-barrier.lower * width)
    unknown |= {"upper_barrier": upper, "lower_barrier": lower}
    seen = [0.0]
    for step, bar in enumerate(path, start=1):
        touched = {name for name, met in (("upper", bar["high"] >= upper), ("lower", bar["low"] <= lower)) if met}
        tie = len(touched) == 2
        if tie and barrier.tie == "nearer_open":
            nearer = log(upper / bar["open"]) < log(bar["open"] / lower)
            touched = {"upper"} if nearer else {"lower"}
        if "lower" in touched:
            touch, leave, label = "lower", min(lower, bar["open"]), -1
        elif touched:
            touch, leave, label = "upper", max(upper, bar["open"]), 1
        elif step == barrier.horizon:
            touch, leave = "vertical", bar["close"]
            label = int(np.sign(leave - entry)) if barrier.vertical == "sign" else 0
        else:
            seen += [log(bar["high"] / entry), log(bar["low"] / entry)]
            continue
        result = log(leave / entry)
        return unknown | {
            "label": label,
            "label_end": bar["open_time"] + interval,
            "touch": touch,
            "log_return": result,
            "mfe": max(*seen, result),
            "mae": min(*seen, result),
            "tie": tie,
        }
    return unknown


def assert_same(frame: pl.DataFrame, expected: list[dict[str, Any]]) -> None:
    found = frame.to_dicts()
    assert len(found) == len(expected)
    for row, want in zip(found, expected, strict=True):
        for name, value in want.items():
            if isinstance(value, float):
                assert row[name] == pytest.approx(value, rel=1e-12, abs=1e-14), (row, name)
            else:
                assert row[name] == value, (row, name, value)


def label_after(made_bars: Bars, path: list[tuple[float, ...]], missing: int | None = None, **rules: Any) -> dict:
    """Label of a bar that closes at 100 after a warm-up with sigma .001."""
    rows = WARM_UP + path
    steps = [step for step in range(len(rows) + 1) if missing is None or step != ENTRY + missing][: len(rows)]
    frame = barrier_labels(made_bars(rows, steps), TripleBarrier(**{"upper": 1.5, "lower": 1.0} | rules))
    return frame.row(ENTRY, named=True)


def end_of(label: dict) -> int:
    """Bars from the labelled one to the deciding one."""
    return (label["label_end"] - label["open_time"]) // BAR - 1


def test_the_worked_tie_is_a_loss_at_the_lower_barrier(made_bars: Bars) -> None:
    path = [(100.0, 100.2, 99.9, 100.0), (100.1, 100.4, 99.7, 100.0), QUIET, QUIET]
    label = label_after(made_bars, path, horizon=4)
    assert label["upper_barrier"] == pytest.approx(100.3005, abs=5e-5)
    assert label["lower_barrier"] == pytest.approx(99.8002, abs=5e-5)
    assert (label["label"], label["touch"], label["tie"], end_of(label)) == (-1, "lower", True, 2)
    assert label["log_return"] == pytest.approx(-0.002, abs=1e-12)
    assert label["mfe"] == pytest.approx(0.001998, abs=5e-7)
    assert label["mae"] == pytest.approx(-0.002, abs=1e-12)


def test_a_bar_that_opens_beyond_the_barrier_exits_at_its_open(made_bars: Bars) -> None:
    label = label_after(made_bars, [QUIET, (99.5, 100.4, 99.4, 100.0)], horizon=4)
    assert label["log_return"] == pytest.approx(-0.005013, abs=5e-7)
    label = label_after(made_bars, [QUIET, (101.0, 101.0, 100.9, 101.0)], horizon=4)
    assert (label["label"], label["log_return"]) == (1, pytest.approx(log(1.01)))


@pytest.mark.parametrize(("vertical", "expected"), [("zero", 0), ("sign", 1)])
def test_without_a_touch_the_label_ends_at_the_vertical_barrier(made_bars: Bars, vertical: str, expected: int) -> None:
    path = [QUIET, QUIET, QUIET, (100.0, 100.2, 99.9, 100.05)]
    label = label_after(made_bars, path, horizon=4, vertical=vertical)
    assert (label["label"], label["touch"], end_of(label)) == (expected, "vertical", 4)
    assert label["log_return"] == pytest.approx(0.0005, abs=5e-7)


def test_the_last_bar_of_the_horizon_still_touches_and_the_one_after_does_not(made_bars: Bars) -> None:
    jump = (100.0, 101.0, 100.0, 100.0)
    assert label_after(made_bars, [QUIET, QUIET, QUIET, jump], horizon=4)["touch"] == "upper"
    assert label_after(made_bars, [QUIET, QUIET, QUIET, QUIET, jump], horizon=4)["touch"] == "vertical"


@pytest.mark.parametrize("horizon", [4, FAR + 6])
def test_the_last_row_taken_together_with_others_still_sees_the_last_bar_of_its_horizon(
    made_bars: Bars, horizon: int
) -> None:
    rows = (WARM_UP * (PART // len(WARM_UP) + 2))[: PART + horizon + 5]
    rows[PART - 1 + horizon] = (100.0, 120.0, 100.0, 100.0)
    labels = barrier_labels(made_bars(rows), TripleBarrier(horizon=horizon, upper=5.0, lower=5.0))
    assert (labels["touch"][PART - 1], end_of(labels.row(PART - 1, named=True))) == ("upper", horizon)
    assert labels["touch"][PART - 2] == "vertical"


@pytest.mark.parametrize("horizon", [4, FAR])
@pytest.mark.parametrize(("touch", "side"), [("upper", 1), ("lower", -1)])
def test_a_high_or_low_just_at_a_barrier_touches_it(made_bars: Bars, touch: str, side: int, horizon: int) -> None:
    barrier = label_after(made_bars, [QUIET], horizon=horizon)[f"{touch}_barrier"]
    path = [QUIET, (100.0, max(100.0, barrier), min(100.0, barrier), 100.0), *[QUIET] * horizon]
    label = label_after(made_bars, path, horizon=horizon)
    assert (label["label"], label["touch"], end_of(label)) == (side, touch, 2)


def test_the_deciding_bar_counts_for_excursions_with_its_exit_only(made_bars: Bars) -> None:
    label = label_after(made_bars, [QUIET, (100.0, 105.0, 99.85, 104.0)], horizon=4)
    assert label["mfe"] == pytest.approx(0.003)
    assert label["mae"] == pytest.approx(log(0.999))


@pytest.mark.parametrize(
    ("path", "missing", "bars_known"),
    [
        ([QUIET, (100.0, 101.0, 100.0, 100.0), QUIET, QUIET], 3, 2),
        ([QUIET, QUIET, QUIET, (100.0, 101.0, 100.0, 100.0)], 3, None),
        ([QUIET, QUIET, QUIET, (100.0, 101.0, 100.0, 100.0)], None, 4),
        ([QUIET, QUIET, QUIET, QUIET], None, None),
    ],
)
def test_a_hole_or_the_end_of_the_bars_hides_only_what_was_not_yet_decided(
    made_bars: Bars, path: list, missing: int | None, bars_known: int | None
) -> None:
    label = label_after(made_bars, path, missing, horizon=5)
    if bars_known is None:
        assert {label[name] for name in RESULT} == {None}
        assert label["upper_barrier"] is not None
    else:
        assert (label["label"], end_of(label)) == (1, bars_known)


def test_volatility_needs_all_its_returns_and_movement(made_bars: Bars) -> None:
    sigma = volatility(made_bars(WARM_UP + [WARM_UP[-1]] * 100))["volatility"]
    assert sigma.head(100).null_count() == 100
    assert sigma[100] == pytest.approx(SIGMA, rel=1e-12)
    assert sigma[199] == pytest.approx(SIGMA / 10, rel=1e-12)
    assert sigma[200] is None
    still = barrier_labels(made_bars([WARM_UP[0]] * 140), TripleBarrier(horizon=5))
    assert still.select(RESULT).null_count().row(0) == (140,) * len(RESULT)


OPTIONS = [
    {"scale": scale, "tie": tie, "vertical": vertical, "entry": entry}
    for scale, tie, vertical, entry in product(
        ("horizon", "bar"), ("worse", "nearer_open"), ("zero", "sign"), ("close", "next_open")
    )
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options.values()))
def test_every_option_equals_the_slow_walk_on_bars_full_of_ties_and_holes(
    random_bars: Bars, options: dict[str, str]
) -> None:
    steps = np.cumsum(np.random.default_rng(5).choice([1, 2, 9], 400, p=[0.985, 0.01, 0.005])).tolist()
    bars = random_bars(400, 3, steps)
    seen = []
    for upper, lower in ((0.2, 0.15), (1.5, 1.2)):
        barrier = TripleBarrier(horizon=4, upper=upper, lower=lower, volatility_bars=12, **options)
        expected = slow_labels(bars, barrier)
        assert_same(barrier_labels(bars, barrier), expected)
        seen += expected
    assert sum(row["tie"] is True for row in seen) > 10
    assert {row["touch"] for row in seen} == {None, "lower", "vertical", "upper"}


@pytest.mark.parametrize("horizon", [1, 2, 31, FAR - 1, FAR, 100])
@pytest.mark.parametrize("tie", ["worse", "nearer_open"])
def test_near_and_far_horizons_equal_the_slow_walk_over_more_rows_than_are_taken_together(
    random_bars: Bars, horizon: int, tie: str
) -> None:
    count = PART + 2 * horizon
    steps = np.cumsum(np.random.default_rng(6).choice([1, 2, 9], count, p=[0.996, 0.003, 0.001])).tolist()
    bars = random_bars(count, 4, steps)
    wide = TripleBarrier(horizon=horizon, upper=0.9, lower=0.8, volatility_bars=12, tie=tie)
    narrow = wide.model_copy(update={"scale": "bar"})
    seen = []
    for barrier in (wide, narrow):
        expected = slow_labels(bars, barrier)
        assert_same(barrier_labels(bars, barrier), expected)
        seen += expected
    assert sum(row["tie"] is True for row in seen) > 10


@pytest.mark.parametrize("horizon", [5, 23, FAR + 6])
@pytest.mark.parametrize("entry", ["close", "next_open"])
def test_where_two_strips_of_rows_meet_labels_equal_the_slow_walk(random_bars: Bars, horizon: int, entry: str) -> None:
    count, symbols = 500, STRIP // 500 + 2
    random = np.random.default_rng(8)
    steps = [np.cumsum(random.choice([1, 2], count, p=[0.99, 0.01])).tolist() for _ in range(symbols)]
    bars = [random_bars(count, seed, steps[seed], symbol=f"{seed:03}") for seed in range(symbols)]
    barrier = TripleBarrier(horizon=horizon, upper=0.5, lower=0.6, volatility_bars=12, entry=entry)
    labels = barrier_labels(pl.concat(bars), barrier).partition_by("symbol")
    expected = slow_labels(bars[STRIP // count], barrier)
    assert {row["touch"] for row in expected} == {None, "lower", "vertical", "upper"}
    assert_same(labels[STRIP // count], expected)
    assert all(found.equals(barrier_labels(alone, barrier)) for found, alone in zip(labels, bars, strict=True))


@pytest.mark.parametrize("barrier", [TripleBarrier(horizon=5, upper=0.3, lower=0.3), TripleBarrier(horizon=60)])
def test_labels_of_recorded_bars_around_the_outage_equal_the_slow_walk(
    recorded_bars: Bars, barrier: TripleBarrier
) -> None:
    bars = recorded_bars("ETHUSDT", datetime(2023, 3, 23, 12, tzinfo=UTC), datetime(2023, 3, 27, tzinfo=UTC))
    expected = slow_labels(bars, barrier)
    assert {row["label"] for row in expected} == {None, -1, 0, 1}
    assert_same(barrier_labels(bars, barrier, "5m"), expected)


def test_far_barriers_over_many_bars_equal_the_slow_walk(recorded_bars: Bars) -> None:
    bars = recorded_bars("BTCUSDT", datetime(2023, 3, 9, tzinfo=UTC), datetime(2023, 3, 27, tzinfo=UTC))
    barrier = TripleBarrier(horizon=288, upper=1.1, lower=1.3)
    expected = slow_labels(bars, barrier)
    assert {row["label"] for row in expected} == {None, -1, 0, 1}
    assert_same(barrier_labels(bars, barrier, "5m"), expected)


def test_symbols_do_not_meet_and_the_order_of_rows_does_not_matter(random_bars: Bars) -> None:
    one, other = random_bars(150, 1, symbol="A"), random_bars(150, 2, list(range(150, 300)), symbol="B")
    barrier = TripleBarrier(horizon=6, volatility_bars=10)
    apart = pl.concat([barrier_labels(one, barrier), barrier_labels(other, barrier)])
    together = pl.concat([one, other]).sample(fraction=1.0, shuffle=True, seed=4)
    before = together.clone()
    assert barrier_labels(together, barrier).equals(apart)
    assert together.equals(before)


@pytest.mark.parametrize("entry", ["close", "next_open"])
def test_known_labels_do_not_move_when_the_future_is_cut_or_replaced_by_noise(recorded_bars: Bars, entry: str) -> None:
    bars = recorded_bars("SOLUSDT", datetime(2022, 11, 8, tzinfo=UTC), datetime(2022, 11, 10, tzinfo=UTC))
    barrier = TripleBarrier(horizon=20, entry=entry)
    whole = barrier_labels(bars, barrier)
    for cut in (130, 300, 301, 420):
        known = pl.col("label_end") <= bars["open_time"][cut - 1] + BAR
        noise = pl.Series(np.random.default_rng(cut).lognormal(0, 0.1, bars.height - cut))
        prices = [(bars[name].tail(-cut) * noise).alias(name) for name in ("open", "high", "low", "close")]
        noisy = pl.concat([bars.head(cut), bars.tail(-cut).with_columns(prices)])
        kept = whole.filter(known)
        assert kept.height > cut - 130
        for changed in (barrier_labels(bars.head(cut), barrier), barrier_labels(noisy, barrier)):
            assert changed.filter(known).equals(kept)


def test_a_power_of_two_in_the_price_changes_nothing(recorded_bars: Bars) -> None:
    bars = recorded_bars("BTCUSDT", datetime(2022, 5, 9, tzinfo=UTC), datetime(2022, 5, 11, tzinfo=UTC))
    scaled = bars.with_columns(pl.col("open", "high", "low", "close") * 1024)
    barrier = TripleBarrier()
    assert barrier_labels(scaled, barrier).select(RESULT).equals(barrier_labels(bars, barrier).select(RESULT))


def test_no_bars_give_no_labels(made_bars: Bars) -> None:
    assert barrier_labels(made_bars([]), TripleBarrier()).height == 0
    assert barrier_labels(made_bars([QUIET]), TripleBarrier())["label"].to_list() == [None]


def test_all_faults_of_the_bars_are_named_at_once(made_bars: Bars) -> None:
    bars = made_bars([QUIET] * 4, [0, 1, 1, 2]).with_columns(
        high=pl.Series([1.0, None, float("inf"), 1.0]), low=pl.Series([0.0, 1.0, float("nan"), 1.0])
    )
    with pytest.raises(BarsError, match=r"high: 2 values.*low: 2 values.*open_time: 1 bars are repeated"):
        barrier_labels(bars, TripleBarrier())
    with pytest.raises(BarsError, match="lacks the columns low"):
        barrier_labels(bars.drop("low"), TripleBarrier())
    with pytest.raises(BarsError, match="3 bars follow after less than `interval`, 60 minutes"):
        barrier_labels(made_bars([QUIET] * 4), TripleBarrier(), "1h")


@pytest.mark.parametrize("wrong", [{"upper": 0}, {"lower": -1}, {"horizon": 0}, {"scale": "day"}, {"uper": 1}])
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TripleBarrier(**wrong)
