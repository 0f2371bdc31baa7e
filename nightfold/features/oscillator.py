"""Oscillators: where the close stands between bounds that the window sets."""

import numpy as np

from nightfold.features.lazy import pattern, recursive, rolling
from nightfold.features.segment import Array, Segment, null_where


def rsi(bars: Segment, window: int, *, lookback: int) -> Array:
    """Wilder's relative strength index, 0 to 100."""
    gain = recursive.wilder(bars.gain, window, lookback - 1)
    loss = recursive.wilder(bars.loss, window, lookback - 1)
    return null_where(bars.rolling(bars.close).is_flat(window + 1), 100 * gain / (gain + loss))


def stochastic_rsi(bars: Segment, window: int, *, lookback: int) -> Array:
    """Where the RSI stands between its own extremes, 0 to 100."""
    index = rsi(bars, window, lookback=lookback - window + 1)
    low, high = rolling.lowest(index, window), rolling.highest(index, window)
    return 100 * (index - low) / (high - low)


def stochastic_k(bars: Segment, window: int, smoothing: int) -> Array:
    """Where the close stands between the extremes, 0 to 100, averaged over a few bars."""
    low, high = bars.rolling(bars.low).lowest(window), bars.rolling(bars.high).highest(window)
    return rolling.mean(100 * (bars.close - low) / (high - low), smoothing)


def stochastic_d(bars: Segment, window: int, smoothing: int, signal: int) -> Array:
    """Average of the stochastic %K over a few more bars."""
    return rolling.mean(stochastic_k(bars, window, smoothing), signal)


def williams_r(bars: Segment, window: int) -> Array:
    """Distance of the close from the highest high in parts of the window's range, -100 to 0."""
    low, high = bars.rolling(bars.low).lowest(window), bars.rolling(bars.high).highest(window)
    return -100 * (high - bars.close) / (high - low)


def cci(bars: Segment, window: int) -> Array:
    """Commodity channel index: distance of the typical price from its mean in mean deviations."""
    mean = bars.rolling(bars.typical).mean(window)
    distance = pattern.mean_distance(bars.typical, mean, window)
    return null_where(bars.rolling(bars.typical).is_flat(window), (bars.typical - mean) / (0.015 * distance))


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
    pressures, ranges = rolling.Windows(pressure), bars.rolling(bars.true_range)
    weighted = sum(
        weight * pressures.total(window) / ranges.total(window) for weight, window in ((4, fast), (2, middle), (1, slow))
    )
    return np.asarray(100 * weighted / 7)
