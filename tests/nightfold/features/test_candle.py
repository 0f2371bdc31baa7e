"""Price action against the plain formulas, bar by bar."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import talib

from nightfold.features.catalog import FEATURES


def streak(d: Any) -> Any:
    """Count back from each bar while closes keep their direction."""
    sign = np.sign(d.close.diff()).to_numpy()
    counts = []
    for i in range(len(sign)):
        length = 0
        while length < min(10, i) and sign[i - length] == sign[i] != 0:
            length += 1
        counts.append(length * sign[i])
    return pd.Series(counts)


TWINS: dict[str, Callable[[Any], Any]] = {
    "price_in_range": lambda d: (d.close - d.low) / (d.high - d.low),
    "body_in_range": lambda d: talib.BOP(d.open, d.high, d.low, d.close),
    "upper_wick": lambda d: (d.high - d[["open", "close"]].max(axis=1)) / (d.high - d.low),
    "lower_wick": lambda d: (d[["open", "close"]].min(axis=1) - d.low) / (d.high - d.low),
    "wick_balance_20": lambda d: (
        (d.high + d.low - d.open - d.close).rolling(20).sum() / (d.high - d.low).rolling(20).sum()
    ),
    "gap": lambda d: np.log(d.open) - np.log(d.close.shift()),
    "bar_range": lambda d: np.log(d.high) - np.log(d.low),
    "streak_10": streak,
    "engulfing": lambda d: talib.CDLENGULFING(d.open, d.high, d.low, d.close) / 100,
}


def test_every_feature_of_the_group_has_a_twin() -> None:
    assert set(TWINS) == {name for name, feature in FEATURES.items() if feature.group == "candle"}


@pytest.mark.parametrize("name", TWINS)
def test_values_equal_an_independent_computation(
    name: str, ours: pl.DataFrame, market: Any, assert_agree: Callable[..., None]
) -> None:
    assert_agree(ours[name], TWINS[name](market))
