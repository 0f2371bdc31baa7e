"""Formulas of a bar, each in one pass over the arrays; NumPy takes one for every operation, and they wait for memory.

Rows that a formula has no bar before for are NaN. Divisions by zero are NaN or infinite, as NumPy's.
"""

import numpy as np

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array


@compiled
def ratio(above: Array, below: Array, factor: float) -> Array:
    """One over the other, times a factor."""
    result = np.empty(len(above))
    for i in range(len(above)):
        result[i] = factor * above[i] / below[i]
    return result


@compiled
def growth_of_ratio(above: Array, below: Array, above_before: Array, below_before: Array) -> Array:
    """One ratio over another."""
    result = np.empty(len(above))
    for i in range(len(above)):
        result[i] = above[i] / below[i] / (above_before[i] / below_before[i])
    return result


@compiled
def place(value: Array, low: Array, high: Array, factor: float) -> Array:
    """Where the value stands between 0 at the low and ``factor`` at the high."""
    result = np.empty(len(value))
    for i in range(len(value)):
        result[i] = factor * (value[i] - low[i]) / (high[i] - low[i])
    return result


@compiled
def distance(value: Array, middle: Array, unit: Array, factor: float) -> Array:
    """How many units the value is from the middle, times a factor."""
    result = np.empty(len(value))
    for i in range(len(value)):
        result[i] = factor * (value[i] - middle[i]) / unit[i]
    return result


@compiled
def excess(whole: Array, part: Array, factor: float) -> Array:
    """Share of the whole that a multiple of the part leaves, not under 0."""
    result = np.empty(len(whole))
    for i in range(len(whole)):
        rest = 1 - factor * part[i] / whole[i]
        result[i] = 0.0 if rest < 0 else rest
    return result


@compiled
def powers(a: Array, below_a: Array, b: Array, below_b: Array, c: Array, below_c: Array) -> Array:
    """Multiply the fifth power of one ratio by the third power of another and by a third."""
    result = np.empty(len(a))
    for i in range(len(a)):
        one, other = a[i] / below_a[i], b[i] / below_b[i]
        fourth, second = one * one * (one * one), other * other
        result[i] = fourth * one * (second * other) * (c[i] / below_c[i])
    return result


@compiled
def percent(part: Array, rest: Array) -> Array:
    """Share of the part in both, 0 to 100."""
    result = np.empty(len(part))
    for i in range(len(part)):
        result[i] = 100 * part[i] / (part[i] + rest[i])
    return result


@compiled
def imbalance(one: Array, other: Array) -> Array:
    """Difference of two over their sum, without sign, 0 to 100."""
    result = np.empty(len(one))
    for i in range(len(one)):
        result[i] = 100 * abs(one[i] - other[i]) / (one[i] + other[i])
    return result


@compiled
def root(values: Array, share: float) -> Array:
    """Root of a share of the values; faster than NumPy's, which takes two at a time."""
    result = np.empty(len(values))
    for i in range(len(values)):
        result[i] = np.sqrt(values[i] * share)
    return result


@compiled
def is_above(change: Array) -> Array:
    """1 where a change is above 0, else 0, also where there is none."""
    result = np.empty(len(change))
    for i in range(len(change)):
        result[i] = 1.0 if change[i] > 0 else 0.0
    return result


@compiled
def is_zero(change: Array) -> Array:
    """1 where a change is 0, else 0, also where there is none."""
    result = np.empty(len(change))
    for i in range(len(change)):
        result[i] = 1.0 if change[i] == 0 else 0.0
    return result


@compiled
def signed(values: Array, change: Array) -> Array:
    """Give values the sign of a change, 0 without change."""
    result = np.empty(len(values))
    for i in range(len(values)):
        moved = change[i]
        result[i] = values[i] if moved > 0 else -values[i] if moved < 0 else 0 * moved
    return result


@compiled
def typical(high: Array, low: Array, close: Array) -> Array:
    """Mean of three prices."""
    result = np.empty(len(close))
    for i in range(len(close)):
        result[i] = (high[i] + low[i] + close[i]) / 3
    return result


@compiled
def true_range(high: Array, low: Array, before: Array) -> Array:
    """High less low, the close before counted as part of the bar."""
    result = np.empty(len(high))
    for i in range(len(high)):
        top = high[i] if before[i] < high[i] else before[i]
        bottom = low[i] if before[i] > low[i] else before[i]
        result[i] = top - bottom
    return result


@compiled
def directional_movement(high: Array, low: Array) -> tuple[Array, Array]:
    """How much further up, and how much further down the bar goes than the one before, just the larger of both."""
    plus, minus = np.empty(len(high)), np.empty(len(high))
    plus[:1], minus[:1] = np.nan, np.nan
    for i in range(1, len(high)):
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        plus[i] = up if (up > down) & (up > 0) else 0.0
        minus[i] = down if (down > up) & (down > 0) else 0.0
    return plus, minus


@compiled
def vortex_movement(high: Array, low: Array) -> Array:
    """Way from the low before up to the high, less that from the high before down to the low."""
    result = np.empty(len(high))
    result[:1] = np.nan
    for i in range(1, len(high)):
        result[i] = abs(high[i] - low[i - 1]) - abs(low[i] - high[i - 1])
    return result


@compiled
def money_flows(typical: Array, value: Array, rounding: float) -> tuple[Array, Array]:
    """Traded value where the typical price rises, and where it falls; moves within rounding are none."""
    rising, falling = np.zeros(len(value)), np.zeros(len(value))
    for i in range(1, len(value)):
        change, least = typical[i] - typical[i - 1], rounding * typical[i]
        rising[i] = value[i] if change > least else 0.0
        falling[i] = value[i] if change < -least else 0.0
    return rising, falling


@compiled
def close_in_range(high: Array, low: Array, close: Array, volume: Array) -> Array:
    """Volume times the place of the close in its bar, -1 to 1; 0 in a bar without range."""
    result = np.empty(len(close))
    for i in range(len(close)):
        flow = (2 * close[i] - high[i] - low[i]) / (high[i] - low[i]) * volume[i]
        result[i] = flow if high[i] > low[i] else 0.0
    return result


@compiled
def garman_klass(squared_range: Array, body: Array) -> Array:
    """Variance of a bar for a market without drift."""
    result = np.empty(len(body))
    for i in range(len(body)):
        result[i] = squared_range[i] / 2 - (2 * np.log(2.0) - 1) * body[i] * body[i]
    return result


@compiled
def rogers_satchell(above: Array, below: Array, body: Array) -> Array:
    """Variance of a bar whatever the drift, from logs of high, low and close over open."""
    result = np.empty(len(body))
    for i in range(len(body)):
        result[i] = above[i] * (above[i] - body[i]) + below[i] * (below[i] - body[i])
    return result


@compiled
def trend_fit(slope: Array, variance: Array, steps: float) -> Array:
    """Share of the variance that a slope explains, with its sign; ``steps`` is the variance of the bars' numbers."""
    result = np.empty(len(slope))
    for i in range(len(slope)):
        result[i] = steps * slope[i] * abs(slope[i]) / variance[i]
    return result


@compiled
def two_bar_range(high: Array, low: Array) -> Array:
    """Higher high over lower low of the bar and the one before."""
    result = np.empty(len(high))
    result[:1] = np.nan
    for i in range(1, len(high)):
        top = high[i] if high[i] > high[i - 1] else high[i - 1]
        bottom = low[i] if low[i] < low[i - 1] else low[i - 1]
        result[i] = top / bottom
    return result


@compiled
def corwin_schultz(squared_range: Array, joint: Array) -> Array:
    """Half of Corwin and Schultz's alpha, from squared log ranges of one and log ranges of two bars."""
    scale = 3 - 2 * np.sqrt(2.0)
    single, double = (np.sqrt(2.0) - 1) / scale / 2, 1 / np.sqrt(scale) / 2
    result = np.empty(len(joint))
    result[:1] = np.nan
    for i in range(1, len(joint)):
        result[i] = single * np.sqrt(squared_range[i] + squared_range[i - 1]) - double * joint[i]
    return result


@compiled
def impact(size: Array, value: Array, volume: Array) -> tuple[Array, Array]:
    """Size of the return a unit of traded value, 0 without trade; and 1 where there is trade, else 0."""
    moved, traded = np.empty(len(size)), np.empty(len(size))
    for i in range(len(size)):
        moved[i] = size[i] / value[i] if volume[i] > 0 else 0.0
        traded[i] = 1.0 if volume[i] > 0 else 0.0
    return moved, traded


@compiled
def weighted_root(a: Array, b: Array, c: Array, weights: tuple[float, float, float]) -> Array:
    """Root of a weighted sum of three."""
    result = np.empty(len(a))
    for i in range(len(a)):
        result[i] = np.sqrt(weights[0] * a[i] + weights[1] * b[i] + weights[2] * c[i])
    return result
