"""Features as they are kept: float32, NaN where unknown, and a bit for each that is off there."""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array


@compiled
def keep(values: Array, column: NDArray[np.float32]) -> bool:
    """Round values into a column, and tell whether none became NaN, as what float32 cannot hold and infinities do."""
    unknown = 0
    for i in range(len(column)):
        number = np.float32(values[i])
        known = abs(number) < np.inf
        column[i] = number if known else np.float32(np.nan)
        unknown += not known
    return unknown == 0


@compiled
def known_bits(columns: NDArray[np.float32], doubtful: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Tell which numbers are known, a bit each, the first one lowest.

    Parameters
    ----------
    columns
        A line for each feature.
    doubtful
        Where NaN is looked for: a line of feature, first row and the row behind the last.
    """
    bits = np.full((columns.shape[0], (columns.shape[1] + 7) // 8), 255, dtype=np.uint8)
    for k in range(len(doubtful)):
        feature, first, end = doubtful[k]
        for row in range(first, end):
            if np.isnan(columns[feature, row]):
                bits[feature, row // 8] &= ~(1 << row % 8)
    return bits
