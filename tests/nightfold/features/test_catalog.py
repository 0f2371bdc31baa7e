"""The contract of the catalog, kept by every entry by itself: a new feature is under it without a new test."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.features.entry import NEVER
from nightfold.schema import PRICES

Array = NDArray[np.float64]
LONGEST = max(feature.lookback for feature in FEATURES.values())
CUTS = (LONGEST + 1, 800, 1234, 1999)

pytestmark = pytest.mark.parametrize("name", FEATURES)


def column(frame: pl.DataFrame, name: str) -> Array:
    return frame[name].to_numpy().astype(np.float64)


def agree(left: Array, right: Array, spread: float) -> bool:
    unknown = np.isnan(left) & np.isnan(right)
    return bool((unknown | (np.abs(left - right) <= 1e-6 * np.abs(right) + 1e-6 * spread)).all())


def spread(values: Array) -> float:
    return float(np.nanstd(values))


@pytest.fixture(scope="module")
def wild_future(lively: pl.DataFrame) -> pl.DataFrame:
    random = np.random.default_rng(1)
    factor = np.where(np.arange(lively.height) < 1234, 1.0, np.exp(random.normal(0, 0.1, lively.height)))
    return compute_features(lively.with_columns(pl.col(PRICES) * factor, pl.col("volume") * factor**9))


@pytest.fixture(scope="module")
def cut_off(lively: pl.DataFrame) -> dict[int, pl.DataFrame]:
    return {cut: compute_features(lively[:cut]) for cut in CUTS}


@pytest.fixture(scope="module")
def windows(lively: pl.DataFrame) -> dict[tuple[int, int], pl.DataFrame]:
    """By row and by lookback: the features of just the bars that the lookback allows."""
    lookbacks = {feature.lookback for feature in FEATURES.values()}
    return {
        (row, lookback): compute_features(
            lively[row - lookback : row + 1], [name for name in FEATURES if FEATURES[name].lookback == lookback]
        )
        for row in (LONGEST, 901, 1502, 1999)
        for lookback in lookbacks
    }


@pytest.fixture(scope="module")
def parts(lively: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """A day at a time, each with the bars before it that the longest lookback needs."""
    days = range(576, 2_000, 288)
    frames = [compute_features(lively[max(day - LONGEST, 0) : day + 288])[min(day, LONGEST) :] for day in days]
    return {"days": pl.concat(frames)}


@pytest.fixture(scope="module")
def pieces(lively: pl.DataFrame, outage: pl.DataFrame) -> list[pl.DataFrame]:
    """In pieces that divide neither the bars nor the stretches between holes, by one thread and by three."""
    both = pl.concat([outage, lively])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nightfold.features.compute.PIECE", 333)
        return [compute_features(both, threads=threads) for threads in (1, 3)]


@pytest.fixture(scope="module")
def rescaled(lively: pl.DataFrame) -> dict[tuple[int, int], pl.DataFrame]:
    return {
        (price, volume): compute_features(lively.with_columns(pl.col(PRICES) * price, pl.col("volume") * volume))
        for price, volume in ((1024, 1), (1, 256), (1024, 256))
    }


@pytest.fixture(scope="module")
def around_outage(outage: pl.DataFrame) -> tuple[int, pl.DataFrame, pl.DataFrame]:
    """Row after the hole, features of all bars, features of those after the hole alone."""
    step = outage["open_time"].diff().dt.total_minutes().to_numpy()
    (row,) = np.flatnonzero(step[1:] != 5) + 1
    return int(row), compute_features(outage), compute_features(outage[int(row) :])


@pytest.fixture(scope="module")
def spiked(lively: pl.DataFrame) -> pl.DataFrame:
    """One bar a million times higher and busier than its neighbours."""
    factor = np.where(np.arange(lively.height) == 700, 1e6, 1.0)
    return compute_features(lively.with_columns(pl.col(PRICES) * factor, pl.col("volume") * factor))


@pytest.fixture(scope="module")
def motionless(lively: pl.DataFrame) -> pl.DataFrame:
    return compute_features(lively.with_columns(*(pl.lit(0.1).alias(price) for price in PRICES), volume=pl.lit(0.0)))


def test_a_missing_future_moves_no_value(name: str, ours: pl.DataFrame, cut_off: dict[int, pl.DataFrame]) -> None:
    full = column(ours, name)
    for cut, frame in cut_off.items():
        assert agree(column(frame, name), full[:cut], spread(full))


def test_a_wild_future_moves_no_value(name: str, ours: pl.DataFrame, wild_future: pl.DataFrame) -> None:
    full = column(ours, name)
    assert agree(column(wild_future, name)[:1234], full[:1234], spread(full))


def test_values_begin_exactly_at_the_lookback(name: str, ours: pl.DataFrame) -> None:
    known = ours[name].is_not_null().to_numpy()
    lookback = FEATURES[name].lookback
    assert not known[:lookback].any()
    assert known[lookback]
    assert known[lookback:].mean() > 0.98


def test_lookback_is_within_two_days_of_five_minute_bars(name: str) -> None:
    assert 0 <= FEATURES[name].lookback <= 576


def test_a_value_needs_no_more_bars_than_its_lookback(
    name: str, ours: pl.DataFrame, windows: dict[tuple[int, int], pl.DataFrame]
) -> None:
    full, lookback = column(ours, name), FEATURES[name].lookback
    for row in (LONGEST, 901, 1502, 1999):
        assert agree(column(windows[row, lookback], name)[-1:], full[row : row + 1], spread(full))


def test_a_day_at_a_time_gives_the_same_values(name: str, ours: pl.DataFrame, parts: dict[str, pl.DataFrame]) -> None:
    full = column(ours, name)
    assert agree(column(parts["days"], name), full[576:2_000], spread(full))


def test_pieces_and_threads_make_no_difference(
    name: str, ours: pl.DataFrame, around_outage: tuple[int, pl.DataFrame, pl.DataFrame], pieces: list[pl.DataFrame]
) -> None:
    one, other = pieces
    assert one[name].equals(other[name])
    full = np.concatenate([column(around_outage[1], name), column(ours, name)])
    assert agree(column(one, name), full, spread(full))


def test_prices_and_volumes_have_no_scale(
    name: str, ours: pl.DataFrame, rescaled: dict[tuple[int, int], pl.DataFrame]
) -> None:
    full = column(ours, name)
    for frame in rescaled.values():
        assert agree(column(frame, name), full, spread(full))


def test_no_window_spans_a_hole(name: str, around_outage: tuple[int, pl.DataFrame, pl.DataFrame]) -> None:
    row, full, alone = around_outage
    values = column(full, name)
    assert np.isnan(values[row : row + FEATURES[name].lookback]).all()
    assert not np.isnan(values[row:]).all()
    assert agree(values[row:], column(alone, name), spread(values))


def test_a_million_fold_spike_is_forgotten_after_the_lookback(
    name: str, ours: pl.DataFrame, spiked: pl.DataFrame
) -> None:
    full, after = column(ours, name), 701 + FEATURES[name].lookback
    assert agree(column(spiked, name)[after:], full[after:], spread(full))
    assert not np.isinf(column(spiked, name)).any()


def test_without_movement_and_volume_a_value_is_null_or_its_rule_says_never(
    name: str, motionless: pl.DataFrame
) -> None:
    values = column(motionless, name)[FEATURES[name].lookback :]
    if FEATURES[name].nulls == NEVER:
        assert not np.isnan(values).any()
        level = 1.0 if name.startswith("unchanged_share") else 0.0
        assert FEATURES[name].group == "calendar" or np.abs(values - level).max() < 1e-12
    else:
        assert np.isnan(values).all()


def test_columns_are_float32_without_nan_or_infinity(
    name: str, around_outage: tuple[int, pl.DataFrame, object]
) -> None:
    for frame in around_outage[1:]:
        series = frame[name]  # type: ignore[index]
        assert series.dtype == pl.Float32
        assert series.drop_nulls().is_finite().all()


def test_an_entry_says_what_it_is(name: str) -> None:
    feature = FEATURES[name]
    assert feature.name == name
    assert all((feature.group, feature.formula, feature.reference, feature.nulls))
    assert "{" not in feature.formula


def test_a_function_gives_one_value_a_bar_and_leaves_the_bars_alone(
    name: str, lively: pl.DataFrame, segment: Callable[[pl.DataFrame], object]
) -> None:
    bars = segment(lively)
    before = {field: getattr(bars, field).copy() for field in ("open", "high", "low", "close", "volume")}
    with np.errstate(all="ignore"):
        values = FEATURES[name].values(bars)  # type: ignore[arg-type]
    assert values.shape == (lively.height,)
    assert values.dtype == np.float64
    for field, array in before.items():
        np.testing.assert_array_equal(getattr(bars, field), array)
