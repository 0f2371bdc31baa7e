"""Volume: how much trades, and on which side of the price."""

from nightfold.features.lazy import formula, rolling
from nightfold.features.segment import Array, Segment, log


def volume_ratio(bars: Segment, window: int) -> Array:
    """Volume over its mean."""
    return formula.ratio(bars.volume, bars.volumes.total(window), float(window))


def volume_z_score(bars: Segment, window: int) -> Array:
    """Volume less its mean, in population standard deviations."""
    return bars.volumes.z_score(window)


def volume_trend(bars: Segment, fast: int, slow: int) -> Array:
    """Mean volume of a short window over that of a long one."""
    volumes = bars.volumes
    return formula.ratio(volumes.total(fast), volumes.total(slow), slow / fast)


def volume_concentration(bars: Segment, window: int) -> Array:
    """Share of the busiest bar in the window's volume."""
    return bars.volumes.highest(window) / bars.volumes.total(window)


def obv_change(bars: Segment, window: int) -> Array:
    """On-balance volume gained over the window, in parts of the window's volume, -1 to 1."""
    return rolling.total(formula.signed(bars.volume, bars.change), window) / bars.volumes.total(window)


def force(bars: Segment, window: int) -> Array:
    """Mean one-bar log return, weighted by volume."""
    return rolling.total(bars.log_return * bars.volume, window) / bars.volumes.total(window)


def money_flow(bars: Segment, window: int) -> Array:
    """Chaikin money flow: place of the close in its bar, -1 to 1, weighted by volume; bars without range count 0."""
    placed = formula.close_in_range(bars.high, bars.low, bars.close, bars.volume)
    return rolling.total(placed, window) / bars.volumes.total(window)


def vwap_distance(bars: Segment, window: int) -> Array:
    """Log of the close over the volume-weighted typical price."""
    return log(bars.close * bars.volumes.total(window) / bars.rolling(bars.value).total(window))
