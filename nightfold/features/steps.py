"""Steps from one bar's time to the next one's, without an array of them all."""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled

Rows = NDArray[np.int64]


@compiled
def rise(times: Rows, begins: Rows) -> bool:
    """Whether times rise from row to row, but for the rows in which something new begins."""
    falls = 0
    for row in range(1, len(times)):
        falls += times[row] <= times[row - 1]
    for row in begins[1:]:
        falls -= times[row] <= times[row - 1]
    return falls == 0


@compiled
def smallest(times: Rows, begins: Rows) -> int:
    """Smallest step from row to row, but for the rows in which something new begins; 0 where there is none."""
    least = 0
    for run in range(len(begins)):
        end = begins[run + 1] if run + 1 < len(begins) else len(times)
        for row in range(begins[run] + 1, end):
            step = times[row] - times[row - 1]
            least = step if least == 0 or step < least else least
    return least


@compiled
def unlike(times: Rows, step: int) -> Rows:
    """Rows that are not one step after the row before."""
    rows = [row for row in range(1, len(times)) if times[row] - times[row - 1] != step]
    return np.array(rows, dtype=np.int64)
