"""The loop that tries a pair of barriers on a whole window, compiled.

Everything is in logarithms, so that barriers are sums; the ladders of the window are made once for all candidates.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from nightfold.labels.ladder import Sides, count_rungs, raise_highest, raise_lowest
from nightfold.labels.panel import Floats, Rows


class Window(NamedTuple):
    """Log prices of one symbol, with ladders over highs and lows, and what a follower does."""

    opens: Floats
    closes: Floats
    entry: Floats
    highest: Floats
    lowest: Floats
    last: Rows
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


def ladders(highs: Floats, lows: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Make the ladders of a window for paths of up to ``horizon`` bars."""
    shape = (count_rungs(horizon), highs.size + 1)
    highest, lowest = np.zeros(shape), np.zeros(shape)
    raise_highest(highest, highs)
    raise_lowest(lowest, lows)
    return highest, lowest


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
    highest, lowest, last, opens = window.highest, window.lowest, window.last, window.opens
    rungs = count_rungs(horizon)
    known = above = under = ties = thin = bars = 0
    profit = 0.0
    for row in range(window.first, last.size):
        sigma, entry = window.sigma[row], window.entry[row]
        top, bottom = entry + upper * sigma, entry - lower * sigma
        if not bottom < top:
            continue
        end = min(row + horizon - 1, last[row])
        bar = row + 1
        for rung in range(rungs - 1, -1, -1):
            beyond = bar + (1 << rung)
            quiet = (beyond <= end + 1) & (highest[rung, bar] < top) & (lowest[rung, bar] > bottom)
            bar = beyond if quiet else bar
        if bar > last[row]:
            continue
        up, down = highest[0, bar] >= top, lowest[0, bar] <= bottom
        tie = up & down
        if tie and nearer_open:
            up = top + bottom < 2 * opens[bar]
            down = not up
        known += 1
        ties += tie
        above += up & (not down)
        under += down
        thin += min(upper, lower) * sigma < least_width
        side = window.side[row]
        if side != 0:
            leave = window.closes[bar]
            if up and not (down and side > 0):
                leave = max(top, opens[bar])
            elif down:
                leave = min(bottom, opens[bar])
            bars += bar - row
            profit += side * (leave - entry) - cost
    return known, above, under, ties, thin, bars, profit
