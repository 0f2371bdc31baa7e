"""Windows in which the order of the values matters, as array kernels."""

import numpy as np

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array


@compiled
def streak(change: Array, limit: int) -> Array:
    """Signed number of changes of one sign in a row up to and including the row, within ``limit``; 0 without change."""
    result = np.zeros(len(change))
    for i in range(len(change)):
        sign = np.sign(change[i])
        before = result[i - 1] if i > 0 else 0.0
        result[i] = sign + (before if before * sign > 0 else 0.0)
        if abs(result[i]) > limit:
            result[i] = sign * limit
    return np.where(np.isnan(change), np.nan, result)


@compiled
def percentile_rank(values: Array, window: int) -> Array:
    """Share of the other values in the window below the row's own, ties counted half."""
    rows = len(values)
    result = np.full(rows, np.nan)
    for i in range(window - 1, rows):
        below = 0
        for j in range(i - window + 1, i):
            below += (values[j] < values[i]) * 2 + (values[j] == values[i])
        result[i] = below / (2 * (window - 1))
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
            entropy = 0.0
            for k in range(8):
                entropy += shares[counts[k]]
            result[i] = entropy
    return result
