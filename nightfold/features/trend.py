"""Trend: distance from averages, and how straight the way has been."""

import numpy as np

from nightfold.features.lazy import finite, formula, one_pass, pattern, recursive, rolling
from nightfold.features.segment import Array, Segment, difference, log, shared


def sma_distance(bars: Segment, window: int) -> Array:
    """Log of the close over its mean."""
    return log(bars.close / bars.rolling(bars.close).mean(window))


def ema_distance(bars: Segment, window: int, *, lookback: int) -> Array:
    """Log of the close over its exponential average."""
    return log(bars.close / recursive.exponential(bars.close, window, lookback))


def kama_distance(bars: Segment, window: int, *, lookback: int) -> Array:
    """Log of the close over Kaufman's adaptive average."""
    return log(bars.close / recursive.adaptive(bars.close, window, lookback))


@shared
def _convergence(bars: Segment, fast: int, slow: int, signal: int, lookback: int) -> tuple[Array, Array]:
    return recursive.convergence(bars.close, fast, slow, signal, lookback)


def macd(bars: Segment, fast: int, slow: int, *, lookback: int) -> Array:
    """Fast less slow exponential average, over the close."""
    return _convergence(bars, fast, slow, 9, lookback)[0] / bars.close


def macd_histogram(bars: Segment, fast: int, slow: int, signal: int, *, lookback: int) -> Array:
    """MACD line less its own exponential average, over the close."""
    return _convergence(bars, fast, slow, signal, lookback)[1] / bars.close


@shared
def _directional(bars: Segment, window: int, memory: int) -> tuple[Array, Array]:
    """Plus and minus directional indicator, each 0 to 100."""
    plus, minus = formula.directional_movement(bars.high, bars.low)
    movement = recursive.wilder(bars.true_range, window, memory)
    return (
        formula.ratio(recursive.wilder(plus, window, memory), movement, 100.0),
        formula.ratio(recursive.wilder(minus, window, memory), movement, 100.0),
    )


def plus_di(bars: Segment, window: int, *, lookback: int) -> Array:
    """Upward directional movement over true range, both in Wilder's average."""
    return _directional(bars, window, lookback - 1)[0]


def minus_di(bars: Segment, window: int, *, lookback: int) -> Array:
    """Downward directional movement over true range, both in Wilder's average."""
    return _directional(bars, window, lookback - 1)[1]


def adx(bars: Segment, window: int, *, lookback: int) -> Array:
    """Wilder's average of the directional index; half the lookback is for the movement, half for the average."""
    memory = lookback // 2
    plus, minus = _directional(bars, window, lookback - 1 - memory)
    return recursive.wilder(formula.imbalance(plus, minus), window, memory)


def aroon_oscillator(bars: Segment, window: int) -> Array:
    """Bars since the lowest low less bars since the highest high, in parts of the window, -100 to 100."""
    return one_pass.aroon(bars.high, bars.low, window)


def parabolic_distance(bars: Segment, percent: int, most: int, *, lookback: int) -> Array:
    """Log of the close over the parabolic stop in force, under the close in a rising and over it in a falling trend."""
    return log(bars.close / finite.parabolic_stop(bars.high, bars.low, percent / 100, most / 100, lookback))


def vortex(bars: Segment, window: int) -> Array:
    """Upward less downward vortex movement over true range."""
    movement = formula.vortex_movement(bars.high, bars.low)
    return rolling.total(movement, window) / bars.rolling(bars.true_range).total(window)


def efficiency_ratio(bars: Segment, window: int) -> Array:
    """Change of the close over the way it went, -1 to 1."""
    return difference(bars.close, window) / rolling.total(np.abs(bars.change), window)


@shared
def trend_slope(bars: Segment, window: int) -> Array:
    """Slope of the least-squares line through the log closes, a bar."""
    place = (window - 1) / 2 - np.arange(window)  # newest first, about the middle of the window
    return np.asarray(pattern.weighted_total(bars.log_level, place / (place @ place)))


def trend_fit(bars: Segment, window: int) -> Array:
    """Share of the variance of log closes on their least-squares line, with the slope's sign; -1 to 1."""
    slope = trend_slope(bars, window)
    steps = (window * window - 1) / 12  # variance of the numbers 1 ... window
    return formula.trend_fit(slope, bars.rolling(bars.log_level).variance(window), steps)
