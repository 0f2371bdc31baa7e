"""Volume: how much trades, and on which side of the price."""

import numpy as np

from nightfold.features.lazy import rolling
from nightfold.features.segment import Array, Segment, null_where


def volume_ratio(bars: Segment, window: int) -> Array:
    """Volume over its mean."""
    return bars.volume / rolling.mean(bars.volume, window)


def volume_z_score(bars: Segment, window: int) -> Array:
    """Volume less its mean, in population standard deviations."""
    return z_score_of(bars.volume, window)


def z_score_of(values: Array, window: int) -> Array:
    """Distance from the window's mean in its population standard deviations; NaN where it is flat."""
    score = (values - rolling.mean(values, window)) / np.sqrt(rolling.variance(values, window))
    return null_where(rolling.is_flat(values, window), score)


def volume_trend(bars: Segment, fast: int, slow: int) -> Array:
    """Mean volume of a short window over that of a long one."""
    return rolling.mean(bars.volume, fast) / rolling.mean(bars.volume, slow)


def volume_concentration(bars: Segment, window: int) -> Array:
    """Share of the busiest bar in the window's volume."""
    return rolling.highest(bars.volume, window) / rolling.total(bars.volume, window)


def obv_change(bars: Segment, window: int) -> Array:
    """On-balance volume gained over the window, in parts of the window's volume, -1 to 1."""
    return rolling.total(np.sign(bars.change) * bars.volume, window) / rolling.total(bars.volume, window)


def force(bars: Segment, window: int) -> Array:
    """Mean one-bar log return, weighted by volume."""
    return rolling.total(bars.log_return * bars.volume, window) / rolling.total(bars.volume, window)


def money_flow(bars: Segment, window: int) -> Array:
    """Chaikin money flow: place of the close in its bar, -1 to 1, weighted by volume; bars without range count 0."""
    place = np.where(bars.range > 0, (2 * bars.close - bars.high - bars.low) / bars.range, 0)
    return rolling.total(place * bars.volume, window) / rolling.total(bars.volume, window)


def vwap_distance(bars: Segment, window: int) -> Array:
    """Log of the close over the volume-weighted typical price."""
    return np.log(bars.close * rolling.total(bars.volume, window) / rolling.total(bars.value, window))
