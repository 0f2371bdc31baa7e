"""Statistics of windows against NumPy and SciPy, a window at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import special, stats

from nightfold.features import statistic
from nightfold.features.catalog import FEATURES
from nightfold.features.segment import Segment


def windows(series: Any, window: int, function: Callable[..., Any]) -> Any:
    """Look at each window by itself."""
    return series.rolling(window).apply(function, raw=True)


def log_return(d: Any) -> Any:
    return np.log(d.close).diff()


def hurst(prices: Any) -> Any:
    scales = [1, 2, 4, 8, 16, 32]
    return np.polyfit(np.log(scales), [np.log((prices[k:] - prices[:-k]).std()) for k in scales], 1)[0]


def permutation_entropy(prices: Any) -> Any:
    orders = [tuple(np.argsort(prices[i : i + 3], kind="stable")) for i in range(len(prices) - 2)]
    shares = np.array([orders.count(order) for order in set(orders)]) / len(orders)
    return -(shares * np.log(shares)).sum() / np.log(6)


def fractional_difference(prices: Any) -> Any:
    """Weights by the binomial series (-1)^k binom(d, k), newest price first."""
    weights = [(-1) ** k * special.binom(0.4, k) for k in range(len(prices))]
    return float(np.dot(weights, np.log(prices[::-1] / prices[0])))


TWINS: dict[str, Callable[[Any], Any]] = {
    "z_score_20": lambda d: windows(d.close, 20, lambda x: (x[-1] - x.mean()) / x.std()),
    "z_score_288": lambda d: windows(d.close, 288, lambda x: (x[-1] - x.mean()) / x.std()),
    "percentile_rank_60": lambda d: windows(
        d.close, 60, lambda x: stats.percentileofscore(x[:-1], x[-1], "mean") / 100
    ),
    "skew_60": lambda d: windows(log_return(d), 60, stats.skew),
    "skew_288": lambda d: windows(log_return(d), 288, stats.skew),
    "kurtosis_288": lambda d: windows(log_return(d), 288, stats.kurtosis),
    "autocorrelation_288_1": lambda d: windows(log_return(d), 289, lambda r: np.corrcoef(r[1:], r[:-1])[0, 1]),
    "absolute_autocorrelation_288_1": lambda d: windows(
        log_return(d).abs(), 289, lambda r: np.corrcoef(r[1:], r[:-1])[0, 1]
    ),
    "variance_ratio_288_4": lambda d: windows(
        np.log(d.close), 289, lambda p: (p[4:] - p[:-4]).var() / (4 * np.diff(p).var())
    ),
    "hurst_288": lambda d: windows(np.log(d.close), 289, hurst),
    "permutation_entropy_60": lambda d: windows(d.close, 60, permutation_entropy),
    "fractional_difference_40_96": lambda d: windows(d.close, 96, fractional_difference),
}


def test_every_feature_of_the_group_has_a_twin() -> None:
    assert set(TWINS) == {name for name, feature in FEATURES.items() if feature.group == "statistic"}


@pytest.mark.parametrize("name", TWINS)
def test_values_equal_an_independent_computation(
    name: str, ours: pl.DataFrame, market: Any, assert_agree: Callable[..., None]
) -> None:
    assert_agree(ours[name], TWINS[name](market))


def test_fractional_difference_of_the_worked_example_whatever_the_price_scale(
    segment: Callable[[pl.DataFrame], Segment], lively: pl.DataFrame
) -> None:
    bars = lively[:3].with_columns(close=pl.Series([100.0, 102.0, 101.0]))
    assert statistic.fractional_weights(0.4, 3) == pytest.approx([1, -0.4, -0.12])
    for scale in (1.0, 1024.0):
        values = statistic.fractional_difference(segment(bars.with_columns(pl.col("close") * scale)), 40, 3)
        assert np.isnan(values[:2]).all()
        assert values[2] == pytest.approx(0.002029, abs=5e-7)
