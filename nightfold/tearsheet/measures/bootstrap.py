"""Between which values a measure would lie in most repetitions of its past: blocks of days, drawn again and again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nightfold.errors import ConfigError
from nightfold.tearsheet.measures.series import Values, checked_returns

Measure = Callable[[Values], float | None]
Blocks = Literal["stationary", "circular"]
Days = npt.NDArray[np.int64]

FEWEST_BLOCKS = 5
"""Blocks that must fit end to end into the days for an interval to be given."""
MOST_UNKNOWN = 0.05
"""Share of draws whose measure may be unknown; they are left out."""


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A measure and its confidence interval; unknown where days are too few, or the measure too often is."""

    value: float | None
    low: float | None
    high: float | None
    block_days: int
    """Length of a block, or its mean."""


def confidence_interval(
    measure: Measure,
    returns: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    draws: int = 1_000,
    block_days: int | None = None,
    blocks: Blocks = "stationary",
    seed: int = 0,
) -> ConfidenceInterval:
    """Bound any measure of daily returns by the block bootstrap, percentile method.

    Days are drawn in blocks, so that what one day owes to the days before it stays; a single block longer than a
    trade keeps trades whole.

    Parameters
    ----------
    measure
        From an array of daily returns to a number, such as `sharpe_ratio`.
    returns
        Simple returns by day, in order.
    confidence
        Share of repetitions between the bounds.
    draws
        Repetitions, 100 or more.
    block_days
        Length of a block; none: the cube root of the days, rounded up.
    blocks
        `stationary`: lengths vary around it (geometric), so that the repetitions are stationary; `circular`: all have
        it. Both go on at the first day after the last.
    seed
        Of ``numpy.random.default_rng``; the same seed, the same interval.

    Raises
    ------
    ConfigError
        If a parameter is out of range.
    SchemaError
        If ``returns`` hold what is no return.

    References
    ----------
    Politis and Romano (1994), The Stationary Bootstrap, *JASA* 89; Politis and Romano (1992), A Circular
    Block-Resampling Procedure for Stationary Data.
    """
    values = checked_returns(returns)
    length = int(np.ceil(values.size ** (1 / 3))) if block_days is None else block_days
    if not 0.5 <= confidence < 1.0:
        raise ConfigError(f"`confidence` is {confidence}; it must lie in [0.5, 1), such as 0.95.")
    if draws < 100 or (length < 1 and values.size):
        raise ConfigError(f"`draws` is {draws} and `block_days` {length}; they must be at least 100 and 1.")
    found = measure(values) if values.size else None
    if found is None or values.size < FEWEST_BLOCKS * length:
        return ConfidenceInterval(found, None, None, length)
    days = resampled_days(values.size, length, draws, blocks, seed)
    known = [number for number in (measure(values[row]) for row in days) if number is not None]
    if len(known) < (1.0 - MOST_UNKNOWN) * draws:
        return ConfidenceInterval(found, None, None, length)
    low, high = np.quantile(known, [(1.0 - confidence) / 2, (1.0 + confidence) / 2])
    return ConfidenceInterval(found, float(low), float(high), length)


def resampled_days(size: int, length: int, draws: int, blocks: Blocks, seed: int) -> Days:
    """Positions of the days of each draw: ``draws`` rows of ``size`` days, in blocks that follow the calendar."""
    rng = np.random.default_rng(seed)
    if blocks == "circular":
        begins = np.broadcast_to(np.arange(size) % length == 0, (draws, size))
    else:
        begins = rng.random((draws, size)) < 1 / length
        begins[:, 0] = True
    place = np.arange(size)
    begun = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    first = np.take_along_axis(rng.integers(size, size=(draws, size)), begun, axis=1)
    return np.asarray((first + place - begun) % size, dtype=np.int64)
