"""Trailing windows as array kernels, in time that does not grow with the window, without running sums.

The rows are cut into blocks as long as the window, so that each window is the end of one block joined to the start
of the next (van Herk 1992 and Gil & Werman 1993, there for maxima). Nothing is ever subtracted from a sum: a value
that has left the window is gone to the last bit, and a NaN spoils just the windows it lies in.

In all kernels row ``i`` stands for the window ``i - window + 1 ... i``; rows before the first whole window are NaN.
"""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array


@compiled
def total(values: Array, window: int) -> Array:
    """Sum over the window."""
    rows = len(values)
    result = np.full(rows, np.nan)
    tail = np.zeros(window + 1)
    for start in range(0, rows, window):
        head = 0.0
        for k in range(min(window, rows - start)):
            head += values[start + k]
            if start + k >= window - 1:
                result[start + k] = tail[k + 1] + head
        if start + window <= rows:
            for k in range(window - 1, -1, -1):
                tail[k] = values[start + k] + tail[k + 1]
    return result


def mean(values: Array, window: int) -> Array:
    """Mean over the window."""
    return total(values, window) / window


@compiled
def highest(values: Array, window: int) -> Array:
    """Maximum over the window."""
    rows = len(values)
    result = np.full(rows, np.nan)
    tail = np.full(window + 1, -np.inf)
    for start in range(0, rows, window):
        head = -np.inf
        for k in range(min(window, rows - start)):
            head = _larger(head, values[start + k])
            if start + k >= window - 1:
                result[start + k] = _larger(tail[k + 1], head)
        if start + window <= rows:
            for k in range(window - 1, -1, -1):
                tail[k] = _larger(tail[k + 1], values[start + k])
    return result


def lowest(values: Array, window: int) -> Array:
    """Minimum over the window."""
    return -highest(-values, window)


@compiled
def _larger(one: float, other: float) -> float:
    """Maximum that keeps a NaN."""
    return other if other > one or other != other else one


@compiled
def _at_least_zero(value: float) -> float:
    """Cut rounding below zero that keeps a NaN."""
    return 0.0 if value < 0 else value


@compiled
def is_flat(values: Array, window: int) -> NDArray[np.bool_]:
    """Whether maximum and minimum of the window are equal; false before the first whole window."""
    result = np.zeros(len(values), dtype=np.bool_)
    run = 0
    for i in range(len(values)):
        run = run + 1 if i > 0 and values[i] == values[i - 1] else 1
        result[i] = run >= window
    return result


@compiled
def comoment(x: Array, y: Array, window: int) -> tuple[Array, Array, Array]:
    """Sum squares and products of two series about their means in the window.

    Sums are taken about a pair inside the window, so that they lose no digits where a level is far from zero.

    Returns
    -------
    tuple
        Sum of squares of ``x``, sum of squares of ``y``, sum of products.
    """
    rows = len(x)
    xx, yy, xy = np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan)
    tail = np.zeros((window + 1, 5))
    for start in range(0, rows, window):
        x0, y0 = x[start - 1], y[start - 1]  # the centre of `tail`, too; unused in the first block
        sx = sy = sxx = syy = sxy = 0.0
        for k in range(min(window - 1, rows - start)):
            i = start + k
            u, v = x[i] - x0, y[i] - y0
            sx, sy, sxx, syy, sxy = sx + u, sy + v, sxx + u * u, syy + v * v, sxy + u * v
            if start > 0:
                t = tail[k + 1]
                tx, ty = sx + t[0], sy + t[1]
                xx[i] = _at_least_zero(sxx + t[2] - tx * tx / window)
                yy[i] = _at_least_zero(syy + t[3] - ty * ty / window)
                xy[i] = sxy + t[4] - tx * ty / window
        if start + window <= rows:
            last = start + window - 1
            for k in range(window - 1, -1, -1):
                u, v = x[start + k] - x[last], y[start + k] - y[last]
                t, next_t = tail[k], tail[k + 1]
                t[0], t[1] = next_t[0] + u, next_t[1] + v
                t[2], t[3], t[4] = next_t[2] + u * u, next_t[3] + v * v, next_t[4] + u * v
            t = tail[0]
            xx[last] = _at_least_zero(t[2] - t[0] * t[0] / window)
            yy[last] = _at_least_zero(t[3] - t[1] * t[1] / window)
            xy[last] = t[4] - t[0] * t[1] / window
    return xx, yy, xy


@compiled
def moments(values: Array, window: int) -> tuple[Array, Array, Array]:
    """Second, third and fourth population moment about the mean of the window."""
    rows = len(values)
    m2, m3, m4 = np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan)
    tail = np.zeros((window + 1, 4))
    for start in range(0, rows, window):
        centre = values[start - 1]  # of `tail`, too; unused in the first block
        s1 = s2 = s3 = s4 = 0.0
        for k in range(min(window - 1, rows - start)):
            i = start + k
            d = values[i] - centre
            s1, s2, s3, s4 = s1 + d, s2 + d * d, s3 + d * d * d, s4 + d * d * d * d
            if start > 0:
                t = tail[k + 1]
                m2[i], m3[i], m4[i] = _central(s1 + t[0], s2 + t[1], s3 + t[2], s4 + t[3], window)
        if start + window <= rows:
            last = start + window - 1
            for k in range(window - 1, -1, -1):
                d = values[start + k] - values[last]
                t, next_t = tail[k], tail[k + 1]
                t[0], t[1] = next_t[0] + d, next_t[1] + d * d
                t[2], t[3] = next_t[2] + d * d * d, next_t[3] + d * d * d * d
            t = tail[0]
            m2[last], m3[last], m4[last] = _central(t[0], t[1], t[2], t[3], window)
    return m2, m3, m4


@compiled
def _central(s1: float, s2: float, s3: float, s4: float, window: int) -> tuple[float, float, float]:
    """Moments about the mean from power sums about some other value."""
    a, b, c, d = s1 / window, s2 / window, s3 / window, s4 / window
    return _at_least_zero(b - a * a), c - 3 * a * b + 2 * a**3, d - 4 * a * c + 6 * a * a * b - 3 * a**4


@compiled
def variance(values: Array, window: int) -> Array:
    """Variance of the window, population; exactly 0 where it is flat."""
    rows = len(values)
    result = np.full(rows, np.nan)
    tail = np.zeros((window + 1, 2))
    for start in range(0, rows, window):
        centre = values[start - 1]  # of `tail`, too; unused in the first block
        s1 = s2 = 0.0
        for k in range(min(window - 1, rows - start)):
            d = values[start + k] - centre
            s1, s2 = s1 + d, s2 + d * d
            if start > 0:
                a = (s1 + tail[k + 1, 0]) / window
                result[start + k] = _at_least_zero((s2 + tail[k + 1, 1]) / window - a * a)
        if start + window <= rows:
            last = start + window - 1
            for k in range(window - 1, -1, -1):
                d = values[start + k] - values[last]
                tail[k, 0], tail[k, 1] = tail[k + 1, 0] + d, tail[k + 1, 1] + d * d
            a = tail[0, 0] / window
            result[last] = _at_least_zero(tail[0, 1] / window - a * a)
    return result


def deviation(values: Array, window: int) -> Array:
    """Sample standard deviation (ddof 1) of the window."""
    return np.sqrt(variance(values, window) * (window / (window - 1)))


def correlation(x: Array, y: Array, window: int) -> Array:
    """Pearson correlation over the window; NaN where either is flat."""
    xx, yy, xy = comoment(x, y, window)
    result = np.clip(xy / np.sqrt(xx * yy), -1, 1)
    result[is_flat(x, window) | is_flat(y, window)] = np.nan
    return result
