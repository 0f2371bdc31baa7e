"""Volatility against pandas and TA-Lib."""

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


def log_return(d: Any) -> Any:
    return np.log(d.close).diff()


def body(d: Any) -> Any:
    return np.log(d.close / d.open)


def volatility(d: Any, window: int) -> Any:
    return windows(log_return(d), window, lambda r: r.std(ddof=1))


def rogers_satchell(d: Any) -> Any:
    up, down = np.log(d.high / d.open), np.log(d.low / d.open)
    return up * (up - body(d)) + down * (down - body(d))


def yang_zhang(d: Any) -> Any:
    gaps = windows(np.log(d.open / d.close.shift()), 20, lambda x: x.var(ddof=1))
    bodies = windows(body(d), 20, lambda x: x.var(ddof=1))
    k = 0.34 / (1.34 + 21 / 19)
    return np.sqrt(gaps + k * bodies + (1 - k) * rogers_satchell(d).rolling(20).mean())


def jump_share(r: Any) -> Any:
    bipower = np.pi / 2 * 60 / 59 * (np.abs(r[1:]) * np.abs(r[:-1])).sum()
    return max(1 - bipower / (r**2).sum(), 0)


def band(d: Any, of: Callable[..., Any]) -> Any:
    middle, deviation = windows(d.close, 20, np.mean), windows(d.close, 20, np.std)
    return of(middle - 2 * deviation, middle, middle + 2 * deviation)


def choppiness(d: Any) -> Any:
    way = pd.Series(talib.TRANGE(d.high, d.low, d.close)).rolling(14).sum()
    return np.log10(way / (d.high.rolling(14).max() - d.low.rolling(14).min())) / np.log10(14)


TWINS: dict[str, Callable[[Any], Any]] = {
    "volatility_5": lambda d: windows(log_return(d), 5, lambda r: r.std(ddof=1)),
    "volatility_20": lambda d: windows(log_return(d), 20, lambda r: r.std(ddof=1)),
    "volatility_60": lambda d: windows(log_return(d), 60, lambda r: r.std(ddof=1)),
    "volatility_288": lambda d: windows(log_return(d), 288, lambda r: r.std(ddof=1)),
    "parkinson_20": lambda d: np.sqrt((np.log(d.high / d.low) ** 2).rolling(20).mean() / (4 * np.log(2))),
    "garman_klass_20": lambda d: np.sqrt(
        (0.5 * np.log(d.high / d.low) ** 2 - (2 * np.log(2) - 1) * body(d) ** 2).rolling(20).mean()
    ),
    "rogers_satchell_20": lambda d: np.sqrt(rogers_satchell(d).rolling(20).mean()),
    "yang_zhang_20": yang_zhang,
    "semi_deviation_20": lambda d: windows(log_return(d), 20, lambda r: np.sqrt((r[r < 0] ** 2).sum() / 20)),
    "downside_share_60": lambda d: windows(log_return(d), 60, lambda r: (r[r < 0] ** 2).sum() / (r**2).sum()),
    "volatility_of_volatility_20": lambda d: windows(volatility(d, 20), 20, lambda v: v.std(ddof=1) / v.mean()),
    "volatility_ratio_5_60": lambda d: volatility(d, 5) / volatility(d, 60),
    "volatility_ratio_20_288": lambda d: volatility(d, 20) / volatility(d, 288),
    "jump_share_60": lambda d: windows(log_return(d), 60, jump_share),
    "atr_14": lambda d: talib.NATR(d.high, d.low, d.close, 14) / 100,
    "true_range_ratio_14": lambda d: talib.TRANGE(d.high, d.low, d.close) / talib.ATR(d.high, d.low, d.close, 14),
    "keltner_position_20_14": lambda d: (d.close - talib.EMA(d.close, 20)) / talib.ATR(d.high, d.low, d.close, 14),
    "bollinger_position_20": lambda d: band(d, lambda low, middle, high: (d.close - low) / (high - low)),
    "bollinger_width_20": lambda d: band(d, lambda low, middle, high: (high - low) / middle),
    "donchian_position_288": lambda d: (
        (d.close - d.low.rolling(288).min()) / (d.high.rolling(288).max() - d.low.rolling(288).min())
    ),
    "choppiness_14": choppiness,
}


def test_every_feature_of_the_group_has_a_twin() -> None:
    assert set(TWINS) == {name for name, feature in FEATURES.items() if feature.group == "volatility"}


@pytest.mark.parametrize("name", TWINS)
def test_values_equal_an_independent_computation(
    name: str, ours: pl.DataFrame, market: Any, assert_agree: Callable[..., None]
) -> None:
    assert_agree(ours[name], TWINS[name](market))
