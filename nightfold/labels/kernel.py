"""The loops over bars behind the labels, compiled.

Rows of all symbols lie end to end. ``first`` and ``last`` hold, for each row, the first and last row of its stretch
without a hole, and no loop leaves that stretch. Sums are taken afresh for each row, or in whole units, so that a value
does not depend on where the bars begin, to the last bit. An unknown row is -1, an unknown number NaN.
"""

from math import exp, log, sqrt

import numpy as np
from numba import njit

from nightfold.labels.panel import Floats, Rows


@njit(cache=True)
def log_returns(close: Floats, first: Rows) -> Floats:
    """Log return of each bar over the one before; NaN at the start of a stretch."""
    moves = np.full(close.size, np.nan)
    for row in range(close.size):
        if row > first[row]:
            moves[row] = log(close[row] / close[row - 1])
    return moves


@njit(cache=True)
def log_ratio(numerator: Floats, denominator: Floats) -> Floats:
    """``ln(numerator / denominator)``, row by row."""
    result = np.empty(numerator.size)
    for row in range(numerator.size):
        result[row] = log(numerator[row] / denominator[row])
    return result


@njit(cache=True)
def root_mean_square(moves: Floats, first: Rows, window: int) -> Floats:
    """Root mean square of the last ``window`` moves; NaN where there are fewer, or where nothing moved."""
    result = np.full(moves.size, np.nan)
    for row in range(moves.size):
        if row - first[row] < window:
            continue
        total = 0.0
        for earlier in range(row - window + 1, row + 1):
            total += moves[earlier] * moves[earlier]
        if total > 0:
            result[row] = sqrt(total / window)
    return result


@njit(cache=True)
def barrier_prices(entry: Floats, volatility: Floats, multiplier: float) -> Floats:
    """``entry * exp(multiplier * volatility)``, row by row."""
    prices = np.empty(entry.size)
    for row in range(entry.size):
        prices[row] = entry[row] * exp(multiplier * volatility[row])
    return prices


@njit(cache=True)
def concurrency(start: Rows, end: Rows, size: int) -> Rows:
    """Count the spans that cover each of ``size`` positions, both ends inside; a span with end < start is empty."""
    count = np.zeros(size + 1, np.int64)
    for row in range(start.size):
        if end[row] >= start[row]:
            count[start[row]] += 1
            count[end[row] + 1] -= 1
    return np.cumsum(count)[:size]


@njit(cache=True)
def mean_share(start: Rows, end: Rows, count: Rows, longest: int) -> Floats:
    """Mean of ``1 / count`` over each span of at most ``longest`` positions; NaN for an empty one."""
    shares = np.zeros(count.size)
    for position in range(count.size):
        if count[position] > 0:
            shares[position] = 1.0 / count[position]
    return span_sums(start, end, shares, longest) / (end - start + 1)


@njit(cache=True)
def attribution(start: Rows, end: Rows, count: Rows, moves: Floats, longest: int) -> Floats:
    """Sum of ``moves / count`` over each span of at most ``longest`` positions; NaN for an empty one."""
    shared = np.zeros(count.size)
    for position in range(count.size):
        if count[position] > 0 and not np.isnan(moves[position]):
            shared[position] = moves[position] / count[position]
    return span_sums(start, end, shared, longest)


@njit(cache=True)
def span_sums(start: Rows, end: Rows, values: Floats, longest: int) -> Floats:
    """Sum values over each span, as the difference of two running sums; NaN for an empty span.

    Values are rounded to whole multiples of 2^-52 (coarser only where spans pass 1,023 positions), whose integer sums
    are exact, so that a sum does not depend on what lies before its span. Values are at most about 1 in size.
    """
    scale = 2.0 ** min(52, 62 - int(np.ceil(np.log2(longest + 1))))
    before = np.zeros(values.size + 1, np.int64)
    for position in range(values.size):
        before[position + 1] = before[position] + np.int64(np.rint(values[position] * scale))
    sums = np.full(start.size, np.nan)
    for row in range(start.size):
        if end[row] >= start[row]:
            sums[row] = (before[end[row] + 1] - before[start[row]]) / scale
    return sums
