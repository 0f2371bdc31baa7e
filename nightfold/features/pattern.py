"""Windows in which the order of the values matters, as array kernels."""

import numpy as np

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array

_ROWS = 2048
"""Windows worked on together: as many as fit into the nearest cache."""


@compiled
def streak(change: Array, limit: int) -> Array:
    """Signed number of changes of one sign in a row up to and including the row, within ``limit``; 0 without change."""
    result = np.empty(len(change))
    rises = falls = 0.0
    for i in range(len(change)):
        rises = rises + 1 if change[i] > 0 else 0.0
        falls = falls + 1 if change[i] < 0 else 0.0
        result[i] = min(rises, limit) - min(falls, limit) + 0 * change[i]
    return result


@compiled
def engulfing(open_: Array, close: Array) -> Array:
    """1 where a rising body engulfs the falling one before, -1 the other way, .8 of it where one end is equal."""
    result = np.full(len(close), np.nan)
    for i in range(1, len(close)):
        side = 1.0 if close[i] >= open_[i] else -1.0
        side_before = 1.0 if close[i - 1] >= open_[i - 1] else -1.0
        end, start = side * (close[i] - open_[i - 1]), side * (close[i - 1] - open_[i])
        engulfs = (side != side_before) & (min(end, start) >= 0) & (max(end, start) > 0)
        result[i] = (side if min(end, start) > 0 else 0.8 * side) if engulfs else 0.0
    return result


@compiled
def percentile_rank(values: Array, window: int) -> Array:
    """Share of the other values in the window below the row's own, ties counted half."""
    result = np.full(len(values), np.nan)
    for begin in range(window - 1, len(values), _ROWS):
        newest, place = values[begin : begin + _ROWS], result[begin : begin + _ROWS]
        place[:] = 0.0
        age = 1
        while age + 4 <= window:
            oldest = begin - age - 3
            v0, v1, v2, v3 = values[oldest + 3 :], values[oldest + 2 :], values[oldest + 1 :], values[oldest:]
            for i in range(len(place)):
                value = newest[i]
                place[i] += _order(v0[i], value) + _order(v1[i], value) + (_order(v2[i], value) + _order(v3[i], value))
            age += 4
        while age < window:
            older = values[begin - age :]
            for i in range(len(place)):
                place[i] += _order(older[i], newest[i])
            age += 1
        for i in range(len(place)):
            place[i] /= 2 * (window - 1)
    return result


@compiled
def _order(older: float, newest: float) -> float:
    """2 where the older value is below the newest one, 1 where they are equal, else 0."""
    return (1.0 if older < newest else 0.0) + (1.0 if older <= newest else 0.0)


@compiled
def weighted_total(values: Array, weights: Array) -> Array:
    """Sum over the window, each value times the weight of its age; as many weights as rows, newest first."""
    window = len(weights)
    result = np.full(len(values), np.nan)
    for begin in range(window - 1, len(values), _ROWS):
        sums = result[begin : begin + _ROWS]
        sums[:] = 0.0
        age = 0
        while age + 4 <= window:
            w0, w1, w2, w3 = weights[age], weights[age + 1], weights[age + 2], weights[age + 3]
            oldest = begin - age - 3
            v0, v1, v2, v3 = values[oldest + 3 :], values[oldest + 2 :], values[oldest + 1 :], values[oldest:]
            for i in range(len(sums)):
                sums[i] += w0 * v0[i] + w1 * v1[i] + (w2 * v2[i] + w3 * v3[i])
            age += 4
        while age < window:
            weight, aged = weights[age], values[begin - age :]
            for i in range(len(sums)):
                sums[i] += weight * aged[i]
            age += 1
    return result


@compiled
def mean_distance(values: Array, middle: Array, window: int) -> Array:
    """Mean distance of the values in the window from what is given as their middle."""
    result = np.full(len(values), np.nan)
    for begin in range(window - 1, len(values), _ROWS):
        distance, centre = result[begin : begin + _ROWS], middle[begin : begin + _ROWS]
        distance[:] = 0.0
        age = 0
        while age + 4 <= window:
            oldest = begin - age - 3
            v0, v1, v2, v3 = values[oldest + 3 :], values[oldest + 2 :], values[oldest + 1 :], values[oldest:]
            for i in range(len(distance)):
                mid = centre[i]
                distance[i] += abs(v0[i] - mid) + abs(v1[i] - mid) + (abs(v2[i] - mid) + abs(v3[i] - mid))
            age += 4
        while age < window:
            aged = values[begin - age :]
            for i in range(len(distance)):
                distance[i] += abs(aged[i] - centre[i])
            age += 1
        for i in range(len(distance)):
            distance[i] /= window
    return result


@compiled
def permutation_entropy(values: Array, window: int) -> Array:
    """Entropy of the orders in which three neighbouring values can stand, over the window, between 0 and 1.

    Equal values count as ordered by time, the earlier as the smaller.
    """
    rows = len(values)
    result = np.full(rows, np.nan)
    orders = np.full(rows, -1)
    for i in range(2, rows):
        a, b, c = values[i - 2], values[i - 1], values[i]
        orders[i] = (a > b) * 4 + (b > c) * 2 + (a > c)
    counts = np.zeros(8, dtype=np.int64)
    shares = np.zeros(window - 1)
    for count in range(1, window - 1):
        share = count / (window - 2)
        shares[count] = -share * np.log(share) / np.log(6.0)
    for i in range(2, rows):
        counts[orders[i]] += 1
        if i - (window - 2) >= 2:
            counts[orders[i - (window - 2)]] -= 1
        if i >= window - 1:
            rising = shares[counts[0]] + shares[counts[2]] + shares[counts[3]]
            falling = shares[counts[4]] + shares[counts[5]] + shares[counts[7]]
            result[i] = rising + falling
    return result
