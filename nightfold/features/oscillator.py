"""Oscillators: where the close stands between bounds that the window sets."""

import numpy as np

from nightfold.features.lazy import pattern, recursive, rolling
from nightfold.features.segment import Array, Segment, lag, null_where


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
    return rolling.mean(bars.once(stochastic_k, window, smoothing), signal)


def williams_r(bars: Segment, window: int) -> Array:
    """Distance of the close from the highest high in parts of the window's range, -100 to 0."""
    low, high = bars.rolling(bars.low).lowest(window), bars.rolling(bars.high).highest(window)
    return -100 * (high - bars.close) / (high - low)


def cci(bars: Segment, window: int) -> Array:
    """Commodity channel index: distance of the typical price from its mean in mean deviations."""
    middle = bars.rolling(bars.typical).centre(window)
    return (bars.typical - middle) / (0.015 * pattern.mean_distance(bars.typical, middle, window))


def mfi(bars: Segment, window: int) -> Array:
    """Money flow index: share of traded value in bars with a rising typical price, 0 to 100."""
    change = bars.typical - lag(bars.typical, 1)
    rounding = 4 * np.finfo(np.float64).eps * bars.typical  # of a mean of three decimal prices
    rising = rolling.total(bars.value * (change > rounding), window)
    falling = rolling.total(bars.value * (change < -rounding), window)
    return 100 * rising / (rising + falling)


def ultimate_oscillator(bars: Segment, fast: int, middle: int, slow: int) -> Array:
    """Buying pressure over true range in three windows, weighted 4, 2, 1; 0 to 100."""
    pressure = bars.close - np.minimum(bars.low, bars.previous_close)
    pressures, ranges = rolling.Windows(pressure), bars.rolling(bars.true_range)
    shares = [pressures.total(window) / ranges.total(window) for window in (fast, middle, slow)]
    weighted = 4 * shares[0] + 2 * shares[1] + shares[2]
    return np.asarray(100 * weighted / 7)
