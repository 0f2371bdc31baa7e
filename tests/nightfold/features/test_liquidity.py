"""Liquidity against plain loops over windows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nightfold.features.catalog import FEATURES
from nightfold.features.liquidity import amihud_ratio, roll_spread
from nightfold.features.segment import Segment


def windows(series: Any, window: int, function: Callable[..., Any]) -> Any:
    """Look at each window by itself."""
    return series.rolling(window).apply(function, raw=True)


def log_return(d: Any) -> Any:
    return np.log(d.close).diff()


def roll(r: Any) -> Any:
    return 2 * np.sqrt(max(-np.cov(r[1:], r[:-1], ddof=0)[0, 1], 0))


def illiquidity(d: Any) -> Any:
    return log_return(d).abs() / (d.volume * (d.high + d.low + d.close) / 3)


def correlation(x: Any, y: Any) -> Any:
    rows = range(60, len(x))
    each = [np.corrcoef(x[i - 59 : i + 1], y[i - 59 : i + 1])[0, 1] for i in rows]
    return pd.Series(each, index=rows).reindex(x.index)


def corwin_schultz(d: Any) -> Any:
    """Spread from the two equations of the paper, one pair of bars after the other."""
    spreads = [np.nan]
    for i in range(1, len(d)):
        pair = d.iloc[i - 1 : i + 1]
        beta = (np.log(pair.high / pair.low) ** 2).sum()
        gamma = np.log(pair.high.max() / pair.low.min()) ** 2
        root = 3 - 2 * np.sqrt(2)
        alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / root - np.sqrt(gamma / root)
        spreads.append(max(2 * (np.exp(alpha) - 1) / (1 + np.exp(alpha)), 0))
    return pd.Series(spreads).rolling(20).mean()


TWINS: dict[str, Callable[[Any], Any]] = {
    "roll_spread_288": lambda d: windows(log_return(d), 289, roll),
    "corwin_schultz_20": corwin_schultz,
    "amihud_ratio_20_288": lambda d: windows(illiquidity(d), 288, lambda x: x[-20:].mean() / x.mean()),
    "return_volume_correlation_60": lambda d: correlation(log_return(d), d.volume),
    "size_volume_correlation_60": lambda d: correlation(log_return(d).abs(), d.volume),
    "unchanged_share_60": lambda d: windows(d.close.diff(), 60, lambda change: np.mean(change == 0)),
}


def test_every_feature_of_the_group_has_a_twin() -> None:
    assert set(TWINS) == {name for name, feature in FEATURES.items() if feature.group == "liquidity"}


@pytest.mark.parametrize("name", TWINS)
def test_values_equal_an_independent_computation(
    name: str, ours: pl.DataFrame, market: Any, assert_agree: Callable[..., None]
) -> None:
    assert_agree(ours[name], TWINS[name](market))


def test_roll_finds_the_spread_of_a_bouncing_price(
    segment: Callable[[pl.DataFrame], Segment], lively: pl.DataFrame
) -> None:
    side = np.where(np.random.default_rng(8).random(2_000) < 0.5, -1, 1)
    bars = lively.with_columns(close=pl.Series(100 * np.exp(side * 0.001)))
    assert roll_spread(segment(bars), 1_900)[-1] == pytest.approx(0.002, rel=0.05)


def test_bars_without_trade_are_left_out_of_amihud(
    segment: Callable[[pl.DataFrame], Segment], lively: pl.DataFrame
) -> None:
    silent = np.arange(2_000) % 5 == 0
    bars = lively.with_columns(volume=pl.when(pl.Series(silent)).then(0.0).otherwise("volume"))
    values = amihud_ratio(segment(bars), 20, 288)
    impact = bars["close"].log().diff().abs() / (bars["volume"] * (bars["high"] + bars["low"] + bars["close"]) / 3)
    window = impact.to_numpy()[-288:][~silent[-288:]]
    recent = impact.to_numpy()[-20:][~silent[-20:]]
    assert values[-1] == pytest.approx(recent.mean() / window.mean(), rel=1e-9)
