"""Oscillators: where the close stands between bounds that the window sets."""

import numpy as np

from nightfold.features.lazy import formula, one_pass, pattern, rolling
from nightfold.features.segment import Array, Segment, shared


def rsi(bars: Segment, window: int, *, lookback: int) -> Array:
    """Wilder's relative strength index, 0 to 100."""
    return one_pass.relative_strength(bars.close, bars.rolling(bars.close).run_lengths, window, lookback - 1)


def stochastic_rsi(bars: Segment, window: int, *, lookback: int) -> Array:
    """Where the RSI stands between its own extremes, 0 to 100."""
    index = rsi(bars, window, lookback=lookback - window + 1)
    low, high = rolling.lowest(index, window), rolling.highest(index, window)
    return formula.place(index, low, high, 100.0)


@shared
def stochastic_k(bars: Segment, window: int, smoothing: int) -> Array:
    """Where the close stands between the extremes, 0 to 100, averaged over a few bars."""
    low, high = bars.rolling(bars.low).lowest(window), bars.rolling(bars.high).highest(window)
    return rolling.mean(formula.place(bars.close, low, high, 100.0), smoothing)


def stochastic_d(bars: Segment, window: int, smoothing: int, signal: int) -> Array:
    """Average of the stochastic %K over a few more bars."""
    return rolling.mean(stochastic_k(bars, window, smoothing), signal)


def williams_r(bars: Segment, window: int) -> Array:
    """Distance of the close from the highest high in parts of the window's range, -100 to 0."""
    low, high = bars.rolling(bars.low).lowest(window), bars.rolling(bars.high).highest(window)
    return formula.place(bars.close, high, low, -100.0)


def cci(bars: Segment, window: int) -> Array:
    """Commodity channel index: distance of the typical price from its mean in mean deviations."""
    middle = bars.rolling(bars.typical).centre(window)
    return formula.distance(bars.typical, middle, pattern.mean_distance(bars.typical, middle, window), 1 / 0.015)


def mfi(bars: Segment, window: int) -> Array:
    """Money flow index: share of traded value in bars with a rising typical price, 0 to 100."""
    rounding = float(4 * np.finfo(np.float64).eps)  # of a mean of three decimal prices
    rising, falling = formula.money_flows(bars.typical, bars.value, rounding)
    return formula.percent(rolling.total(rising, window), rolling.total(falling, window))


def ultimate_oscillator(bars: Segment, fast: int, middle: int, slow: int) -> Array:
    """Buying pressure over true range in three windows, weighted 4, 2, 1; 0 to 100."""
    return one_pass.ultimate(bars.high, bars.low, bars.close, (fast, middle, slow))
