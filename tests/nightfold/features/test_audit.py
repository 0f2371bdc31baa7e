"""The audit must pass the catalog and catch every planted peek."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from nightfold.features.audit import audit_features
from nightfold.features.feature import Feature
from nightfold.features.segment import Array, Segment, lag


def own(function: Callable[[Segment], Array], lookback: int) -> Feature:
    return Feature(function.__name__, "own", "planted", lookback, "test", "never", function)


def centred_mean(bars: Segment) -> Array:
    later = [np.append(bars.log_return[k:], np.full(min(k, len(bars.time)), np.nan)) for k in (1, 2)]
    total = lag(bars.log_return, 2) + lag(bars.log_return, 1) + bars.log_return + later[0] + later[1]
    return np.asarray(total / 5)


def next_return(bars: Segment) -> Array:
    return np.append(bars.log_return[1:], np.nan)


def whole_sample_z_score(bars: Segment) -> Array:
    return np.asarray((bars.volume - bars.volume.mean()) / bars.volume.std())


def scaled_by_the_range_of_everything(bars: Segment) -> Array:
    return np.asarray((bars.close - bars.close.min()) / (bars.close.max() - bars.close.min()))


def close_of_the_hour(bars: Segment) -> Array:
    hour = bars.time // 3_600_000
    last = np.searchsorted(hour, hour, side="right") - 1
    return np.log(bars.close[last] / bars.close)


def bars_to_the_end(bars: Segment) -> Array:
    return np.arange(len(bars.time), dtype=np.float64)[::-1]


def sum_since_the_start(bars: Segment) -> Array:
    return np.cumsum(np.sign(bars.close - bars.open))


def return_over_ten(bars: Segment) -> Array:
    return np.log(bars.close / lag(bars.close, 10))


def audited(bars: pl.DataFrame, feature: Feature) -> tuple[bool, bool]:
    row = audit_features(bars, [feature], cuts=4).row(0, named=True)
    return row["moved_by_future"], row["needs_more_than_lookback"]


@pytest.mark.parametrize(
    ("peek", "lookback"),
    [
        (centred_mean, 3),
        (next_return, 1),
        (whole_sample_z_score, 0),
        (scaled_by_the_range_of_everything, 0),
        (close_of_the_hour, 0),
        (bars_to_the_end, 0),
    ],
)
def test_a_planted_peek_is_caught(lively: pl.DataFrame, peek: Callable[[Segment], Array], lookback: int) -> None:
    moved, _ = audited(lively, own(peek, lookback))
    assert moved


@pytest.mark.parametrize(("function", "lookback"), [(sum_since_the_start, 300), (return_over_ten, 9)])
def test_a_lookback_that_is_too_short_is_caught(
    lively: pl.DataFrame, function: Callable[[Segment], Array], lookback: int
) -> None:
    assert audited(lively, own(function, lookback)) == (False, True)


def test_an_honest_feature_passes(lively: pl.DataFrame) -> None:
    assert audited(lively, own(return_over_ten, 10)) == (False, False)


def test_the_catalog_passes_on_two_symbols_one_of_them_with_a_hole(lively: pl.DataFrame, outage: pl.DataFrame) -> None:
    table = audit_features(pl.concat([outage, lively]), cuts=2)
    assert table.columns == ["feature", "lookback", "moved_by_future", "needs_more_than_lookback", "known_rows"]
    assert table.filter(pl.col("moved_by_future") | pl.col("needs_more_than_lookback")).is_empty()


def test_few_bars_are_audited_as_far_as_they_go(lively: pl.DataFrame) -> None:
    table = audit_features(lively[:40], ["log_return_1", "rsi_28"], cuts=3)
    assert table["moved_by_future"].to_list() == [False, False]
    assert table["known_rows"].to_list() == [39, 0]
