"""Price action: the shape of the bar and of the few before it."""

import numpy as np

from nightfold.features.lazy import formula, pattern, rolling
from nightfold.features.segment import Array, Segment


def price_in_range(bars: Segment) -> Array:
    """Where the close stands in its bar: 0 at the low, 1 at the high."""
    return formula.place(bars.close, bars.low, bars.high, 1.0)


def body_in_range(bars: Segment) -> Array:
    """Body over range, -1 to 1."""
    return formula.distance(bars.close, bars.open, bars.range, 1.0)


def upper_wick(bars: Segment) -> Array:
    """Part of the range above the body, 0 to 1."""
    return bars.upper_wick / bars.range


def lower_wick(bars: Segment) -> Array:
    """Part of the range below the body, 0 to 1."""
    return bars.lower_wick / bars.range


def wick_balance(bars: Segment, window: int) -> Array:
    """Upper less lower wicks over ranges, each summed; -1 to 1."""
    balance = rolling.total(bars.upper_wick - bars.lower_wick, window)
    return balance / bars.rolling(bars.range).total(window)


def gap(bars: Segment) -> Array:
    """Log of the open over the close before."""
    return bars.gap


def bar_range(bars: Segment) -> Array:
    """Log of high over low."""
    return bars.log_range


def streak(bars: Segment, limit: int) -> Array:
    """Count closes in one direction in a row, with sign, within ``limit``."""
    return np.asarray(pattern.streak(bars.change, limit))


def engulfing(bars: Segment) -> Array:
    """Engulfing pattern: 1 bullish, -1 bearish, 0 none; 0.8 where one end of the bodies is equal."""
    return np.asarray(pattern.engulfing(bars.open, bars.close))
