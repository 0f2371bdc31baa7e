"""Statistics of the window: place, shape and memory."""

import math

import numpy as np

from nightfold.features.lazy import formula, pattern, spaced
from nightfold.features.segment import Array, Segment, log, shared


@shared
def z_score(bars: Segment, window: int) -> Array:
    """Close less its mean, in population standard deviations."""
    return bars.rolling(bars.close).z_score(window)


def percentile_rank(bars: Segment, window: int) -> Array:
    """Share of the window's other closes below the close, ties counted half."""
    return bars.rolling(bars.close).unless_flat(window, pattern.percentile_rank(bars.close, window))


def skew(bars: Segment, window: int) -> Array:
    """Skewness of one-bar log returns, population."""
    return bars.returns.skewness(window)


def kurtosis(bars: Segment, window: int) -> Array:
    """Excess kurtosis of one-bar log returns, population."""
    return bars.returns.kurtosis(window)


def autocorrelation(bars: Segment, window: int, lags: int) -> Array:
    """Correlation of one-bar log returns with those ``lags`` bars before."""
    return bars.returns.autocorrelation(window, lags)


def absolute_autocorrelation(bars: Segment, window: int, lags: int) -> Array:
    """Correlation of the size of one-bar log returns with that ``lags`` bars before."""
    return bars.sizes.autocorrelation(window, lags)


@shared
def _spaced_variance(bars: Segment, spacing: int, window: int) -> Array:
    """Variance of the log returns over ``spacing`` bars that lie within the window."""
    if spacing == 1:
        return bars.returns.variance(window)
    return spaced.spaced_variance(bars.log_level, spacing, window)


def variance_ratio(bars: Segment, window: int, bars_together: int) -> Array:
    """Variance of log returns over several bars, over that many times the variance over one."""
    single, together = _spaced_variance(bars, 1, window), _spaced_variance(bars, bars_together, window)
    return formula.ratio(together, single, 1 / bars_together)


def hurst(bars: Segment, window: int) -> Array:
    """Slope of log deviation on log scale, for log returns over 1, 2, 4, 8, 16 and 32 bars."""
    v1, v2, v4, v8, v16, v32 = (_spaced_variance(bars, scale, window) for scale in (1, 2, 4, 8, 16, 32))
    # The logs of the scales lie 5, 3 and 1 halves of ln 2 from their middle, which makes 35 / 2 ln 2 squared together.
    return log(formula.powers(v32, v1, v16, v2, v8, v4)) / (70 * math.log(2))


def permutation_entropy(bars: Segment, window: int) -> Array:
    """Entropy of the orders in which three neighbouring closes stand, 0 to 1."""
    return bars.rolling(bars.close).unless_flat(window, pattern.permutation_entropy(bars.close, window))


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
    return np.asarray(pattern.weighted_total(bars.log_level, weights))
