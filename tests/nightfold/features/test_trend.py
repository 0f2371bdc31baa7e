"""Trend against TA-Lib called directly, and lines against a fit of each window."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import talib

from nightfold.features.catalog import FEATURES


def windows(series: Any, window: int, function: Callable[..., Any]) -> Any:
    """Look at each window by itself."""
    return series.rolling(window).apply(function, raw=True)


def signed_fit(y: Any) -> Any:
    r = np.corrcoef(np.arange(len(y)), y)[0, 1]
    return r * abs(r)


TWINS: dict[str, Callable[[Any], Any]] = {
    "sma_distance_60": lambda d: np.log(d.close / talib.SMA(d.close, 60)),
    "ema_distance_12": lambda d: np.log(d.close / talib.EMA(d.close, 12)),
    "ema_distance_26": lambda d: np.log(d.close / talib.EMA(d.close, 26)),
    "ema_distance_50": lambda d: np.log(d.close / talib.EMA(d.close, 50)),
    "kama_distance_10": lambda d: np.log(d.close / talib.KAMA(d.close, 10)),
    "macd_12_26": lambda d: talib.MACD(d.close, 12, 26, 9)[0] / d.close,
    "macd_histogram_12_26_9": lambda d: talib.MACD(d.close, 12, 26, 9)[2] / d.close,
    "plus_di_14": lambda d: talib.PLUS_DI(d.high, d.low, d.close, 14),
    "minus_di_14": lambda d: talib.MINUS_DI(d.high, d.low, d.close, 14),
    "adx_14": lambda d: talib.ADX(d.high, d.low, d.close, 14),
    "aroon_oscillator_25": lambda d: talib.AROONOSC(d.high, d.low, 25),
    "parabolic_distance_2_20": lambda d: np.log(d.close / talib.SAR(d.high, d.low, 0.02, 0.2)),
    "vortex_14": lambda d: np.subtract(*talib.VORTEX(d.high, d.low, d.close, 14)),
    "efficiency_ratio_10": lambda d: d.close.diff(10) / d.close.diff().abs().rolling(10).sum(),
    "trend_slope_60": lambda d: windows(np.log(d.close), 60, lambda y: np.polyfit(np.arange(60), y, 1)[0]),
    "trend_fit_20": lambda d: windows(np.log(d.close), 20, signed_fit),
    "trend_fit_60": lambda d: windows(np.log(d.close), 60, signed_fit),
}


def test_every_feature_of_the_group_has_a_twin() -> None:
    assert set(TWINS) == {name for name, feature in FEATURES.items() if feature.group == "trend"}


@pytest.mark.parametrize("name", TWINS)
def test_values_equal_an_independent_computation(
    name: str, ours: pl.DataFrame, market: Any, assert_agree: Callable[..., None]
) -> None:
    assert_agree(ours[name], TWINS[name](market))
