"""The loop that tries a pair of barriers on a whole window, compiled.

Prices are logarithms, so that barriers are sums. Rows are taken in blocks: bar after bar, all rows of a block are asked
at once whether that bar touches, which the processor does several rows at a time.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from nightfold.labels.follower import Sides
from nightfold.labels.panel import Floats, Rows

BLOCK = 256
"""Rows of a block."""


class Window(NamedTuple):
    """Log prices of one symbol, and what a follower does."""

    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    entry: Floats
    sigma: Floats
    bars_left: Floats
    """Bars after each row in its stretch."""
    side: Sides
    followed: Rows
    """Rows from ``first`` on where the side is not 0."""
    first: int
    """First row to label; those before only carry history."""


class Verdict(NamedTuple):
    """What became of the rows of a window under one pair of barriers."""

    known: int
    """Rows whose label is known."""
    upper: int
    lower: int
    ties: int
    thin: int
    """Known rows with a barrier nearer than allowed."""
    bars: int
    """Bars that the follower's positions were held, each from its row to its exit."""
    profit: float
    """Sum of their log returns less cost."""


@njit(cache=True)
def judge(
    window: Window, upper: float, lower: float, horizon: int, nearer_open: bool, least_width: float, cost: float
) -> tuple[int, int, int, int, int, int, float]:
    """Label a window and follow it.

    Parameters
    ----------
    window
        Prices and the follower's sides.
    upper, lower
        Distances of the barriers, in volatilities.
    horizon, nearer_open
        Bars to the vertical barrier; whether a tie counts for the barrier nearer to the open, or against the side.
    least_width
        Log distance below which a barrier is too near.
    cost
        Cost of a round trip.

    Returns
    -------
    tuple
        The fields of `Verdict`.
    """
    top, bottom, rise, fall = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    deadline, least_sigma = float(horizon), least_width / min(upper, lower)
    known = above = under = ties = thin = bars = turn = 0
    profit = 0.0
    for begin in range(window.first, window.entry.size, BLOCK):
        end = min(begin + BLOCK, window.entry.size)
        entry, sigma, bars_left = window.entry[begin:end], window.sigma[begin:end], window.bars_left[begin:end]
        for place in range(end - begin):
            top[place], bottom[place] = entry[place] + upper * sigma[place], entry[place] - lower * sigma[place]
        first_at_or_above(window.highs[begin + 1 :], top[: end - begin], horizon, rise)
        first_at_or_below(window.lows[begin + 1 :], bottom[: end - begin], horizon, fall)
        for place in range(end - begin):
            up, down = rise[place], fall[place]
            is_known = (min(up, down, deadline) <= bars_left[place]) & (bottom[place] < top[place])
            known += is_known
            above += is_known & (up < down)
            under += is_known & (down <= up) & (down <= deadline)
            ties += is_known & (up == down) & (up <= deadline)
            thin += is_known & (sigma[place] < least_sigma)
        if nearer_open:
            for place in range(end - begin):
                if rise[place] == fall[place] <= bars_left[place]:
                    swapped = nearer_top(window.opens[begin + place + int(rise[place])], top[place], bottom[place])
                    above += swapped
                    under -= swapped

        while turn < window.followed.size and window.followed[turn] < end:
            row = window.followed[turn]
            place = row - begin
            turn += 1
            life = min(rise[place], fall[place], deadline)
            if life > bars_left[place] or not bottom[place] < top[place]:
                continue
            bar = row + int(life)
            side, opened, leave = window.side[row], window.opens[bar], window.closes[bar]
            at_top, at_bottom = rise[place] == life, fall[place] == life
            rises = nearer_top(opened, top[place], bottom[place]) if nearer_open else side < 0
            falls = at_bottom & (not (at_top & rises))
            leave = max(top[place], opened) if at_top else leave
            leave = min(bottom[place], opened) if falls else leave
            bars += bar - row
            profit += side * (leave - entry[place]) - cost
    return known, above, under, ties, thin, bars, profit


@njit(cache=True)
def nearer_top(opened: float, top: float, bottom: float) -> bool:
    """Whether a bar opens nearer to its upper barrier."""
    return top + bottom < 2 * opened


@njit(cache=True)
def first_at_or_above(values: Floats, levels: Floats, horizon: int, bars: Floats) -> None:
    """Write after how many bars each row of a block reaches its level; infinity if not within ``horizon``.

    ``values`` begin one bar after the block's first row. Bars are asked from the last back, four at once, so that a
    level is read once for all of them; one at a time where the values end within the horizon.
    """
    bars[:] = np.inf
    left = min(horizon, values.size)
    while left >= 4 and values.size - left + 1 >= levels.size:
        fourth, third, second, first = values[left - 1 :], values[left - 2 :], values[left - 3 :], values[left - 4 :]
        for place in range(levels.size):
            level, after = levels[place], bars[place]
            after = left if fourth[place] >= level else after
            after = left - 1.0 if third[place] >= level else after
            after = left - 2.0 if second[place] >= level else after
            bars[place] = left - 3.0 if first[place] >= level else after
        left -= 4
    for step in range(left, 0, -1):
        ahead = values[step - 1 :]
        for place in range(min(levels.size, ahead.size)):
            bars[place] = step if ahead[place] >= levels[place] else bars[place]


@njit(cache=True)
def first_at_or_below(values: Floats, levels: Floats, horizon: int, bars: Floats) -> None:
    """Write what `first_at_or_above` does, for levels below."""
    bars[:] = np.inf
    left = min(horizon, values.size)
    while left >= 4 and values.size - left + 1 >= levels.size:
        fourth, third, second, first = values[left - 1 :], values[left - 2 :], values[left - 3 :], values[left - 4 :]
        for place in range(levels.size):
            level, after = levels[place], bars[place]
            after = left if fourth[place] <= level else after
            after = left - 1.0 if third[place] <= level else after
            after = left - 2.0 if second[place] <= level else after
            bars[place] = left - 3.0 if first[place] <= level else after
        left -= 4
    for step in range(left, 0, -1):
        ahead = values[step - 1 :]
        for place in range(min(levels.size, ahead.size)):
            bars[place] = step if ahead[place] <= levels[place] else bars[place]
