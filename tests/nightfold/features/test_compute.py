"""One code path: order, symbols, holes, laziness and what is refused."""

import subprocess
import sys
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nightfold.errors import ConfigError, SchemaError, UnknownNameError
from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.features.feature import Feature
from nightfold.features.segment import Array, Segment

SOME = ["log_return_1", "rsi_7", "volatility_20", "vwap_distance_20"]


@pytest.fixture
def bars(lively: pl.DataFrame) -> pl.DataFrame:
    return lively[:400]


@pytest.fixture
def two_symbols(bars: pl.DataFrame, outage: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([outage[:300], bars])


def test_eager_in_eager_out_lazy_in_lazy_out(bars: pl.DataFrame) -> None:
    eager, lazy = compute_features(bars, SOME), compute_features(bars.lazy(), SOME)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect_schema() == eager.schema
    assert_frame_equal(lazy.collect(), eager)


def test_a_filter_on_the_lazy_result_does_not_reach_the_bars(bars: pl.DataFrame) -> None:
    late = pl.col("open_time") > bars["open_time"][300]
    assert_frame_equal(
        compute_features(bars.lazy(), SOME).filter(late).select("rsi_7").tail(9).collect(),
        compute_features(bars, SOME).filter(late).select("rsi_7").tail(9),
    )


def test_all_of_the_default_set_comes_where_nothing_is_named(bars: pl.DataFrame) -> None:
    assert compute_features(bars).columns == ["symbol", "open_time", *FEATURES]


def test_columns_come_in_the_order_they_are_named_in(bars: pl.DataFrame) -> None:
    assert compute_features(bars, SOME[::-1]).columns == ["symbol", "open_time", *SOME[::-1]]


def test_symbols_do_not_touch(two_symbols: pl.DataFrame) -> None:
    together = compute_features(two_symbols, SOME)
    for symbol in ("BTCUSDT", "SOLUSDT"):
        alone = compute_features(two_symbols.filter(symbol=symbol), SOME)
        assert_frame_equal(together.filter(symbol=symbol), alone, rel_tol=1e-6, abs_tol=1e-9)


def test_rows_keep_the_order_they_came_in(two_symbols: pl.DataFrame) -> None:
    shuffled = two_symbols.sample(fraction=1, shuffle=True, seed=2)
    result = compute_features(shuffled, SOME)
    assert_frame_equal(result.select("symbol", "open_time"), shuffled.select("symbol", "open_time"))
    assert_frame_equal(result.sort("symbol", "open_time"), compute_features(two_symbols, SOME))


def test_bars_come_back_unchanged_and_may_be_read_only(bars: pl.DataFrame) -> None:
    before = bars.clone()
    compute_features(bars)
    assert_frame_equal(bars, before)


def test_one_bar_by_itself_has_the_features_that_look_back_no_further(bars: pl.DataFrame) -> None:
    row = compute_features(bars[:1])
    known = {name for name in FEATURES if row[name].null_count() == 0}
    assert known == {name for name, feature in FEATURES.items() if feature.lookback == 0}


def test_no_bars_give_no_rows(bars: pl.DataFrame) -> None:
    assert_frame_equal(compute_features(bars[:0], SOME), compute_features(bars, SOME)[:0])


def test_the_smallest_step_tells_neighbours_from_holes(bars: pl.DataFrame) -> None:
    holed = pl.concat([bars[:5], bars[7:9], bars[10:12]])
    known = compute_features(holed, ["log_return_1"])["log_return_1"].is_not_null().to_list()
    assert known == [False, True, True, True, True, False, True, False, True]


def test_a_given_interval_tells_neighbours_from_holes_where_every_step_is_a_hole(bars: pl.DataFrame) -> None:
    sparse = bars[::3]
    assert compute_features(sparse, ["log_return_1"])["log_return_1"].null_count() == 1
    assert compute_features(sparse, ["log_return_1"], interval="5m")["log_return_1"].null_count() == sparse.height


def test_a_function_of_your_own_is_computed_beside_the_catalog(bars: pl.DataFrame) -> None:
    def half_range(segment: Segment) -> Array:
        return segment.log_range / 2

    own = Feature("half_range", "own", "half the log range", 0, "test", "never", half_range)
    result = compute_features(bars, ["bar_range", own])
    np.testing.assert_allclose(result["half_range"] * 2, result["bar_range"])


def test_a_function_that_does_not_give_one_value_a_bar_is_refused(bars: pl.DataFrame) -> None:
    own = Feature("short", "own", "differences", 0, "test", "never", lambda segment: np.diff(segment.close))
    with pytest.raises(ConfigError, match=r"feature `short` gave values of shape \(399,\) for 400 bars"):
        compute_features(bars, [own])


def test_infinities_and_overflow_become_null(bars: pl.DataFrame) -> None:
    def wild(segment: Segment) -> Array:
        return np.where(np.arange(len(segment.close)) % 2 == 0, 1 / (segment.close * 0), 1e300)

    own = Feature("wild", "own", "infinity and more than float32 holds", 0, "test", "always", wild)
    assert compute_features(bars, [own])["wild"].null_count() == bars.height


def test_threads_must_be_some(bars: pl.DataFrame) -> None:
    with pytest.raises(ConfigError, match="`threads` is 0; it must be 1 or more"):
        compute_features(bars, SOME, threads=0)


def test_an_unknown_name_is_refused_with_the_close_ones(bars: pl.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match=r"`rsi_15` is unknown; did you mean .*rsi_14"):
        compute_features(bars, ["rsi_15"])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda bars: bars.drop("volume", "low"), "lack the columns low, volume"),
        (lambda bars: bars.with_columns(pl.col("open_time").cast(pl.Datetime("us", "UTC"))), "cast it before"),
        (lambda bars: bars.with_columns(close=pl.lit("1")), "close is String"),
        (lambda bars: pl.concat([bars, bars[-2:]]), "2 of them come twice"),
        (lambda bars: bars.with_columns(high=pl.lit(float("nan"))), "high not finite in 400 rows"),
        (lambda bars: bars.with_columns(high=pl.lit(float("inf"))), "high not finite in 400 rows"),
        (lambda bars: bars.with_columns(low=pl.lit(0.0), volume=pl.lit(-1.0)), "low not above 0 .* volume negative"),
        (lambda bars: bars.with_columns(symbol=pl.lit(None)), "symbol null in 400 rows"),
        (lambda bars: bars.with_columns(open=pl.lit(None, pl.Float64)), "open null in 400 rows"),
    ],
)
def test_bars_that_cannot_be_used_are_refused_with_their_faults(
    bars: pl.DataFrame, broken: object, message: str
) -> None:
    with pytest.raises(SchemaError, match=message):
        compute_features(broken(bars), SOME)  # type: ignore[operator]


def test_whole_numbers_count_as_numbers(bars: pl.DataFrame) -> None:
    whole = bars.with_columns(pl.col("volume").round().cast(pl.Int64))
    assert_frame_equal(
        compute_features(whole, SOME), compute_features(whole.with_columns(pl.col("volume").cast(pl.Float64)), SOME)
    )


def test_reading_the_catalog_imports_neither_numba_nor_talib() -> None:
    code = (
        "import sys, nightfold.features.select; sys.exit(any(m in sys.modules for m in ('numba', 'talib', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_equal_bars_give_equal_bytes(bars: pl.DataFrame) -> None:
    assert_frame_equal(compute_features(bars), compute_features(bars), check_exact=True)


def test_a_month_of_five_minutes_starts_anew_after_a_shift_in_time(bars: pl.DataFrame) -> None:
    shifted = pl.concat([bars[:200], bars[200:].with_columns(pl.col("open_time") + timedelta(minutes=2))])
    known = compute_features(shifted, ["volatility_20"])["volatility_20"].is_not_null()
    assert known.arg_true().to_list() == [*range(20, 200), *range(220, 400)]
