"""Windows joined from stretches whose lengths are powers of two or four: the kernel behind `rolling` and `recursive`.

A window of 20 rows is a stretch of 4 joined to one of 16; a stretch of 16 is two of 8 joined, and so on down to single
rows; sums go by fours. So a window takes a handful of passes, whatever its length, and each pass goes over numbers that
lie side by side. Nothing is ever taken out of a window again: a value that has left it is gone to the last bit, a NaN
spoils just the windows it lies in, and a row is the same to the last bit wherever its array begins.
"""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import lean
from nightfold.features.segment import Array

TOTAL, HIGHEST, LOWEST, PEAK, SPREAD, COMMON, CHAIN = range(7)
"""What is known of a stretch.

TOTAL: the sum, each value times ``decay`` to the power of its age. HIGHEST, LOWEST: the maximum, the minimum, or NaN.
PEAK: the maximum and the age of its newest row. SPREAD: the mean, the sum of squares about it. COMMON: the means of
``x`` and ``y``, the sums of squares, the sum of products. CHAIN: what becomes of a value that each row multiplies by
``x`` and adds ``y`` to, as one factor and one addend.
"""
_FIELDS = (1, 1, 1, 2, 2, 5, 2)
_ROWS = 1024
"""Windows worked on together, at least: as many as fit into the nearest cache."""
BLOCK = 4096
"""Rows for which kernels that join windows of several kinds keep what they know in a cache."""
_PAGE, _ASIDE = 512, 104
"""Numbers in a page of memory, and how far buffers lie aside from whole pages: a processor waits where it reads and
writes at the same place of two pages."""


def over(kind: int, x: Array, y: Array, window: int, decay: float) -> NDArray[np.float64]:
    """Join the rows of each window; ``y`` and ``decay`` matter just to kinds that name them.

    Returns
    -------
    ndarray
        A line for each field of the kind, a column for each row; NaN before the first whole window.
    """
    fields = _FIELDS[kind]
    result = np.empty((fields, len(x)))
    result[:, : window - 1] = np.nan
    room = _room(min(_ROWS, len(x)), window, fields)
    join_rows(kind, x, y, window, decay, fields, room, result.ravel()[window - 1 :])
    return result


def _room(windows: int, longest: int, fields: int) -> NDArray[np.float64]:
    """Make room in which so many windows are joined at a time, or some more."""
    pages = -(-(windows + longest) // _PAGE)
    return np.empty((5, fields * (pages * _PAGE + _ASIDE)))


def workplace(longest: int, lines: int, fields: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make room for `join_rows` to go over a block at once, and lines in which the block and its history fit."""
    room = _room(BLOCK, longest, fields)
    return room, np.empty((lines, room.shape[1]))


@lean
def join_rows(
    kind: int, x: Array, y: Array, window: int, decay: float, fields: int, room: Array, result: Array
) -> None:
    """Write down what is known of each whole window, a field ``len(x)`` numbers behind the other.

    Works on as many windows at a time as there is room for.
    """
    rows, base, pitch = len(x), 4 if kind == TOTAL else 2, room.shape[1] // fields
    at_once = pitch - window
    single, longer, spare, joined, next_joined = room[0], room[1], room[2], room[3], room[4]
    for begin in range(0, rows - window + 1, at_once):
        windows = min(at_once, rows - window + 1 - begin)
        left = windows + window - 1
        stretch = x[begin : begin + left]
        if fields > 1:
            _lay_out(stretch, y[begin : begin + left], kind in (COMMON, CHAIN), single, pitch)
            stretch = single
        length, covered, fade, older = 1, 0, decay, joined
        while covered < window:
            count = window // length % base
            whole = covered + count * length == window
            out, apart = (result[begin:], rows) if whole else (joined, pitch)
            if covered == 0 and count == 1 and not whole:
                older = stretch  # which is not to be written over until it has been joined
                spare, next_joined = (next_joined, spare) if length > 1 else (spare, next_joined)
            elif count > 0:
                if covered > 0:
                    _join(kind, older, stretch, pitch, covered, length, count, fade, out, apart, windows)
                else:
                    _join(kind, stretch, stretch, pitch, length, length, count - 1, fade, out, apart, windows)
                older, joined, next_joined = joined, next_joined, joined
            covered += count * length
            if covered < window:
                left -= (base - 1) * length
                _join(kind, stretch, stretch, pitch, length, length, base - 1, fade, longer, pitch, left)
                stretch, longer, spare = longer, spare, longer
                length, fade = base * length, fade**base


@lean
def _lay_out(x: Array, y: Array, both: bool, room: Array, pitch: int) -> None:
    """Write down what is known of single rows: ``x``, perhaps ``y``, and zeros."""
    room[:] = 0.0
    _copy(x, room, len(x))
    if both:
        _copy(y, room[pitch:], len(y))


@lean
def _join(
    kind: int,
    older: Array,
    newer: Array,
    pitch: int,
    shift: int,
    length: int,
    count: int,
    fade: float,
    out: Array,
    apart: int,
    rows: int,
) -> None:
    """Join older stretches of ``shift`` rows to ``count`` newer ones of ``length`` rows each that follow them.

    Fields lie ``pitch`` numbers apart, those written ``apart``. Just sums join several newer ones at a time.
    """
    a, b = older, newer[shift:]
    if count == 0:
        for first in range(0, _FIELDS[kind] * pitch, pitch):
            _copy(older[first:], out[first // pitch * apart :], rows)
    elif kind == TOTAL:
        _add(a, b, length, count, fade, out, rows)
    elif kind == HIGHEST:
        for i in range(rows):
            out[i] = b[i] if b[i] > a[i] or b[i] != b[i] else a[i]
    elif kind == LOWEST:
        for i in range(rows):
            out[i] = b[i] if b[i] < a[i] or b[i] != b[i] else a[i]
    elif kind == PEAK:
        _pick(a, b, a[pitch:], b[pitch:], length, out, out[apart:], rows)
    elif kind == CHAIN:
        _follow(a, b, a[pitch:], b[pitch:], out, out[apart:], rows)
    elif kind == SPREAD:
        _merge(a, b, a[pitch:], b[pitch:], shift / (shift + length), length, out, out[apart:], rows)
    else:
        _merge_both(a, b, pitch, shift / (shift + length), length, out, apart, rows)


@lean
def _copy(source: Array, out: Array, rows: int) -> None:
    for i in range(rows):
        out[i] = source[i]


@lean
def _add(older: Array, newer: Array, length: int, count: int, fade: float, out: Array, rows: int) -> None:
    if count == 1:
        for i in range(rows):
            out[i] = newer[i] + fade * older[i]
        return
    second, fade_twice = newer[length:], fade * fade
    if count == 2:
        for i in range(rows):
            out[i] = second[i] + (fade * newer[i] + fade_twice * older[i])
        return
    third, fade_thrice = newer[2 * length :], fade * fade_twice
    for i in range(rows):
        out[i] = (third[i] + fade * second[i]) + (fade_twice * newer[i] + fade_thrice * older[i])


@lean
def _pick(a: Array, b: Array, age_a: Array, age_b: Array, length: int, out: Array, age: Array, rows: int) -> None:
    """Take the higher one, and of equal ones the newer."""
    for i in range(rows):
        one, other, before, after = a[i], b[i], age_a[i], age_b[i]
        out[i] = one if one > other else other
        age[i] = before + length if one > other else after


@lean
def _follow(a: Array, b: Array, plus_a: Array, plus_b: Array, out: Array, plus: Array, rows: int) -> None:
    """Multiply and add as the older stretch does, then as the newer one."""
    for i in range(rows):
        factor = b[i]
        plus[i] = plus_a[i] * factor + plus_b[i]
        out[i] = a[i] * factor


@lean
def _merge(
    a: Array,
    b: Array,
    squares_a: Array,
    squares_b: Array,
    share: float,
    length: int,
    out: Array,
    squares: Array,
    rows: int,
) -> None:
    """Merge means and sums of squares about them; ``share`` of the rows are in the older stretch."""
    weight = share * length
    for i in range(rows):
        mean = b[i]
        d = a[i] - mean
        squares[i] = squares_a[i] + squares_b[i] + weight * d * d
        out[i] = mean + share * d


@lean
def _merge_both(a: Array, b: Array, pitch: int, share: float, length: int, out: Array, apart: int, rows: int) -> None:
    """Merge two series and their products, one after the other: more at once would not be vectorized."""
    y_a, xx_a, yy_a, xy_a = a[pitch:], a[2 * pitch :], a[3 * pitch :], a[4 * pitch :]
    y_b, xx_b, yy_b, xy_b = b[pitch:], b[2 * pitch :], b[3 * pitch :], b[4 * pitch :]
    y, xx, yy, xy = out[apart:], out[2 * apart :], out[3 * apart :], out[4 * apart :]
    _merge(a, b, xx_a, xx_b, share, length, out, xx, rows)
    _merge(y_a, y_b, yy_a, yy_b, share, length, y, yy, rows)
    weight = share * length
    for i in range(rows):
        xy[i] = xy_a[i] + xy_b[i] + weight * (a[i] - b[i]) * (y_a[i] - y_b[i])
