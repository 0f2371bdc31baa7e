"""The loop that tries a pair of barriers on a whole window, compiled.

Prices are logarithms, so that barriers are sums. Rows are taken in blocks: bar after bar, all rows of a block are asked
at once whether that bar touches, which the processor does several rows at a time.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from nightfold.labels.ladder import Sides
from nightfold.labels.panel import Floats, Rows

BLOCK = 256
"""Rows of a block."""
STRIDE = 8
"""Bars between two looks at whether a block is decided as a whole."""


class Window(NamedTuple):
    """Log prices of one symbol, and what a follower does."""

    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    entry: Floats
    last: Rows
    """Last row of each row's stretch."""
    sigma: Floats
    side: Sides
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
    top, bottom = np.empty(BLOCK), np.empty(BLOCK)
    rise, fall = np.empty(BLOCK), np.empty(BLOCK)
    known = above = under = ties = thin = bars = 0
    profit = 0.0
    deadline, least_sigma = float(horizon), least_width / min(upper, lower)
    for begin in range(window.first, window.last.size, BLOCK):
        end = min(begin + BLOCK, window.last.size)
        entry, sigma, side = window.entry[begin:end], window.sigma[begin:end], window.side[begin:end]
        bars_left = (window.last[begin:end] - np.arange(begin, end)).astype(np.float64)
        size = end - begin
        top[:size], bottom[:size] = entry + upper * sigma, entry - lower * sigma
        first_at_or_above(window.highs[begin + 1 :], top[:size], horizon, rise)
        first_at_or_above(-window.lows[begin + 1 : end + horizon], -bottom[:size], horizon, fall)
        for place in range(size):
            up, down = rise[place], fall[place]
            is_known = (min(up, down, deadline) <= bars_left[place]) & (bottom[place] < top[place])
            known += is_known
            above += is_known & (up < down)
            under += is_known & (down <= up) & (down <= deadline)
            ties += is_known & (up == down) & (up <= deadline)
            thin += is_known & (sigma[place] < least_sigma)
        for place in range(size):
            life = min(rise[place], fall[place], float(horizon))
            if side[place] == 0 or life > bars_left[place] or not bottom[place] < top[place]:
                continue
            bar = begin + place + int(life)
            leave = window.closes[bar]
            if rise[place] == life and (rise[place] < fall[place] or side[place] < 0):
                leave = max(top[place], window.opens[bar])
            elif fall[place] == life:
                leave = min(bottom[place], window.opens[bar])
            bars += int(life)
            profit += side[place] * (leave - entry[place]) - cost
    return known, above, under, ties, thin, bars, profit


@njit(cache=True)
def first_at_or_above(values: Floats, levels: Floats, horizon: int, bars: Floats) -> None:
    """Write after how many bars each row of a block reaches its level; infinity if not within ``horizon``.

    ``values`` begin one bar after the block's first row.
    """
    bars[:] = np.inf
    for step in range(min(horizon, values.size)):
        ahead = values[step:]
        for place in range(min(levels.size, ahead.size)):
            bars[place] = min(bars[place], step + 1.0 if ahead[place] >= levels[place] else np.inf)
