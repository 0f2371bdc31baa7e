"""From each row to the bar that decides it, compiled: part by part, so that a part stays in the processor's cache.

Near barriers are found by a scan: bar after bar, all rows of a part are asked side by side whether it touches. Nothing
branches, so the processor asks several rows at once; for a few dozen bars that beats any shortcut.

Far barriers are found by a ladder. Rung r of it holds, for each bar, the highest high (or lowest low) of the ``2**r``
bars that start there. From a row one climbs down: the longest block of bars first, and on over each block whose
extremes stay between the barriers. So a barrier 288 bars away costs nine looks, and the extremes of the path come with
it. Both give the values of a plain walk, to the last bit.

All of it is one file, because the compiler's store of what it has compiled looks at the caller's file only.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from nightfold.labels.panel import Flags, Floats, Rows, Sides

PART = 1024
"""Rows taken together."""
FAR = 64
"""Horizon from which the ladder is faster than the scan."""
TIE_LOWER, TIE_NEARER, TIE_UPPER = -1, 0, 1
"""What a bar that meets both barriers counts for: one of them, or the nearer to its open."""


class Bars(NamedTuple):
    """What a path is made of."""

    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    last: Rows
    """Last row of each row's stretch."""


class Walls(NamedTuple):
    """Where each row enters and its barriers stand; NaN where there are none, also put where these are no prices."""

    entry: Floats
    upper: Floats
    lower: Floats


class Found(NamedTuple):
    """What became of each row."""

    side: Sides
    """Barrier met: 1 upper, -1 lower, 0 none."""
    decided: Rows
    """Row of the deciding bar; -1 where it is not known."""
    tie: Flags
    """Whether that bar met both barriers."""
    gain: Floats
    """Exit over entry; NaN where it is not known."""
    best: Floats
    """Highest price from entry to exit, over entry; empty where it is not wanted."""
    worst: Floats
    """Lowest price likewise."""


@njit(cache=True)
def first_touch(bars: Bars, walls: Walls, horizon: int, tie_rule: int, extremes: bool, found: Found) -> None:
    """Go from each row to the bar that decides it: the first that meets a barrier, or the one ``horizon`` bars on.

    Parameters
    ----------
    bars, walls
        Bars, entry prices and barriers.
    horizon, tie_rule
        Bars to the vertical barrier; what a bar counts for that meets both others.
    extremes
        Whether highest and lowest prices are wanted.
    found
        Written.
    """
    rungs, size = count_rungs(horizon), bars.last.size
    highest, lowest = np.empty((rungs, PART + horizon)), np.empty((rungs, PART + horizon))
    lives, passable = np.empty(PART, np.int64), np.empty(PART, np.int64)
    for begin in range(0, size, PART):
        end = min(begin + PART, size)
        life, best, worst = lives[: end - begin], found.best[begin:end], found.worst[begin:end]
        entry, upper, lower = walls.entry[begin:end], walls.upper[begin:end], walls.lower[begin:end]
        passed = slice(begin + 1, end + horizon - 1)
        highs, lows = bars.highs[passed], bars.lows[passed]
        if horizon < FAR:
            lives_by_scan(highs, lows, upper, lower, horizon, life)
            if extremes:
                extremes_by_scan(highs, lows, entry, horizon, life, best, worst)
        else:
            raise_highest(highest, highs)
            raise_lowest(lowest, lows)
            for row in range(life.size):
                passable[row] = min(horizon - 1, bars.last[begin + row] - begin - row)
            lives_by_ladder(highest, lowest, entry, upper, lower, passable, extremes, life, best, worst)
        side, decided = found.side[begin:end], found.decided[begin:end]
        part = Found(side, decided, found.tie[begin:end], found.gain[begin:end], best, worst)
        settle(bars, Walls(entry, upper, lower), begin, life, tie_rule, extremes, part)


@njit(cache=True)
def settle(bars: Bars, walls: Walls, begin: int, life: Rows, tie_rule: int, extremes: bool, found: Found) -> None:
    """Write what became of the rows of a part, which starts at row ``begin``.

    All that may be is worked out and then picked from: which barrier is met is a coin toss, on which a processor that
    guesses ahead would lose more than it takes to work it out.
    """
    for row in range(life.size):
        upper, lower, bar = walls.upper[row], walls.lower[row], begin + row + life[row]
        standing = (lower > 0) & (lower < upper) & (upper < np.inf)
        if not standing:
            walls.upper[row] = walls.lower[row] = np.nan
        known = standing & (bar <= bars.last[begin + row])
        bar = np.uint64(bar if known else begin + row)

        opened, leave = bars.opens[bar], bars.closes[bar]
        above, below = bars.highs[bar] >= upper, bars.lows[bar] <= lower
        both = above & below
        rises = (tie_rule > 0) | ((tie_rule == 0) & (upper * lower < opened * opened))
        falls = below & (not (both & rises))
        beyond_upper, beyond_lower = upper if upper > opened else opened, lower if lower < opened else opened
        leave = beyond_upper if above else leave
        leave = beyond_lower if falls else leave

        found.side[row] = np.int8(above & known & (not falls)) - np.int8(falls & known)
        found.decided[row] = bar if known else -1
        found.tie[row] = both & known
        entry = walls.entry[row] if known else np.nan
        found.gain[row] = leave / entry
        if extremes:
            best, worst = found.best[row], found.worst[row]
            found.best[row] = (best if best > leave else leave) / entry
            found.worst[row] = (worst if worst < leave else leave) / entry


@njit(cache=True)
def lives_by_scan(highs: Floats, lows: Floats, upper: Floats, lower: Floats, horizon: int, life: Rows) -> None:
    """Write after how many bars each row meets a barrier, from the last bar back; ``horizon`` if none before.

    Highs and lows begin one bar after the part's first row.
    """
    life[:] = horizon
    for bars in range(min(horizon - 1, highs.size), 0, -1):
        high, low = highs[bars - 1 :], lows[bars - 1 :]
        for row in range(min(life.size, high.size)):
            life[row] = bars if (high[row] >= upper[row]) | (low[row] <= lower[row]) else life[row]


@njit(cache=True)
def extremes_by_scan(
    highs: Floats, lows: Floats, entry: Floats, horizon: int, life: Rows, best: Floats, worst: Floats
) -> None:
    """Write the highest and the lowest price from each row's entry to before its deciding bar."""
    best[:], worst[:] = entry, entry
    for bars in range(1, min(horizon, highs.size + 1)):
        high, low = highs[bars - 1 :], lows[bars - 1 :]
        for row in range(min(life.size, high.size)):
            best[row] = high[row] if (bars < life[row]) & (high[row] > best[row]) else best[row]
            worst[row] = low[row] if (bars < life[row]) & (low[row] < worst[row]) else worst[row]


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


@njit(cache=True)
def lives_by_ladder(
    highest: Floats,
    lowest: Floats,
    entry: Floats,
    upper: Floats,
    lower: Floats,
    passable: Rows,
    extremes: bool,
    life: Rows,
    best: Floats,
    worst: Floats,
) -> None:
    """Write after how many bars each row meets a barrier, or has passed all it may; and the extreme prices before.

    Ladders begin one bar after the part's first row. ``passable`` is how many bars a row may pass untouched.
    """
    life[:] = 0
    if extremes:
        best[:], worst[:] = entry, entry
    for rung in range(highest.shape[0] - 1, -1, -1):
        block, high, low = 1 << rung, highest[rung], lowest[rung]
        for row in range(life.size):
            bar = row + life[row]
            top, bottom = high[bar], low[bar]
            free = (life[row] + block <= passable[row]) & (top < upper[row]) & (bottom > lower[row])
            life[row] += block if free else 0
            if extremes:
                best[row] = top if free & (top > best[row]) else best[row]
                worst[row] = bottom if free & (bottom < worst[row]) else worst[row]
    life += 1
