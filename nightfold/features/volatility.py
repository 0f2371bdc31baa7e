"""Volatility: how much prices move, seen through closes, ranges, bands and channels."""

import math

import numpy as np

from nightfold.features.lazy import recursive, rolling
from nightfold.features.segment import Array, Segment, lag, null_where


def volatility(bars: Segment, window: int) -> Array:
    """Sample standard deviation of one-bar log returns."""
    return np.asarray(rolling.deviation(bars.log_return, window))


def parkinson(bars: Segment, window: int) -> Array:
    """Volatility a bar from high and low."""
    return np.sqrt(rolling.mean(bars.log_range * bars.log_range, window) / (4 * math.log(2)))


def garman_klass(bars: Segment, window: int) -> Array:
    """Volatility a bar from open, high, low and close, for a market without drift."""
    body = np.log(bars.close / bars.open)
    return np.sqrt(rolling.mean(bars.log_range**2 / 2 - (2 * math.log(2) - 1) * body**2, window))


def _rogers_satchell_variance(bars: Segment) -> Array:
    above = np.log(bars.high / bars.close) * np.log(bars.high / bars.open)
    below = np.log(bars.low / bars.close) * np.log(bars.low / bars.open)
    return np.asarray(above + below)


def rogers_satchell(bars: Segment, window: int) -> Array:
    """Volatility a bar from open, high, low and close, whatever the drift."""
    return np.sqrt(rolling.mean(_rogers_satchell_variance(bars), window))


def yang_zhang(bars: Segment, window: int) -> Array:
    """Volatility a bar from gaps, bodies and Rogers-Satchell, weighted for the least variance."""
    sample = window / (window - 1)
    gap = rolling.variance(np.log(bars.open / bars.previous_close), window) * sample
    body = rolling.variance(np.log(bars.close / bars.open), window) * sample
    weight = 0.34 / (1.34 + (window + 1) / (window - 1))
    return np.sqrt(gap + weight * body + (1 - weight) * rolling.mean(_rogers_satchell_variance(bars), window))


def semi_deviation(bars: Segment, window: int) -> Array:
    """Root mean square of the falling one-bar log returns, rising ones counted as 0."""
    return np.sqrt(rolling.mean(np.minimum(bars.log_return, 0) ** 2, window))


def downside_share(bars: Segment, window: int) -> Array:
    """Share of falling bars in the sum of squared returns."""
    return rolling.total(np.minimum(bars.log_return, 0) ** 2, window) / rolling.total(bars.squared_return, window)


def volatility_of_volatility(bars: Segment, window: int) -> Array:
    """Deviation of volatility over its mean."""
    level = bars.once(volatility, window)
    return rolling.deviation(level, window) / rolling.mean(level, window)


def volatility_ratio(bars: Segment, fast: int, slow: int) -> Array:
    """Volatility of a short window over that of a long one."""
    return bars.once(volatility, fast) / bars.once(volatility, slow)


def jump_share(bars: Segment, window: int) -> Array:
    """Share of the variance that jumps make: one less bipower over squared variation, not under 0."""
    size = np.abs(bars.log_return)
    bipower = rolling.total(size * lag(size, 1), window - 1) * (np.pi / 2 * window / (window - 1))
    return np.maximum(1 - bipower / rolling.total(bars.squared_return, window), 0)


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
    spread = 4 * np.sqrt(rolling.variance(bars.close, window))
    position = 0.5 + (bars.close - rolling.mean(bars.close, window)) / spread
    return null_where(rolling.is_flat(bars.close, window), position)


def bollinger_width(bars: Segment, window: int) -> Array:
    """Distance of the Bollinger bands over their mean."""
    return 4 * np.sqrt(rolling.variance(bars.close, window)) / rolling.mean(bars.close, window)


def donchian_position(bars: Segment, window: int) -> Array:
    """Where the close stands between the lowest low and the highest high, 0 to 1."""
    low, high = rolling.lowest(bars.low, window), rolling.highest(bars.high, window)
    return (bars.close - low) / (high - low)


def choppiness(bars: Segment, window: int) -> Array:
    """Log of summed true ranges over the window's range, 1 where the way led nowhere."""
    reach = rolling.highest(bars.high, window) - rolling.lowest(bars.low, window)
    return np.log(rolling.total(bars.true_range, window) / reach) / math.log(window)
