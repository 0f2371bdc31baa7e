"""Returns and momentum against pandas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.features.catalog import FEATURES


def windows(series: Any, window: int, function: Callable[..., Any]) -> Any:
    """Look at each window by itself."""
    return series.rolling(window).apply(function, raw=True)


def log_return(d: Any) -> Any:
    return np.log(d.close).diff()


TWINS: dict[str, Callable[[Any], Any]] = {
    "log_return_1": lambda d: np.log(d.close).diff(1),
    "log_return_3": lambda d: np.log(d.close).diff(3),
    "log_return_5": lambda d: np.log(d.close).diff(5),
    "log_return_10": lambda d: np.log(d.close).diff(10),
    "log_return_20": lambda d: np.log(d.close).diff(20),
    "log_return_60": lambda d: np.log(d.close).diff(60),
    "log_return_288": lambda d: np.log(d.close).diff(288),
    "momentum_5": lambda d: d.close.pct_change(5),
    "momentum_10": lambda d: d.close.pct_change(10),
    "standardized_return_60": lambda d: windows(log_return(d), 60, lambda r: r.mean() / r.std(ddof=1) * 60**0.5),
    "standardized_return_288": lambda d: windows(log_return(d), 288, lambda r: r.mean() / r.std(ddof=1) * 288**0.5),
    "momentum_change_10": lambda d: np.log(d.close).diff(10).diff(10),
    "positive_share_20": lambda d: windows(d.close.diff(), 20, lambda change: np.mean(change > 0)),
}


def test_every_feature_of_the_group_has_a_twin() -> None:
    assert set(TWINS) == {name for name, feature in FEATURES.items() if feature.group == "returns"}


@pytest.mark.parametrize("name", TWINS)
def test_values_equal_an_independent_computation(
    name: str, ours: pl.DataFrame, market: Any, assert_agree: Callable[..., None]
) -> None:
    assert_agree(ours[name], TWINS[name](market))
