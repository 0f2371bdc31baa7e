"""From each row to the bar that decides it, compiled: part by part, so that a part stays in the processor's cache.

Near barriers are found by a scan: four bars at a time, all rows of a part are asked side by side whether they touch.
Nothing branches, so the processor asks several rows at once; for a few dozen bars that beats any shortcut.

Far barriers are found by a ladder. Rung r of it holds, for each bar, the highest high (or lowest low) of the ``2**r``
bars that start there. From a row one climbs down: the longest block of bars first, and on over each block whose
extremes stay between the barriers. So a barrier 288 bars away costs nine looks, and the extremes of the path come with
it. Both give the values of a plain walk, to the last bit.

All of it is one file, because the compiler's store of what it has compiled looks at the caller's file only.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from nightfold.labels.kernel import OPEN, UNBOUND
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
    """Where each row of a strip enters and its barriers stand; where these are no prices there are none."""

    entry: Floats
    upper: Floats
    lower: Floats


class Found(NamedTuple):
    """What became of each row of a strip."""

    side: Sides
    """Barrier met: 1 upper, -1 lower, 0 none."""
    decided: Rows
    """Row of the deciding bar; `OPEN` where it is not known, `UNBOUND` where there are no barriers."""
    tie: Flags
    """Whether that bar met both barriers."""
    leave: Floats
    """Exit price; NaN where it is not known."""
    best: Floats
    """Highest price from entry to before the deciding bar; empty where it is not wanted."""
    worst: Floats
    """Lowest price likewise."""


@njit(cache=True)
def first_touch(
    bars: Bars, walls: Walls, first: int, horizon: int, tie_rule: int, extremes: bool, found: Found
) -> None:
    """Go from each row to the bar that decides it: the first that meets a barrier, or the one ``horizon`` bars on.

    Parameters
    ----------
    bars, walls, first
        All bars; entry prices and barriers of a strip of them, and its first row.
    horizon, tie_rule
        Bars to the vertical barrier; what a bar counts for that meets both others.
    extremes
        Whether highest and lowest prices are wanted.
    found
        Written.
    """
    rungs, size = count_rungs(horizon), walls.entry.size
    highest, lowest = np.empty((rungs, PART + horizon)), np.empty((rungs, PART + horizon))
    lives, passable, met = np.empty(PART, np.int64), np.empty(PART, np.int64), np.empty((3, PART))
    for begin in range(0, size, PART):
        end, row = min(begin + PART, size), first + begin
        life, best, worst = lives[: end - begin], found.best[begin:end], found.worst[begin:end]
        entry, upper, lower = walls.entry[begin:end], walls.upper[begin:end], walls.lower[begin:end]
        last = bars.last[row : row + life.size]
        passed = slice(row + 1, row + life.size + horizon - 1)
        highs, lows = bars.highs[passed], bars.lows[passed]
        if horizon < FAR:
            lives_by_scan(highs, lows, upper, lower, horizon, life)
            if extremes:
                extremes_by_scan(highs, lows, entry, horizon, life, best, worst)
        else:
            raise_highest(highest, highs)
            raise_lowest(lowest, lows)
            for place in range(life.size):
                passable[place] = min(horizon - 1, last[place] - row - place)
            lives_by_ladder(highest, lowest, entry, upper, lower, passable, extremes, life, best, worst)
        decided, leave = found.decided[begin:end], found.leave[begin:end]
        decide(upper, lower, last, row, life, decided)
        look_up(bars, decided, met[0], met[1], met[2], leave)
        settle(upper, lower, met[0], met[1], met[2], tie_rule, leave, found.side[begin:end], found.tie[begin:end])


@njit(cache=True)
def decide(upper: Floats, lower: Floats, last: Rows, first: int, life: Rows, decided: Rows) -> None:
    """Write the row of each deciding bar, where there are barriers and the bar is in the row's stretch."""
    for row in range(life.size):
        bar = first + row + life[row]
        standing = (lower[row] > 0) & (lower[row] < upper[row]) & (upper[row] < np.inf)
        decided[row] = (bar if bar <= last[row] else OPEN) if standing else UNBOUND


@njit(cache=True)
def look_up(bars: Bars, decided: Rows, opened: Floats, high: Floats, low: Floats, close: Floats) -> None:
    """Write the prices of the deciding bars; NaN, which meets no barrier, where none is known."""
    for row in range(decided.size):
        known = decided[row] >= 0
        bar = np.uint64(decided[row] if known else 0)
        opened[row] = bars.opens[bar]
        high[row] = bars.highs[bar] if known else np.nan
        low[row] = bars.lows[bar] if known else np.nan
        close[row] = bars.closes[bar] if known else np.nan


@njit(cache=True)
def settle(
    upper: Floats,
    lower: Floats,
    opened: Floats,
    high: Floats,
    low: Floats,
    tie_rule: int,
    leave: Floats,
    side: Sides,
    tie: Flags,
) -> None:
    """Write which barrier each deciding bar meets, and the exit in place of its close.

    All that may be is worked out and then picked from: which barrier is met is a coin toss, on which a processor that
    guesses ahead would lose more than it takes to work it out.
    """
    for row in range(leave.size):
        above, below = high[row] >= upper[row], low[row] <= lower[row]
        rises = (tie_rule > 0) | ((tie_rule == 0) & (upper[row] * lower[row] < opened[row] * opened[row]))
        falls = below & (not (above & rises))
        beyond_upper = upper[row] if upper[row] > opened[row] else opened[row]
        beyond_lower = lower[row] if lower[row] < opened[row] else opened[row]
        price = beyond_upper if above else leave[row]
        leave[row] = beyond_lower if falls else price
        side[row] = np.int8(above & (not falls)) - np.int8(falls)
        tie[row] = above & below


@njit(cache=True)
def lives_by_scan(highs: Floats, lows: Floats, upper: Floats, lower: Floats, horizon: int, life: Rows) -> None:
    """Write after how many bars each row meets a barrier, from the last bar back; ``horizon`` if none before.

    Highs and lows begin one bar after the part's first row. Four bars are asked at once, so that what a row has is
    read once for all of them; one at a time where the bars end within the horizon.
    """
    life[:] = horizon
    left = min(horizon - 1, highs.size)
    while left >= 4 and highs.size - left + 1 >= life.size:
        high_4, high_3, high_2, high_1 = highs[left - 1 :], highs[left - 2 :], highs[left - 3 :], highs[left - 4 :]
        low_4, low_3, low_2, low_1 = lows[left - 1 :], lows[left - 2 :], lows[left - 3 :], lows[left - 4 :]
        for row in range(life.size):
            top, bottom, bars = upper[row], lower[row], life[row]
            bars = left if (high_4[row] >= top) | (low_4[row] <= bottom) else bars
            bars = left - 1 if (high_3[row] >= top) | (low_3[row] <= bottom) else bars
            bars = left - 2 if (high_2[row] >= top) | (low_2[row] <= bottom) else bars
            life[row] = left - 3 if (high_1[row] >= top) | (low_1[row] <= bottom) else bars
        left -= 4
    for bars in range(left, 0, -1):
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
