"""Oscillators against TA-Lib called directly."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import talib

from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features

# The range of an RSI over 14 bars may be small, and then magnifies what the whole-range RSI has not forgotten.
TOLERANCE = {"stochastic_rsi_14": 1e-5}

TWINS: dict[str, Callable[[Any], Any]] = {
    "rsi_7": lambda d: talib.RSI(d.close, 7),
    "rsi_14": lambda d: talib.RSI(d.close, 14),
    "rsi_28": lambda d: talib.RSI(d.close, 28),
    "stochastic_rsi_14": lambda d: talib.STOCHRSI(d.close, 14, 14, 1)[0],
    "stochastic_k_14_3": lambda d: talib.STOCH(d.high, d.low, d.close, 14, 3, slowd_period=1)[0],
    "stochastic_d_14_3_3": lambda d: talib.STOCH(d.high, d.low, d.close, 14, 3, slowd_period=3)[1],
    "williams_r_28": lambda d: talib.WILLR(d.high, d.low, d.close, 28),
    "cci_20": lambda d: talib.CCI(d.high, d.low, d.close, 20),
    "mfi_14": lambda d: talib.MFI(d.high, d.low, d.close, d.volume, 14),
    "ultimate_oscillator_7_14_28": lambda d: talib.ULTOSC(d.high, d.low, d.close, 7, 14, 28),
}


def test_every_feature_of_the_group_has_a_twin() -> None:
    assert set(TWINS) == {name for name, feature in FEATURES.items() if feature.group == "oscillator"}


@pytest.mark.parametrize("name", TWINS)
def test_values_equal_an_independent_computation(
    name: str, ours: pl.DataFrame, market: Any, assert_agree: Callable[..., None]
) -> None:
    assert_agree(ours[name], TWINS[name](market), TOLERANCE.get(name, 1e-6))


def test_rsi_of_alternating_closes_is_the_share_of_gains(
    segment: Callable[[pl.DataFrame], object], lively: pl.DataFrame
) -> None:
    closes = 100 + 3 * (np.arange(401) // 2) + 4.0 * (np.arange(401) % 2)  # up 4, down 1, up 4, ...
    bars = lively[:401].with_columns(close=pl.Series(closes))
    values = FEATURES["rsi_28"].function(segment(bars), 28, lookback=400)
    assert values[400] == pytest.approx(80, abs=1.5)


def test_talibs_silent_zero_is_null(outage: pl.DataFrame) -> None:
    flat = outage[:300].with_columns(pl.lit(27_000.0).alias(name) for name in ("open", "high", "low", "close"))
    high, low, close, volume = (flat[name].to_numpy() for name in ("high", "low", "close", "volume"))
    assert talib.WILLR(high, low, close, 28)[-1] == 0
    assert talib.CCI(high, low, close, 20)[-1] == 0
    assert talib.MFI(high, low, close, volume, 14)[-1] == 0
    names = [name for name, feature in FEATURES.items() if feature.group == "oscillator"]
    assert compute_features(flat, names).select(pl.col(names).null_count()).row(0) == (300,) * len(names)


def test_rsi_is_null_from_the_bar_on_where_its_whole_window_is_flat(lively: pl.DataFrame) -> None:
    close = lively["close"].to_numpy(writable=True)[:600]
    close[500:] = close[500]
    bars = lively[:600].with_columns(pl.Series("close", close), high=pl.lit(1e6), low=pl.lit(1e-6))
    values = compute_features(bars, ["rsi_14"])["rsi_14"]
    assert values.is_null().arg_true().to_list() == [*range(240), *range(514, 600)]
