"""The audit must pass the catalog and catch every planted peek."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from nightfold.features.audit import audit_features
from nightfold.features.cut import visible_share
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
    row = audit_features(bars, [feature], own_cuts=20).row(0, named=True)
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
    faults = ["moved_by_future", "needs_more_than_lookback"]
    assert table.columns == ["feature", "lookback", *faults, "known_rows", "cuts", "visible_share"]
    assert table["cuts"].unique().to_list() == [2]
    assert table.filter(pl.col("moved_by_future") | pl.col("needs_more_than_lookback")).is_empty()


def next_return_at_noon(bars: Segment) -> Array:
    return np.where(bars.time % 86_400_000 == 43_200_000, next_return(bars), bars.log_return)


def next_return_of_the_busiest_bar(bars: Segment) -> Array:
    return np.where(bars.volume == bars.volume.max(), next_return(bars), bars.log_return)


def return_before_a_leap(bars: Segment) -> Array:
    following = next_return(bars)
    return np.where(np.abs(following) > 0.04, following, bars.log_return)


@pytest.mark.parametrize("peek", [next_return_at_noon, next_return_of_the_busiest_bar, return_before_a_leap])
def test_a_peek_in_a_few_rows_of_a_thousand_is_caught(lively: pl.DataFrame, peek: Callable[[Segment], Array]) -> None:
    (row,) = audit_features(lively[:1_000], [own(peek, 1)]).rows(named=True)
    assert row["moved_by_future"]
    assert 300 < row["cuts"] <= 400


def test_features_of_the_catalog_and_own_ones_keep_their_order_and_their_cuts(lively: pl.DataFrame) -> None:
    table = audit_features(lively, ["rsi_7", own(return_over_ten, 10), "log_return_1"], cuts=2, own_cuts=40)
    assert table["feature"].to_list() == ["rsi_7", "return_over_ten", "log_return_1"]
    (few, many, also_few) = table["cuts"]
    assert (few, also_few) == (2, 2)
    assert 30 < many <= 40
    assert table["visible_share"].to_list() == [visible_share(2), visible_share(30), visible_share(2)]


def test_few_bars_are_audited_as_far_as_they_go(lively: pl.DataFrame) -> None:
    table = audit_features(lively[:40], ["log_return_1", "rsi_28"], cuts=3)
    assert table["moved_by_future"].to_list() == [False, False]
    assert table["known_rows"].to_list() == [39, 0]
