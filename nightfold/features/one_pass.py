"""Oscillators of several windows in one pass over the prices: what lies between stays in the cache of a processor."""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import lean
from nightfold.features.doubling import BLOCK, PEAK, TOTAL, join_rows, workplace
from nightfold.features.recursive import average
from nightfold.features.segment import Array


def relative_strength(close: Array, still: NDArray[np.int64], window: int, memory: int) -> Array:
    """Relative strength of Wilder: share of the average rise in the averages of rises and falls, 0 to 100.

    Parameters
    ----------
    close
        Prices.
    still
        How many closes in a row were equal, up to and including the row; NaN where it is more than ``window``.
    window
        Of both averages, which weigh as Wilder's do.
    memory
        Changes before the current one that count.
    """
    result = np.full(len(close), np.nan)
    _strength(close, still[memory + 1 :], window, memory, *workplace(memory, 6), result[memory + 1 :])
    return result


@lean
def _strength(
    close: Array, still: NDArray[np.int64], window: int, memory: int, room: Array, lines: Array, result: Array
) -> None:
    rises, falls, rise, fall = lines[2], lines[3], lines[4], lines[5]
    for begin in range(0, len(result), BLOCK):
        out, flat = result[begin : begin + BLOCK], still[begin:]
        seen = memory + len(out)
        _rises_and_falls(close[begin : begin + seen + 1], rises, falls)
        average(rises[:seen], window, 1 / window, memory, room, lines, rise[: len(out)])
        average(falls[:seen], window, 1 / window, memory, room, lines, fall[: len(out)])
        for i in range(len(out)):
            out[i] = 100 * rise[i] / (rise[i] + fall[i]) if flat[i] <= window else np.nan


@lean
def _rises_and_falls(close: Array, rises: Array, falls: Array) -> None:
    """Write down by how much each close rises and falls, 0 where it does the other."""
    before, after = close[:-1], close[1:]
    for i in range(len(after)):
        change = after[i] - before[i]
        rises[i] = 0.0 if change <= 0 else change
        falls[i] = 0.0 if change >= 0 else -change


def ultimate(high: Array, low: Array, close: Array, windows: tuple[int, int, int]) -> Array:
    """Buying pressure over true range in three windows, the longest last, weighted 4, 2, 1; 0 to 100."""
    result, longest = np.full(len(close), np.nan), windows[2]
    _ultimate(high[1:], low[1:], close, windows, *workplace(longest, 4), result[longest:])
    return result


@lean
def _ultimate(
    high: Array, low: Array, close: Array, windows: tuple[int, int, int], room: Array, lines: Array, result: Array
) -> None:
    pressures, ranges, pressure, reach = lines[0], lines[1], lines[2], lines[3]
    for begin in range(0, len(result), BLOCK):
        out = result[begin : begin + BLOCK]
        out[:] = 0.0
        seen = windows[2] + len(out) - 1
        _pressures(high[begin : begin + seen], low[begin:], close[begin:], pressures, ranges)
        for k in range(3):
            first, weight = windows[2] - windows[k], 4 / 7 / 2**k
            join_rows(TOTAL, pressures[first:seen], pressures, windows[k], 1.0, 1, room, pressure)
            join_rows(TOTAL, ranges[first:seen], ranges, windows[k], 1.0, 1, room, reach)
            for i in range(len(out)):
                out[i] += weight * (100 * pressure[i] / reach[i])


@lean
def _pressures(high: Array, low: Array, before: Array, pressures: Array, ranges: Array) -> None:
    """Write down closes over true lows, and true highs over true lows, from closes that begin a bar before."""
    close = before[1:]
    for i in range(len(high)):
        bottom = low[i] if before[i] > low[i] else before[i]
        top = high[i] if before[i] < high[i] else before[i]
        pressures[i], ranges[i] = close[i] - bottom, top - bottom


def aroon(high: Array, low: Array, window: int) -> Array:
    """Rows since the lowest low less rows since the highest high, in parts of the window, -100 to 100.

    Of equal extremes the newest counts. NaN where neither highs nor lows moved in the window and the bar before it.
    """
    result = np.full(len(high), np.nan)
    _aroon(high, low, window, *workplace(window, 3, fields=2), result[window:])
    return result


@lean
def _aroon(high: Array, low: Array, window: int, room: Array, lines: Array, result: Array) -> None:
    depths, peaks, troughs = lines[0], lines[1], lines[2]
    for begin in range(0, len(result), BLOCK):
        out = result[begin : begin + BLOCK]
        seen = window + len(out)
        tops, bottoms = high[begin : begin + seen], low[begin : begin + seen]
        for i in range(seen):
            depths[i] = -bottoms[i]
        join_rows(PEAK, tops, tops, window + 1, 1.0, 2, room, peaks)
        join_rows(PEAK, depths[:seen], depths, window + 1, 1.0, 2, room, troughs)
        since_top, since_bottom = peaks[seen:], troughs[seen:]
        for i in range(len(out)):
            out[i] = (since_bottom[i] - since_top[i]) * (100 / window)
        for i in range(len(out)):
            if since_bottom[i] == 0 and since_top[i] == 0 and _is_still(tops, bottoms, i, i + window):
                out[i] = np.nan


@lean
def _is_still(high: Array, low: Array, first: int, last: int) -> bool:
    row = first
    while row < last and high[row] == high[last] and low[row] == low[last]:
        row += 1
    return row == last
