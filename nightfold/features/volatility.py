"""Volatility: how much prices move, seen through closes, ranges, bands and channels."""

import math

import numpy as np

from nightfold.features.lazy import about_zero, formula, recursive, rolling
from nightfold.features.segment import Array, Segment, log, shared
from nightfold.features.statistic import z_score


@shared
def volatility(bars: Segment, window: int) -> Array:
    """Sample standard deviation of one-bar log returns."""
    return bars.returns.deviation(window)


def parkinson(bars: Segment, window: int) -> Array:
    """Volatility a bar from high and low."""
    return formula.root(bars.rolling(bars.squared_log_range).total(window), 1 / (4 * math.log(2) * window))


def garman_klass(bars: Segment, window: int) -> Array:
    """Volatility a bar from open, high, low and close, for a market without drift."""
    variance = formula.garman_klass(bars.squared_log_range, bars.body)
    return formula.root(rolling.total(variance, window), 1 / window)


@shared
def _rogers_satchell_variance(bars: Segment) -> Array:
    return formula.rogers_satchell(log(bars.high / bars.open), log(bars.low / bars.open), bars.body)


def rogers_satchell(bars: Segment, window: int) -> Array:
    """Volatility a bar from open, high, low and close, whatever the drift."""
    return formula.root(bars.rolling(_rogers_satchell_variance(bars)).total(window), 1 / window)


def yang_zhang(bars: Segment, window: int) -> Array:
    """Volatility a bar from gaps, bodies and Rogers-Satchell, weighted for the least variance."""
    gap = about_zero.AboutZero(bars.gap).variance(window)
    body = about_zero.AboutZero(bars.body).variance(window)
    within = bars.rolling(_rogers_satchell_variance(bars)).total(window)
    sample, weight = window / (window - 1), 0.34 / (1.34 + (window + 1) / (window - 1))
    return formula.weighted_root(gap, body, within, (sample, weight * sample, (1 - weight) / window))


@shared
def _squared_fall(bars: Segment) -> Array:
    return np.minimum(bars.log_return, 0) ** 2


def semi_deviation(bars: Segment, window: int) -> Array:
    """Root mean square of the falling one-bar log returns, rising ones counted as 0."""
    return formula.root(bars.rolling(_squared_fall(bars)).total(window), 1 / window)


def downside_share(bars: Segment, window: int) -> Array:
    """Share of falling bars in the sum of squared returns."""
    return bars.rolling(_squared_fall(bars)).total(window) / bars.rolling(bars.squared_return).total(window)


def volatility_of_volatility(bars: Segment, window: int) -> Array:
    """Deviation of volatility over its mean."""
    level = volatility(bars, window)
    return bars.rolling(level).deviation(window) / bars.rolling(level).centre(window)


def volatility_ratio(bars: Segment, fast: int, slow: int) -> Array:
    """Volatility of a short window over that of a long one."""
    return volatility(bars, fast) / volatility(bars, slow)


def jump_share(bars: Segment, window: int) -> Array:
    """Share of the variance that jumps make: one less bipower over squared variation, not under 0."""
    bipower, squares = bars.sizes.products(1).total(window - 1), bars.rolling(bars.squared_return).total(window)
    return formula.excess(squares, bipower, math.pi / 2 * window / (window - 1))


@shared
def average_true_range(bars: Segment, window: int, lookback: int) -> Array:
    """Average true range of Wilder, in quote currency."""
    return np.asarray(recursive.wilder(bars.true_range, window, lookback - 1))


def atr(bars: Segment, window: int, *, lookback: int) -> Array:
    """Wilder's average true range over the close."""
    return average_true_range(bars, window, lookback) / bars.close


def true_range_ratio(bars: Segment, window: int, *, lookback: int) -> Array:
    """Range of the bar, true, over its Wilder average."""
    return bars.true_range / average_true_range(bars, window, lookback)


def keltner_position(bars: Segment, window: int, range_window: int, *, lookback: int) -> Array:
    """Close less its exponential average, in average true ranges."""
    average = recursive.exponential(bars.close, window, lookback)
    return formula.distance(bars.close, average, average_true_range(bars, range_window, lookback), 1.0)


def bollinger_position(bars: Segment, window: int) -> Array:
    """%B: 0 at the lower and 1 at the upper band, two population deviations from the mean."""
    return 0.5 + z_score(bars, window) / 4


def bollinger_width(bars: Segment, window: int) -> Array:
    """Distance of the Bollinger bands over their mean."""
    closes = bars.rolling(bars.close)
    return formula.root(closes.variance(window), 16.0) / closes.centre(window)


def donchian_position(bars: Segment, window: int) -> Array:
    """Where the close stands between the lowest low and the highest high, 0 to 1."""
    low, high = bars.rolling(bars.low).lowest(window), bars.rolling(bars.high).highest(window)
    return formula.place(bars.close, low, high, 1.0)


def choppiness(bars: Segment, window: int) -> Array:
    """Log of summed true ranges over the window's range, 1 where the way led nowhere."""
    reach = bars.rolling(bars.high).highest(window) - bars.rolling(bars.low).lowest(window)
    return log(bars.rolling(bars.true_range).total(window) / reach) / math.log(window)
