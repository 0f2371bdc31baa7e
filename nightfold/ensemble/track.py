"""Shifts of quantiles that follow what came lately, moment by moment."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """How fast shifts follow, and when each row was forecast.

    Parameters
    ----------
    rate
        Part of the misses' spread that a level moves over the length of a label if all rows fall on one side of it.
    start
        Moment of each row, as of `OutOfSample`.
    """

    rate: float
    start: NDArray[np.int64]


def track(
    misses: Array, share: Array, start: NDArray[np.int64], levels: list[float], shifts: Array, step: Array
) -> Array:
    """Move each level's shift, one moment after another, by `step * (level - share of rows at or under it)`.

    Parameters
    ----------
    misses
        What came less what was forecast: rows in any order x levels.
    share, start
        Weight over 0 and moment of each row; rows of one moment make one step, whatever the moment weighs.
    levels, shifts, step
        Of the columns: what they say, where they begin, and how far they move at most.

    Returns
    -------
    Array
        Shifts after the last moment.

    References
    ----------
    Gibbs and Candès (2021), Adaptive Conformal Inference Under Distribution Shift, *NeurIPS*; Angelopoulos, Candès and
    Tibshirani (2023), Conformal PID Control for Time Series Prediction, *NeurIPS*: the quantile tracker.

    Examples
    --------
    >>> one = np.ones(2)
    >>> track(np.array([[3.0], [-3.0]]), one, np.array([0, 1]), [0.75], np.zeros(1), np.ones(1)).tolist()
    [0.5]
    """
    order = np.argsort(start, kind="stable")
    misses, share = misses[order], share[order]
    borders = [*np.unique(start[order], return_index=True)[1].tolist(), len(order)]
    shifts = shifts.copy()
    for first, end in pairwise(borders):
        weight = share[first:end]
        shifts += step * (levels - weight @ (misses[first:end] <= shifts) / weight.sum())
    return shifts
