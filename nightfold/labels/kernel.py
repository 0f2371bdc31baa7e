"""The loops over bars behind the labels, compiled.

Rows of all symbols lie end to end. ``first`` and ``last`` hold, for each row, the first and last row of its stretch
without a hole, and no loop leaves that stretch. Sums are taken afresh for each row, or in whole units, so that a value
does not depend on where the bars begin, to the last bit. An unknown row is -1, an unknown number NaN.
"""

import numpy as np
from numba import njit

from nightfold.labels.panel import Floats, Rows

OPEN, UNBOUND = -1, -2
"""Deciding row of a label that is not known yet, or that has no barriers."""
PART = 1024
"""Rows summed side by side, so that they stay in the processor's cache."""


@njit(cache=True)
def count_outside(values: Floats, least: float, most: float) -> int:
    """Count the values that are not from ``least`` to ``most``; NaN is not."""
    count = 0
    for row in range(values.size):
        count += not (values[row] >= least) & (values[row] <= most)
    return count


@njit(cache=True)
def close_ratios(close: Floats, first: Rows) -> Floats:
    """Close of each bar over the one before; NaN at the start of a stretch."""
    ratios = np.empty(close.size)
    for row in range(close.size):
        ratios[row] = close[row] / close[row - 1] if row > first[row] else np.nan
    return ratios


@njit(cache=True)
def root_mean_square(moves: Floats, first: Rows, window: int) -> Floats:
    """Root mean square of the last ``window`` moves; NaN where there are fewer, or where nothing moved."""
    sums = np.zeros(moves.size)
    for begin in range(window - 1, moves.size, PART):
        part = sums[begin : begin + PART]
        for age in range(window - 1, 0, -2):
            older, newer = moves[begin - age :], moves[begin - age + 1 :]
            for row in range(part.size):
                part[row] = part[row] + older[row] * older[row] + newer[row] * newer[row]
        if window % 2:
            newest = moves[begin:]
            for row in range(part.size):
                part[row] += newest[row] * newest[row]
    for row in range(moves.size):
        known = (row - first[row] >= window) & (sums[row] > 0)
        sums[row] = np.sqrt(sums[row] / window) if known else np.nan
    return sums


@njit(cache=True)
def alive_until(decided: Rows, last: Rows) -> Rows:
    """Last bar at which the label of each row is alive: of its stretch where still open, the row itself if unbound."""
    until = np.empty(decided.size, np.int64)
    for row in range(decided.size):
        undecided = last[row] if decided[row] == OPEN else row
        until[row] = decided[row] if decided[row] >= 0 else undecided
    return until


@njit(cache=True)
def concurrency(start: Rows, end: Rows, size: int) -> Rows:
    """Count the spans that cover each of ``size`` positions, both ends inside; end = start - 1 covers none."""
    count = np.zeros(size + 1, np.int64)
    for span in range(start.size):
        count[start[span]] += 1
        count[end[span] + 1] -= 1
    alive = 0
    for position in range(size):
        alive += count[position]
        count[position] = alive
    return count[:size]


@njit(cache=True)
def mean_share(start: Rows, end: Rows, count: Rows, longest: int) -> Floats:
    """Mean of ``1 / count`` over each span of at most ``longest`` positions; NaN for an empty one."""
    shares = np.zeros(count.size + 1)
    for position in range(count.size):
        shares[position + 1] = 1.0 / max(count[position], 1)
    means = span_sums(start, end, shares, longest)
    for span in range(start.size):
        means[span] /= end[span] - start[span] + 1
    return means


@njit(cache=True)
def attribution(start: Rows, end: Rows, count: Rows, moves: Floats, longest: int) -> Floats:
    """Sum of ``moves / count`` over each span of at most ``longest`` positions; NaN for an empty one."""
    shared = np.zeros(count.size + 1)
    for position in range(count.size):
        move = 0.0 if np.isnan(moves[position]) else moves[position]
        shared[position + 1] = move / max(count[position], 1)
    return span_sums(start, end, shared, longest)


@njit(cache=True)
def span_sums(start: Rows, end: Rows, values: Floats, longest: int) -> Floats:
    """Sum values over each span, as the difference of two running sums; NaN for an empty span.

    Values of the positions stand after a leading 0, are at most about 1 in size, and are used up. They are rounded to
    whole multiples of 2^-52 (coarser only where spans pass 1,023 positions), whose integer sums are exact, so that a
    sum does not depend on what lies before its span.
    """
    scale = 2.0 ** min(52, 62 - int(np.ceil(np.log2(longest + 1))))
    before = values.view(np.int64)
    for position in range(values.size):
        before[position] = np.int64(np.rint(values[position] * scale))
    for position in range(1, values.size):
        before[position] += before[position - 1]
    sums = np.empty(start.size)
    for span in range(start.size):
        known = end[span] >= start[span]
        beyond = end[span] + 1 if known else start[span]
        sums[span] = (before[beyond] - before[start[span]]) / scale if known else np.nan
    return sums
