"""Volume against pandas and TA-Lib."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import talib

from nightfold.features.catalog import FEATURES


def windows(series: Any, window: int, function: Callable[..., Any]) -> Any:
    """Look at each window by itself."""
    return series.rolling(window).apply(function, raw=True)


def volume_weighted(d: Any, window: int) -> Any:
    typical = (d.high + d.low + d.close) / 3
    rows = range(window - 1, len(d))
    each = [np.average(typical[i - window + 1 : i + 1], weights=d.volume[i - window + 1 : i + 1]) for i in rows]
    return pd.Series(each, index=rows).reindex(d.index)


TWINS: dict[str, Callable[[Any], Any]] = {
    "volume_ratio_20": lambda d: d.volume / windows(d.volume, 20, np.mean),
    "volume_ratio_288": lambda d: d.volume / windows(d.volume, 288, np.mean),
    "volume_z_score_288": lambda d: windows(d.volume, 288, lambda v: (v[-1] - v.mean()) / v.std()),
    "volume_trend_5_20": lambda d: windows(d.volume, 20, lambda v: v[-5:].mean() / v.mean()),
    "volume_concentration_20": lambda d: windows(d.volume, 20, lambda v: v.max() / v.sum()),
    "obv_change_20": lambda d: pd.Series(talib.OBV(d.close, d.volume)).diff(20) / d.volume.rolling(20).sum(),
    "force_13": lambda d: (np.log(d.close).diff() * d.volume).rolling(13).sum() / d.volume.rolling(13).sum(),
    "money_flow_20": lambda d: talib.CMF(d.high, d.low, d.close, d.volume, 20),
    "vwap_distance_20": lambda d: np.log(d.close / volume_weighted(d, 20)),
    "vwap_distance_288": lambda d: np.log(d.close / volume_weighted(d, 288)),
}


def test_every_feature_of_the_group_has_a_twin() -> None:
    assert set(TWINS) == {name for name, feature in FEATURES.items() if feature.group == "volume"}


@pytest.mark.parametrize("name", TWINS)
def test_values_equal_an_independent_computation(
    name: str, ours: pl.DataFrame, market: Any, assert_agree: Callable[..., None]
) -> None:
    assert_agree(ours[name], TWINS[name](market))
