"""Cross-asset: the symbol beside the one that leads, and its share of what trades in all."""

import numpy as np

from nightfold.features.lazy import rolling
from nightfold.features.segment import Array, Segment, lag, null_where, shared


@shared
def _leader_return(bars: Segment) -> Array:
    """One-bar log return of the leader, where it has both bars."""
    close = bars.more["leader_close"]
    return np.asarray(np.log(close / lag(close, 1)))


def leader_beta(bars: Segment, window: int) -> Array:
    """Slope of one-bar log returns on those of the leader; 1 for the leader itself."""
    leader = _leader_return(bars)
    leading, _, together = rolling.comoment(leader, bars.log_return, window)
    return null_where(rolling.is_flat(leader, window), together / leading)


def leader_correlation(bars: Segment, window: int) -> Array:
    """Correlation of one-bar log returns with those of the leader."""
    return np.asarray(rolling.correlation(bars.log_return, _leader_return(bars), window))


def relative_strength(bars: Segment, window: int) -> Array:
    """Log return less the leader's; 0 for the leader itself."""
    return np.asarray(rolling.total(bars.log_return - _leader_return(bars), window))


def lead_lag(bars: Segment, window: int, lags: int) -> Array:
    """How much better the leader's past goes with the symbol's present than the other way round; 0 for the leader."""
    own, leader = bars.log_return, _leader_return(bars)
    follows = rolling.correlation(own, lag(leader, lags), window)
    return np.asarray(follows - rolling.correlation(leader, lag(own, lags), window))


def dominance(bars: Segment, window: int) -> Array:
    """Share of the symbol in the value that all symbols traded, 0 to 1."""
    return bars.rolling(bars.value).total(window) / rolling.total(bars.more["market_value"], window)
