"""Volume: how much trades, and on which side of the price."""

import numpy as np

from nightfold.features.lazy import rolling
from nightfold.features.segment import Array, Segment


def volume_ratio(bars: Segment, window: int) -> Array:
    """Volume over its mean."""
    return bars.volume / bars.rolling(bars.volume).mean(window)


def volume_z_score(bars: Segment, window: int) -> Array:
    """Volume less its mean, in population standard deviations."""
    return bars.rolling(bars.volume).z_score(window)


def volume_trend(bars: Segment, fast: int, slow: int) -> Array:
    """Mean volume of a short window over that of a long one."""
    return bars.rolling(bars.volume).mean(fast) / bars.rolling(bars.volume).mean(slow)


def volume_concentration(bars: Segment, window: int) -> Array:
    """Share of the busiest bar in the window's volume."""
    return bars.rolling(bars.volume).highest(window) / bars.rolling(bars.volume).total(window)


def obv_change(bars: Segment, window: int) -> Array:
    """On-balance volume gained over the window, in parts of the window's volume, -1 to 1."""
    return rolling.total(np.sign(bars.change) * bars.volume, window) / bars.rolling(bars.volume).total(window)


def force(bars: Segment, window: int) -> Array:
    """Mean one-bar log return, weighted by volume."""
    return rolling.total(bars.log_return * bars.volume, window) / bars.rolling(bars.volume).total(window)


def money_flow(bars: Segment, window: int) -> Array:
    """Chaikin money flow: place of the close in its bar, -1 to 1, weighted by volume; bars without range count 0."""
    place = np.where(bars.range > 0, (2 * bars.close - bars.high - bars.low) / bars.range, 0)
    return rolling.total(place * bars.volume, window) / bars.rolling(bars.volume).total(window)


def vwap_distance(bars: Segment, window: int) -> Array:
    """Log of the close over the volume-weighted typical price."""
    return np.log(bars.close * bars.rolling(bars.volume).total(window) / bars.rolling(bars.value).total(window))
