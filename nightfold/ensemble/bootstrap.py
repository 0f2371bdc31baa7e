"""How far a mean over time could be chance: moving blocks, longer than labels, drawn again and again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightfold.splits.purge import Rows

Array = NDArray[np.float64]

DRAWS = 2_000
CONFIDENCE = 0.95
FEWEST_BLOCKS = 5
"""Blocks that must fit end to end into the rows for an interval to be given."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and between which values it would lie in most repetitions; both unknown where rows are too few."""

    mean: float
    low: float | None
    high: float | None
    block_moments: int
    """Length of a block, in moments that have rows."""
    blocks: float
    """How many fit into the rows end to end."""


def block_interval(values: Array, weight: Array, start: Rows, longest: int, seed: int = 0) -> Interval:
    """Interval of the weighted mean by the moving-block bootstrap.

    All rows of a moment, of whatever symbols, stand or fall together. A block is twice as many moments as the longest
    label covers, and at least the cube root of their number. Blocks are drawn with replacement from all that there are,
    overlapping, until they are as many moments as there were. The draws' distribution around their own mean is laid
    around the mean found, and its 2.5 % and 97.5 % points are the interval.

    Parameters
    ----------
    values, weight, start
        One per row, in any order.
    longest
        Moments that the longest label covers.
    seed
        Of ``numpy.random.default_rng``.

    References
    ----------
    Künsch (1989), The Jackknife and the Bootstrap for General Stationary Observations, *Annals of Statistics* 17.
    """
    moments, place = np.unique(start, return_inverse=True)
    sums, weights = (np.asarray(np.bincount(place, each), np.float64) for each in (values * weight, weight))
    mean = float(sums.sum() / weights.sum())
    length = max(2 * longest, int(np.ceil(moments.size ** (1 / 3))))
    fitting = moments.size / length
    if fitting < FEWEST_BLOCKS:
        return Interval(mean, None, None, length, fitting)
    by_block = [_block_sums(each, length) for each in (sums, weights)]
    drawn = np.random.default_rng(seed).integers(moments.size - length + 1, size=(DRAWS, int(np.ceil(fitting))))
    totals, shares = (each[drawn].sum(axis=1) for each in by_block)
    means = totals[shares > 0] / shares[shares > 0]
    low, high = np.quantile(means - means.mean(), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(mean, mean + float(low), mean + float(high), length, fitting)


def _block_sums(values: Array, length: int) -> Array:
    """Sum of each stretch of so many values, by its first."""
    running = np.append(0.0, np.cumsum(values))
    return np.asarray(running[length:] - running[:-length])
