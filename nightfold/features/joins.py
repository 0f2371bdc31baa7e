"""How two neighbouring stretches of rows become one: the kernels behind `Parts`.

Each takes the older rows, the newer rows and the length of both, and answers for the rows of both together. The older
ones end ``newer_length`` rows before the row, so that many rows at the front have no answer: they are NaN.
"""

import numpy as np

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array

Pair = tuple[Array, Array]
Four = tuple[Array, Array, Array, Array]
Five = tuple[Array, Array, Array, Array, Array]


@compiled
def faded(older: Array, newer: Array, newer_length: int, factor: float) -> Array:
    """Add sums, the older one times a factor."""
    result = np.empty(len(newer))
    skip = min(newer_length, len(newer))
    result[:skip] = np.nan
    old, new, out = older[: len(newer) - skip], newer[skip:], result[skip:]
    for i in range(len(out)):
        out[i] = new[i] + factor * old[i]
    return result


def added(older: Array, newer: Array, _: int, newer_length: int) -> Array:
    """Add sums."""
    return faded(older, newer, newer_length, 1.0)


@compiled
def larger(older: Array, newer: Array, _: int, newer_length: int) -> Array:
    """Take the larger of two maxima, or NaN where one is NaN."""
    result = np.empty(len(newer))
    skip = min(newer_length, len(newer))
    result[:skip] = np.nan
    old, new, out = older[: len(newer) - skip], newer[skip:], result[skip:]
    for i in range(len(out)):
        one, other = old[i], new[i]
        out[i] = other if other > one or other != other else one
    return result


@compiled
def spread(older: Pair, newer: Pair, older_length: int, newer_length: int) -> Pair:
    """Join means and sums of squares about them, as Chan, Golub and LeVeque (1979) do: no digits are lost."""
    rows = len(newer[0])
    mean, squares = np.empty(rows), np.empty(rows)
    skip = min(newer_length, rows)
    mean[:skip] = squares[:skip] = np.nan
    mean_a, squares_a = older[0][: rows - skip], older[1][: rows - skip]
    mean_b, squares_b = newer[0][skip:], newer[1][skip:]
    mean_out, squares_out = mean[skip:], squares[skip:]
    share = older_length / (older_length + newer_length)
    weight = share * newer_length
    for i in range(rows - skip):
        d = mean_a[i] - mean_b[i]
        mean_out[i] = mean_b[i] + share * d
        squares_out[i] = squares_a[i] + squares_b[i] + weight * d * d
    return mean, squares


@compiled
def shape(older: Four, newer: Four, older_length: int, newer_length: int) -> Four:
    """Join means and sums of second, third and fourth powers about them (Pébay 2008)."""
    rows = len(newer[0])
    mean, second, third, fourth = np.empty(rows), np.empty(rows), np.empty(rows), np.empty(rows)
    skip = min(newer_length, rows)
    mean[:skip] = second[:skip] = third[:skip] = fourth[:skip] = np.nan
    kept = rows - skip
    mean_a, second_a, third_a, fourth_a = older[0][:kept], older[1][:kept], older[2][:kept], older[3][:kept]
    mean_b, second_b, third_b, fourth_b = newer[0][skip:], newer[1][skip:], newer[2][skip:], newer[3][skip:]
    mean_out, second_out, third_out, fourth_out = mean[skip:], second[skip:], third[skip:], fourth[skip:]
    a = older_length / (older_length + newer_length)
    b = newer_length / (older_length + newer_length)
    weight = a * newer_length
    for i in range(kept):
        d = mean_a[i] - mean_b[i]
        dd = d * d
        mean_out[i] = mean_b[i] + a * d
        second_out[i] = second_a[i] + second_b[i] + weight * dd
        tilt = dd * weight * (b - a) + 3 * (b * second_a[i] - a * second_b[i])
        third_out[i] = third_a[i] + third_b[i] + d * tilt
        bulk = dd * weight * (1 - 3 * a * b) + 6 * (b * b * second_a[i] + a * a * second_b[i])
        fourth_out[i] = fourth_a[i] + fourth_b[i] + dd * bulk + 4 * d * (b * third_a[i] - a * third_b[i])
    return mean, second, third, fourth


@compiled
def common(older: Five, newer: Five, older_length: int, newer_length: int) -> Five:
    """Join the means of two series, their sums of squares and their sum of products about the means."""
    rows = len(newer[0])
    x, y, xx, yy, xy = np.empty(rows), np.empty(rows), np.empty(rows), np.empty(rows), np.empty(rows)
    skip = min(newer_length, rows)
    x[:skip] = y[:skip] = xx[:skip] = yy[:skip] = xy[:skip] = np.nan
    share = older_length / (older_length + newer_length)
    weight = share * newer_length
    for i in range(skip, rows):
        k = i - skip
        d, e = older[0][k] - newer[0][i], older[1][k] - newer[1][i]
        x[i], y[i] = newer[0][i] + share * d, newer[1][i] + share * e
        xx[i] = older[2][k] + newer[2][i] + weight * d * d
        yy[i] = older[3][k] + newer[3][i] + weight * e * e
        xy[i] = older[4][k] + newer[4][i] + weight * d * e
    return x, y, xx, yy, xy


@compiled
def chained(older: Pair, newer: Pair, _: int, newer_length: int) -> Pair:
    """Chain maps ``value -> scale * value + shift``: the newer one is applied to what the older one gives."""
    rows = len(newer[0])
    scale, shift = np.empty(rows), np.empty(rows)
    skip = min(newer_length, rows)
    scale[:skip] = shift[:skip] = np.nan
    scale_a, shift_a = older[0][: rows - skip], older[1][: rows - skip]
    scale_b, shift_b = newer[0][skip:], newer[1][skip:]
    scale_out, shift_out = scale[skip:], shift[skip:]
    for i in range(rows - skip):
        scale_out[i] = scale_a[i] * scale_b[i]
        shift_out[i] = shift_a[i] * scale_b[i] + shift_b[i]
    return scale, shift
