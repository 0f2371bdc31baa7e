"""Returns and momentum: how far the close has come."""

import math

from nightfold.features.lazy import formula, rolling
from nightfold.features.segment import Array, Segment, difference, growth, log, shared
from nightfold.features.volatility import volatility


@shared
def log_return(bars: Segment, window: int) -> Array:
    """Log of the close over the close ``window`` bars ago."""
    return bars.log_return if window == 1 else log(growth(bars.close, window))


def momentum(bars: Segment, window: int) -> Array:
    """Relative change of the close."""
    return growth(bars.close, window) - 1


def standardized_return(bars: Segment, window: int) -> Array:
    """Log return in units of what the window's own volatility would make of a random walk."""
    return formula.ratio(log_return(bars, window), volatility(bars, window), 1 / math.sqrt(window))


def momentum_change(bars: Segment, window: int) -> Array:
    """Log return less the log return of the window before."""
    return difference(log_return(bars, window), window)


def positive_share(bars: Segment, window: int) -> Array:
    """Share of bars that closed higher than the bar before."""
    share = rolling.mean(formula.is_above(bars.change), window)
    return bars.rolling(bars.close).unless_flat(window + 1, share)
