"""Liquidity: what trading costs, read from prices and volume alone."""

import numpy as np

from nightfold.features.lazy import rolling
from nightfold.features.segment import Array, Segment, lag


def roll_spread(bars: Segment, window: int) -> Array:
    """Relative spread of Roll from the covariance of neighbouring log returns; 0 where it is positive."""
    return 2 * np.sqrt(np.maximum(-bars.returns.autocovariance(window, 1), 0))


def corwin_schultz(bars: Segment, window: int) -> Array:
    """Mean relative spread from the ranges of one and of two bars; negative two-bar estimates count 0."""
    squared = bars.squared_log_range
    beta = squared + lag(squared, 1)
    joint = np.log(np.maximum(bars.high, lag(bars.high, 1)) / np.minimum(bars.low, lag(bars.low, 1)))
    scale = 3 - 2 * np.sqrt(2)
    alpha = (np.sqrt(2) - 1) * np.sqrt(beta) / scale - joint / np.sqrt(scale)
    return np.asarray(rolling.mean(np.maximum(2 * np.tanh(alpha / 2), 0), window))


def amihud_ratio(bars: Segment, fast: int, slow: int) -> Array:
    """Mean absolute log return a unit of traded value: a short window over a long one; bars without trade left out."""
    traded = bars.volume > 0
    impact = np.divide(bars.absolute_return, bars.value, out=np.zeros_like(bars.value), where=traded)
    impacts, counts = rolling.Windows(impact), rolling.Windows(traded.astype(np.float64))
    return impacts.total(fast) / counts.total(fast) / (impacts.total(slow) / counts.total(slow))


def return_volume_correlation(bars: Segment, window: int) -> Array:
    """Correlation of one-bar log return and volume."""
    return bars.returns.correlation(bars.rolling(bars.volume), window)


def size_volume_correlation(bars: Segment, window: int) -> Array:
    """Correlation of the size of the one-bar log return and volume."""
    return bars.sizes.correlation(bars.rolling(bars.volume), window)


def unchanged_share(bars: Segment, window: int) -> Array:
    """Share of bars whose close equals the close before."""
    return np.asarray(rolling.mean((bars.change == 0).astype(np.float64), window))
