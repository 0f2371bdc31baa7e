"""Oscillators: where the close stands between bounds that the window sets."""

import numpy as np

from nightfold.features.lazy import recursive, rolling, talib
from nightfold.features.segment import Array, Segment, null_where


def rsi(bars: Segment, window: int, *, lookback: int) -> Array:
    """Wilder's relative strength index, 0 to 100."""
    gain = recursive.wilder(np.maximum(bars.change, 0), window, lookback - 1)
    loss = recursive.wilder(np.maximum(-bars.change, 0), window, lookback - 1)
    return null_where(rolling.is_flat(bars.close, window + 1), 100 * gain / (gain + loss))


def stochastic_rsi(bars: Segment, window: int, *, lookback: int) -> Array:
    """Where the RSI stands between its own extremes, 0 to 100."""
    index = rsi(bars, window, lookback=lookback - window + 1)
    low, high = rolling.lowest(index, window), rolling.highest(index, window)
    return 100 * (index - low) / (high - low)


def stochastic_k(bars: Segment, window: int, smoothing: int) -> Array:
    """Where the close stands between the extremes, 0 to 100, averaged over a few bars."""
    low, high = rolling.lowest(bars.low, window), rolling.highest(bars.high, window)
    return rolling.mean(100 * (bars.close - low) / (high - low), smoothing)


def stochastic_d(bars: Segment, window: int, smoothing: int, signal: int) -> Array:
    """Average of the stochastic %K over a few more bars."""
    return rolling.mean(stochastic_k(bars, window, smoothing), signal)


def williams_r(bars: Segment, window: int) -> Array:
    """Distance of the close from the highest high in parts of the window's range, -100 to 0."""
    still = rolling.is_flat(bars.high, window) & rolling.is_flat(bars.low, window) & (bars.high == bars.low)
    return null_where(still, talib.WILLR(bars.high, bars.low, bars.close, window))


def cci(bars: Segment, window: int) -> Array:
    """Commodity channel index: distance of the typical price from its mean in mean deviations."""
    index = talib.CCI(bars.high, bars.low, bars.close, window)
    return null_where(rolling.is_flat(bars.typical, window), index)


def mfi(bars: Segment, window: int) -> Array:
    """Money flow index: share of traded value in bars with a rising typical price, 0 to 100."""
    change = np.diff(bars.typical, prepend=np.nan)
    # A mean of three decimal prices is rounded; as far as that goes, equal means are equal.
    change = np.where(np.abs(change) <= 4 * np.finfo(np.float64).eps * bars.typical, 0, change)
    rising = rolling.total(np.where(change > 0, bars.value, 0), window)
    falling = rolling.total(np.where(change < 0, bars.value, 0), window)
    return 100 * rising / (rising + falling)


def ultimate_oscillator(bars: Segment, fast: int, middle: int, slow: int) -> Array:
    """Buying pressure over true range in three windows, weighted 4, 2, 1; 0 to 100."""
    pressure = bars.close - np.minimum(bars.low, bars.previous_close)
    weighted = np.zeros(len(pressure))
    for weight, window in ((4, fast), (2, middle), (1, slow)):
        weighted += weight * rolling.total(pressure, window) / rolling.total(bars.true_range, window)
    return 100 * weighted / 7
