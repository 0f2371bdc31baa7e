"""Windows joined from stretches whose lengths are powers of two: the kernel behind `rolling` and `recursive`.

A window of 20 rows is a stretch of 4 joined to one of 16; a stretch of 16 is two of 8 joined, and so on down to single
rows. So a window takes a handful of passes, whatever its length, and each pass goes over numbers that lie side by side.
Nothing is ever taken out of a window again: a value that has left it is gone to the last bit, a NaN spoils just the
windows it lies in, and a row is the same to the last bit wherever its array begins.
"""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array

TOTAL, HIGHEST, PEAK, SPREAD, SHAPE, COMMON, CHAIN = range(7)
"""What is known of a stretch.

TOTAL: the sum, each value times ``decay`` to the power of its age. HIGHEST: the maximum, or NaN. PEAK: the maximum and
the age of its newest row. SPREAD: the mean, the sum of squares about it. SHAPE: also the sums of third and fourth
powers. COMMON: the means of ``x`` and ``y``, the sums of squares, the sum of products. CHAIN: what becomes of a value
that each row multiplies by ``x`` and adds ``y`` to, as one factor and one addend.
"""
_FIELDS = (1, 1, 2, 2, 4, 5, 2)
_ROWS = 4096
"""Windows worked on together: as many as fit into the nearest cache."""


@compiled
def over(kind: int, x: Array, y: Array, window: int, decay: float) -> NDArray[np.float64]:
    """Join the rows of each window; ``y`` and ``decay`` matter just to kinds that name them.

    Returns
    -------
    ndarray
        A line for each field of the kind, a column for each row; NaN before the first whole window.
    """
    rows, fields = len(x), _FIELDS[kind]
    result = np.empty((fields, rows))
    result[:, : min(window - 1, rows)] = np.nan
    room = (fields, min(_ROWS, rows) + window)
    single, longer, spare = np.empty(room), np.empty(room), np.empty(room)
    joined, next_joined = np.empty(room), np.empty(room)
    for begin in range(0, rows - window + 1, _ROWS):
        windows = min(_ROWS, rows - window + 1 - begin)
        left = windows + window - 1
        stretch = _single_rows(kind, x[begin : begin + left], y[begin : begin + left], single)
        length, covered, fade = 1, 0, decay
        while covered < window:
            if window & length:
                whole = covered + length == window
                target, start = (result, begin + window - 1) if whole else (next_joined, 0)
                if covered == 0:
                    _copy(stretch, target, start, windows)
                else:
                    _join(kind, joined, stretch, covered, target, start, windows, covered, length, fade)
                joined, next_joined = next_joined, joined
                covered += length
            if covered < window:
                left -= length
                _join(kind, stretch, stretch, length, longer, 0, left, length, length, fade)
                stretch, longer, spare = longer, spare, longer
                length, fade = 2 * length, fade * fade
    return result


@compiled
def _single_rows(kind: int, x: Array, y: Array, room: Array) -> Array:
    """Lay out what is known of single rows."""
    if len(room) == 1:
        return x.reshape((1, len(x)))
    given = 2 if kind in (COMMON, CHAIN) else 1
    for field in range(len(room)):
        line = room[field]
        for i in range(len(x)):
            line[i] = 0.0 if field >= given else x[i] if field == 0 else y[i]
    return room


@compiled
def _copy(source: Array, target: Array, start: int, count: int) -> None:
    for field in range(len(source)):
        values, copy = source[field], target[field, start:]
        for i in range(count):
            copy[i] = values[i]


@compiled
def _join(
    kind: int,
    older: Array,
    newer: Array,
    shift: int,
    out: Array,
    start: int,
    count: int,
    older_length: int,
    newer_length: int,
    fade: float,
) -> None:
    """Join the first ``count`` older stretches to the newer ones ``shift`` rows on; write them from ``start`` on."""
    share, rest = older_length / (older_length + newer_length), newer_length / (older_length + newer_length)
    weight = share * newer_length
    a, b, c = older[0], newer[0, shift:], out[0, start:]
    if kind == TOTAL:
        for i in range(count):
            c[i] = b[i] + fade * a[i]
    elif kind == HIGHEST:
        for i in range(count):
            one, other = a[i], b[i]
            c[i] = other if other > one or other != other else one
    elif kind == PEAK:
        age_a, age_b, age_c = older[1], newer[1, shift:], out[1, start:]
        for i in range(count):
            one, other, age, age_before = a[i], b[i], age_b[i], age_a[i]
            c[i] = one if one > other else other
            age_c[i] = age_before + newer_length if one > other else age
    elif kind == CHAIN:
        plus_a, plus_b, plus_c = older[1], newer[1, shift:], out[1, start:]
        for i in range(count):
            factor = b[i]
            plus_c[i] = plus_a[i] * factor + plus_b[i]
            c[i] = a[i] * factor
    elif kind == COMMON:
        y_a, y_b, y_c = older[1], newer[1, shift:], out[1, start:]
        xx_a, xx_b, xx_c = older[2], newer[2, shift:], out[2, start:]
        yy_a, yy_b, yy_c = older[3], newer[3, shift:], out[3, start:]
        xy_a, xy_b, xy_c = older[4], newer[4, shift:], out[4, start:]
        for i in range(count):
            x_mean, y_mean = b[i], y_b[i]
            d, e = a[i] - x_mean, y_a[i] - y_mean
            c[i], y_c[i] = x_mean + share * d, y_mean + share * e
            xx_c[i] = xx_a[i] + xx_b[i] + weight * d * d
            yy_c[i] = yy_a[i] + yy_b[i] + weight * e * e
            xy_c[i] = xy_a[i] + xy_b[i] + weight * d * e
    elif kind == SPREAD:
        square_a, square_b, square_c = older[1], newer[1, shift:], out[1, start:]
        for i in range(count):
            mean = b[i]
            d = a[i] - mean
            c[i] = mean + share * d
            square_c[i] = square_a[i] + square_b[i] + weight * d * d
    else:
        square_a, square_b, square_c = older[1], newer[1, shift:], out[1, start:]
        cube_a, cube_b, cube_c = older[2], newer[2, shift:], out[2, start:]
        fourth_a, fourth_b, fourth_c = older[3], newer[3, shift:], out[3, start:]
        for i in range(count):
            mean, old, new, old_cube, new_cube = b[i], square_a[i], square_b[i], cube_a[i], cube_b[i]
            d = a[i] - mean
            dd = d * d
            tilt = dd * weight * (rest - share) + 3 * (rest * old - share * new)
            bulk = dd * weight * (1 - 3 * share * rest) + 6 * (rest * rest * old + share * share * new)
            fourth_c[i] = fourth_a[i] + fourth_b[i] + dd * bulk + 4 * d * (rest * old_cube - share * new_cube)
            cube_c[i] = old_cube + new_cube + d * tilt
            square_c[i] = old + new + weight * dd
            c[i] = mean + share * d
