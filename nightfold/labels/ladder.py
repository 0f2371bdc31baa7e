"""The walk from a row to its first touch, compiled: over whole blocks of bars where nothing can happen in them.

Rung r of a ladder holds, for each bar, the highest high (or lowest low) of the ``2**r`` bars that start there. From a
row one climbs down: the longest block of bars first, and on over each block whose extremes stay between the barriers.
So a barrier 288 bars away costs nine looks, and the extremes of the path come with it. The values are those of a plain
walk, to the last bit.
"""

from math import log

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nightfold.labels.panel import Floats, Rows

Sides = NDArray[np.int8]
Flags = NDArray[np.bool_]

PART = 2048
"""Rows whose ladders are made and used together, so that they stay in the processor's cache."""


@njit(cache=True)
def first_touch(
    opens: Floats,
    highs: Floats,
    lows: Floats,
    closes: Floats,
    last: Rows,
    entry: Floats,
    upper: Floats,
    lower: Floats,
    horizon: int,
    nearer_open: bool,
    side: Sides,
    decided: Rows,
    tie: Flags,
    log_return: Floats,
    mfe: Floats,
    mae: Floats,
) -> None:
    """Go from each row to the bar that decides it: the first that meets a barrier, or the one ``horizon`` bars on.

    Parameters
    ----------
    opens, highs, lows, closes, last, entry, upper, lower
        Bars, last row of each row's stretch, entry price and barriers.
    horizon, nearer_open
        Bars to the vertical barrier; whether a tie counts for the barrier nearer to the open.
    side, decided, tie, log_return, mfe, mae
        Written where the decision is known: barrier met (1 upper, -1 lower, 0 none), row of the deciding bar, whether
        that bar met both barriers, and log return, highest and lowest excursion from entry to exit.
    """
    rungs = count_rungs(horizon)
    highest = np.empty((rungs, PART + horizon))
    lowest = np.empty((rungs, PART + horizon))
    for begin in range(0, closes.size, PART):
        reach = min(begin + PART + horizon, closes.size)
        raise_highest(highest, highs[begin:reach])
        raise_lowest(lowest, lows[begin:reach])
        for row in range(begin, min(begin + PART, closes.size)):
            if not lower[row] < upper[row]:
                continue
            end = min(row + horizon - 1, last[row]) - begin
            bar, best, worst = row + 1 - begin, entry[row], entry[row]
            for rung in range(rungs - 1, -1, -1):
                beyond = bar + (1 << rung)
                if beyond <= end + 1 and highest[rung, bar] < upper[row] and lowest[rung, bar] > lower[row]:
                    best, worst = max(best, highest[rung, bar]), min(worst, lowest[rung, bar])
                    bar = beyond
            bar += begin
            if bar > last[row]:
                continue
            above, below, leave = highs[bar] >= upper[row], lows[bar] <= lower[row], closes[bar]
            if above and below:
                tie[row] = True
                above = nearer_open and upper[row] * lower[row] < opens[bar] * opens[bar]
            if above:
                side[row], leave = 1, max(upper[row], opens[bar])
            elif below:
                side[row], leave = -1, min(lower[row], opens[bar])
            decided[row] = bar
            log_return[row] = log(leave / entry[row])
            mfe[row], mae[row] = log(max(best, leave) / entry[row]), log(min(worst, leave) / entry[row])


@njit(cache=True)
def count_rungs(horizon: int) -> int:
    """Rungs of a ladder for paths of up to ``horizon`` bars: the longest block fits into the path."""
    rungs = 1
    while 1 << rungs <= horizon:
        rungs += 1
    return rungs


@njit(cache=True)
def raise_highest(ladder: Floats, values: Floats) -> None:
    """Fill a ladder with the highest of 1, 2, 4, ... values from each on, as far as they go."""
    ladder[0, : values.size] = values
    for rung in range(1, ladder.shape[0]):
        half = 1 << (rung - 1)
        for bar in range(values.size - 2 * half + 1):
            ladder[rung, bar] = max(ladder[rung - 1, bar], ladder[rung - 1, bar + half])


@njit(cache=True)
def raise_lowest(ladder: Floats, values: Floats) -> None:
    """Fill a ladder with the lowest of 1, 2, 4, ... values from each on, as far as they go."""
    ladder[0, : values.size] = values
    for rung in range(1, ladder.shape[0]):
        half = 1 << (rung - 1)
        for bar in range(values.size - 2 * half + 1):
            ladder[rung, bar] = min(ladder[rung - 1, bar], ladder[rung - 1, bar + half])
