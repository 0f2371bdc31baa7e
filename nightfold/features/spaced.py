"""Variance of differences over several rows, in one pass over the series."""

import numpy as np

from nightfold.features.about_zero import STEADY
from nightfold.features.compiled import lean
from nightfold.features.doubling import BLOCK, TOTAL, join_rows, workplace
from nightfold.features.rolling import variance
from nightfold.features.segment import Array, difference


def spaced_variance(values: Array, spacing: int, window: int) -> Array:
    """Variance of differences over ``spacing`` rows that lie within ``window`` + 1 values, population; two or more.

    The differences are about zero, as in `about_zero`. Their sum is the last ``spacing`` values less the first.
    """
    result = np.full(len(values), np.nan)
    steady = _variances(values, spacing, window - spacing + 1, *workplace(window, 3), result[window:])
    if steady:
        closely = variance(difference(values, spacing), window - spacing + 1)
        result = np.where(np.isnan(result), closely, result)
    return result


@lean
def _variances(values: Array, spacing: int, count: int, room: Array, lines: Array, result: Array) -> bool:
    """Variances of ``count`` differences; NaN where rounding would be felt, and whether it would be anywhere."""
    squares, totals, sums = lines[0], lines[1], lines[2]
    steady = False
    for begin in range(0, len(result), BLOCK):
        out = result[begin : begin + BLOCK]
        seen = values[begin : begin + len(out) + count + spacing - 1]
        _square_differences(seen, spacing, squares)
        join_rows(TOTAL, squares[: len(out) + count - 1], seen, count, 1.0, 1, room, totals)
        join_rows(TOTAL, seen, seen, spacing, 1.0, 1, room, sums)
        steady |= _spread(totals, sums, sums[count:], 1 / count, out)
    return steady


@lean
def _square_differences(values: Array, spacing: int, squares: Array) -> None:
    late = values[spacing:]
    for i in range(len(late)):
        change = late[i] - values[i]
        squares[i] = change * change


@lean
def _spread(squares: Array, before: Array, after: Array, share: float, out: Array) -> bool:
    steady = False
    for i in range(len(out)):
        mean, square = (after[i] - before[i]) * share, squares[i] * share
        spread = square - mean * mean
        is_steady = spread < STEADY * square
        out[i] = np.nan if is_steady else spread
        steady |= is_steady
    return steady
