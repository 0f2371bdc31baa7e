"""Volatility: how much prices move, seen through closes, ranges, bands and channels."""

import math

import numpy as np

from nightfold.features.lazy import recursive, rolling
from nightfold.features.segment import Array, Segment, lag


def volatility(bars: Segment, window: int) -> Array:
    """Sample standard deviation of one-bar log returns."""
    return bars.returns.deviation(window)


def parkinson(bars: Segment, window: int) -> Array:
    """Volatility a bar from high and low."""
    return np.sqrt(bars.rolling(bars.squared_log_range).mean(window) / (4 * math.log(2)))


def garman_klass(bars: Segment, window: int) -> Array:
    """Volatility a bar from open, high, low and close, for a market without drift."""
    variance = bars.squared_log_range / 2 - (2 * math.log(2) - 1) * bars.body * bars.body
    return np.sqrt(rolling.mean(variance, window))


def _rogers_satchell_variance(bars: Segment) -> Array:
    above, below = np.log(bars.high / bars.open), np.log(bars.low / bars.open)
    return np.asarray(above * (above - bars.body) + below * (below - bars.body))


def rogers_satchell(bars: Segment, window: int) -> Array:
    """Volatility a bar from open, high, low and close, whatever the drift."""
    return np.sqrt(bars.rolling(bars.once(_rogers_satchell_variance)).mean(window))


def yang_zhang(bars: Segment, window: int) -> Array:
    """Volatility a bar from gaps, bodies and Rogers-Satchell, weighted for the least variance."""
    sample = window / (window - 1)
    gap = rolling.AboutZero(np.log(bars.open / bars.previous_close)).variance(window) * sample
    body = rolling.AboutZero(bars.body).variance(window) * sample
    within = bars.rolling(bars.once(_rogers_satchell_variance)).mean(window)
    weight = 0.34 / (1.34 + (window + 1) / (window - 1))
    return np.sqrt(gap + weight * body + (1 - weight) * within)


def _squared_fall(bars: Segment) -> Array:
    return np.minimum(bars.log_return, 0) ** 2


def semi_deviation(bars: Segment, window: int) -> Array:
    """Root mean square of the falling one-bar log returns, rising ones counted as 0."""
    return np.sqrt(bars.rolling(bars.once(_squared_fall)).mean(window))


def downside_share(bars: Segment, window: int) -> Array:
    """Share of falling bars in the sum of squared returns."""
    return bars.rolling(bars.once(_squared_fall)).total(window) / bars.rolling(bars.squared_return).total(window)


def volatility_of_volatility(bars: Segment, window: int) -> Array:
    """Deviation of volatility over its mean."""
    level = bars.once(volatility, window)
    return bars.rolling(level).deviation(window) / bars.rolling(level).mean(window)


def volatility_ratio(bars: Segment, fast: int, slow: int) -> Array:
    """Volatility of a short window over that of a long one."""
    return bars.once(volatility, fast) / bars.once(volatility, slow)


def jump_share(bars: Segment, window: int) -> Array:
    """Share of the variance that jumps make: one less bipower over squared variation, not under 0."""
    size = bars.absolute_return
    bipower = rolling.total(size * lag(size, 1), window - 1) * (np.pi / 2 * window / (window - 1))
    return np.maximum(1 - bipower / bars.rolling(bars.squared_return).total(window), 0)


def average_true_range(bars: Segment, window: int, lookback: int) -> Array:
    """Average true range of Wilder, in quote currency."""
    return np.asarray(recursive.wilder(bars.true_range, window, lookback - 1))


def atr(bars: Segment, window: int, *, lookback: int) -> Array:
    """Wilder's average true range over the close."""
    return bars.once(average_true_range, window, lookback) / bars.close


def true_range_ratio(bars: Segment, window: int, *, lookback: int) -> Array:
    """Range of the bar, true, over its Wilder average."""
    return bars.true_range / bars.once(average_true_range, window, lookback)


def keltner_position(bars: Segment, window: int, range_window: int, *, lookback: int) -> Array:
    """Close less its exponential average, in average true ranges."""
    average = recursive.exponential(bars.close, window, lookback)
    return (bars.close - average) / bars.once(average_true_range, range_window, lookback)


def bollinger_position(bars: Segment, window: int) -> Array:
    """%B: 0 at the lower and 1 at the upper band, two population deviations from the mean."""
    return 0.5 + bars.rolling(bars.close).z_score(window) / 4


def bollinger_width(bars: Segment, window: int) -> Array:
    """Distance of the Bollinger bands over their mean."""
    return 4 * np.sqrt(bars.rolling(bars.close).variance(window)) / bars.rolling(bars.close).mean(window)


def donchian_position(bars: Segment, window: int) -> Array:
    """Where the close stands between the lowest low and the highest high, 0 to 1."""
    low, high = bars.rolling(bars.low).lowest(window), bars.rolling(bars.high).highest(window)
    return (bars.close - low) / (high - low)


def choppiness(bars: Segment, window: int) -> Array:
    """Log of summed true ranges over the window's range, 1 where the way led nowhere."""
    reach = bars.rolling(bars.high).highest(window) - bars.rolling(bars.low).lowest(window)
    return np.log(bars.rolling(bars.true_range).total(window) / reach) / math.log(window)
