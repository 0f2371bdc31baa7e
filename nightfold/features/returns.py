"""Returns and momentum: how far the close has come."""

import numpy as np

from nightfold.features.lazy import rolling
from nightfold.features.segment import Array, Segment, lag, null_where


def log_return(bars: Segment, window: int) -> Array:
    """Log of the close over the close ``window`` bars ago."""
    return bars.log_return if window == 1 else np.log(bars.close / lag(bars.close, window))


def momentum(bars: Segment, window: int) -> Array:
    """Relative change of the close."""
    return bars.close / lag(bars.close, window) - 1


def standardized_return(bars: Segment, window: int) -> Array:
    """Log return in units of what the window's own volatility would make of a random walk."""
    return np.asarray(bars.once(log_return, window) / (bars.returns.deviation(window) * np.sqrt(window)))


def momentum_change(bars: Segment, window: int) -> Array:
    """Log return less the log return of the window before."""
    latest = bars.once(log_return, window)
    return latest - lag(latest, window)


def positive_share(bars: Segment, window: int) -> Array:
    """Share of bars that closed higher than the bar before."""
    share = rolling.mean((bars.change > 0).astype(np.float64), window)
    return null_where(bars.rolling(bars.close).is_flat(window + 1), share)
