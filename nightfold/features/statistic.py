"""Statistics of the window: place, shape and memory."""

import numpy as np

from nightfold.features.lazy import pattern, rolling
from nightfold.features.segment import Array, Segment, lag, null_where
from nightfold.features.volume import z_score_of

_HURST_SCALES = (1, 2, 4, 8, 16, 32)


def z_score(bars: Segment, window: int) -> Array:
    """Close less its mean, in population standard deviations."""
    return z_score_of(bars.close, window)


def percentile_rank(bars: Segment, window: int) -> Array:
    """Share of the window's other closes below the close, ties counted half."""
    return null_where(rolling.is_flat(bars.close, window), pattern.percentile_rank(bars.close, window))


def _moments(bars: Segment, window: int) -> tuple[Array, Array, Array]:
    return rolling.moments(bars.log_return, window)


def skew(bars: Segment, window: int) -> Array:
    """Skewness of one-bar log returns, population."""
    m2, m3, _ = bars.once(_moments, window)
    return null_where(rolling.is_flat(bars.log_return, window), m3 / m2**1.5)


def kurtosis(bars: Segment, window: int) -> Array:
    """Excess kurtosis of one-bar log returns, population."""
    m2, _, m4 = bars.once(_moments, window)
    return null_where(rolling.is_flat(bars.log_return, window), m4 / m2**2 - 3)


def autocorrelation(bars: Segment, window: int, lags: int) -> Array:
    """Correlation of one-bar log returns with those ``lags`` bars before."""
    return np.asarray(rolling.correlation(bars.log_return, lag(bars.log_return, lags), window))


def absolute_autocorrelation(bars: Segment, window: int, lags: int) -> Array:
    """Correlation of the size of one-bar log returns with that ``lags`` bars before."""
    size = np.abs(bars.log_return)
    return np.asarray(rolling.correlation(size, lag(size, lags), window))


def variance_ratio(bars: Segment, window: int, bars_together: int) -> Array:
    """Variance of log returns over several bars, over that many times the variance over one."""
    together = rolling.variance(bars.log_level - lag(bars.log_level, bars_together), window - bars_together + 1)
    ratio = together / (bars_together * rolling.variance(bars.log_return, window))
    return null_where(rolling.is_flat(bars.log_return, window), ratio)


def hurst(bars: Segment, window: int) -> Array:
    """Slope of log deviation on log scale, for log returns over 1, 2, 4, 8, 16 and 32 bars."""
    scales = np.log(_HURST_SCALES)
    weights = (scales - scales.mean()) / np.sum((scales - scales.mean()) ** 2)
    slope = np.zeros(len(bars.close))
    for weight, scale in zip(weights, _HURST_SCALES, strict=True):
        variance = rolling.variance(bars.log_level - lag(bars.log_level, scale), window - scale + 1)
        slope += weight * np.log(variance) / 2
    return null_where(rolling.is_flat(bars.log_return, window), slope)


def permutation_entropy(bars: Segment, window: int) -> Array:
    """Entropy of the orders in which three neighbouring closes stand, 0 to 1."""
    return null_where(rolling.is_flat(bars.close, window), pattern.permutation_entropy(bars.close, window))


def fractional_weights(order: float, window: int) -> Array:
    """Weights of fractional differencing, newest first.

    Examples
    --------
    >>> fractional_weights(0.4, 3).round(2).tolist()
    [1.0, -0.4, -0.12]
    """
    k = np.arange(1, window)
    return np.concatenate(([1.0], np.cumprod((k - 1 - order) / k)))


def fractional_difference(bars: Segment, percent: int, window: int) -> Array:
    """Fractional difference of the log close over the oldest close of the window."""
    weights = fractional_weights(percent / 100, window)
    weights[-1] -= weights.sum()  # the oldest log close is subtracted from each, itself included
    result = np.full(len(bars.close), np.nan)
    result[window - 1 :] = np.convolve(bars.log_level, weights, mode="valid")
    return result
