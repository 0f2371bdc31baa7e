"""State machines with a finite memory: trailing stops and swings, each row as if begun ``memory`` bars earlier.

A machine begins at every bar, and all of them go on side by side, a lane each. Two that were begun one after the other
soon come to the same state, and from there on are one. So there are few lanes, ordered by when they began, and the
first whose newest start is recent enough answers for the bar. Rows without a whole memory are NaN.
"""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array

_TOGETHER = 8
"""Lanes a processor takes at once, and bars between two looks for equal states."""


@compiled
def _lanes(fields: int, memory: int) -> tuple[Array, NDArray[np.int64]]:
    """Room for the states of all machines that can differ, and for the newest start of each."""
    room = memory + 3 * _TOGETHER
    return np.zeros((fields, room)), np.zeros(room, dtype=np.int64)


@compiled
def _padded(count: int) -> int:
    """Lanes to go through: whole groups, for lanes behind the last do no harm."""
    return (count + _TOGETHER - 1) // _TOGETHER * _TOGETHER


@compiled
def _first_since(begun: NDArray[np.int64], start: int) -> int:
    """First lane that stands for the machine begun at ``start``."""
    lane = 0
    while begun[lane] < start:
        lane += 1
    return lane


@compiled
def _merge(state: Array, begun: NDArray[np.int64], count: int, start: int) -> int:
    """Forget lanes begun before ``start``, make one of neighbours in the same state, and tell how many are left."""
    kept = 0
    for lane in range(count):
        if begun[lane] < start:
            continue
        same = kept > 0
        for field in range(len(state)):
            same = same and state[field, lane] == state[field, kept - 1]
        if same:
            kept -= 1
        for field in range(len(state)):
            state[field, kept] = state[field, lane]
        begun[kept] = begun[lane]
        kept += 1
    return kept


@compiled
def parabolic_stop(high: Array, low: Array, pace: float, limit: float, memory: int) -> Array:
    """Stop of Wilder's parabolic system that is in force in the bar.

    A falling trend is handled as a rising one of negative prices.

    Parameters
    ----------
    high, low
        Prices.
    pace, limit
        First and highest share of the way to the extreme that the stop goes in a bar.
    memory
        Bars before the current one that count; at least 2.
    """
    rows = len(high)
    result = np.full(rows, np.nan)
    state, begun = _lanes(4, memory)
    side, next_stop, extreme, speed = state
    in_force = np.zeros(len(begun))
    count = 0
    for i in range(1, rows):
        low_of_two, high_of_two = min(low[i - 1], low[i]), max(high[i - 1], high[i])
        fall = low[i - 1] - low[i]
        falls = fall > 0 and fall > high[i] - high[i - 1]
        begun[count] = i - 1
        side[count], next_stop[count] = (-1.0, -high[i - 1]) if falls else (1.0, low[i - 1])
        extreme[count], speed[count] = -low[i] if falls else high[i], pace
        for lane in range(_padded(count + 1)):
            rises = side[lane] > 0
            stop, top = next_stop[lane], extreme[lane]
            near, far = (low[i], high[i]) if rises else (-high[i], -low[i])
            bottom, ceiling = (low_of_two, high_of_two) if rises else (-high_of_two, -low_of_two)
            if lane == count:
                bottom, ceiling = near, far  # the first bar of a machine has none before it
            turns, further = near <= stop, far > top
            quicker = min(speed[lane] + pace, limit) if further else speed[lane]
            stop = -max(top, ceiling) if turns else stop
            top = -near if turns else max(top, far)
            bottom = -ceiling if turns else bottom
            share = pace if turns else quicker
            after = -side[lane] if turns else side[lane]
            side[lane], extreme[lane], speed[lane] = after, top, share
            next_stop[lane] = min(stop + share * (top - stop), bottom)
            in_force[lane] = after * stop
        count += 1
        if i >= memory:
            result[i] = in_force[_first_since(begun, i - memory)]
        if i % _TOGETHER == 0:
            count = _merge(state, begun, count, i - memory)
    return result


@compiled
def swings(
    open_: Array, high: Array, low: Array, close: Array, distance: Array, memory: int
) -> tuple[Array, Array, Array, Array]:
    """Find swings confirmed by a move of ``distance`` away from the extreme, and closes beyond them.

    A value belongs to the bar in which a swing is confirmed or a close lies beyond it, never to the bar of the extreme.

    Parameters
    ----------
    open_, high, low, close
        Prices.
    distance
        Move in quote currency that confirms a swing; 0 or NaN confirms none.
    memory
        Bars before the current one that count.

    Returns
    -------
    tuple
        Last confirmed swing high and swing low; break of structure and change of character in the bar, each -1, 0 or 1.
        NaN where the memory holds no swing, or no break that tells the direction of the structure.
    """
    rows = len(close)
    result = np.full((4, rows), np.nan)
    state, begun = _lanes(8, memory)
    leg, top, bottom, swing_high, swing_low, ceiling, floor, trend = state
    side, before = np.zeros(len(begun)), np.zeros(len(begun))
    count = 0
    for i in range(rows):
        needed = distance[i] if distance[i] > 0 else np.inf
        for lane in range(_padded(count)):
            up, down = leg[lane] > 0, leg[lane] < 0
            further = (up and high[i] > top[lane]) or (down and low[i] < bottom[lane])
            falls = not down and not further and top[lane] - low[i] >= needed
            rises = not up and not further and high[i] - bottom[lane] >= needed
            falls = falls and not (rises and close[i] >= open_[i])
            rises = rises and not falls
            # A confirmed swing is there to be broken, until a close lies beyond it.
            swing_high[lane] = top[lane] if falls else swing_high[lane]
            swing_low[lane] = bottom[lane] if rises else swing_low[lane]
            above = top[lane] if falls else ceiling[lane]
            below = bottom[lane] if rises else floor[lane]
            leg[lane] = -1.0 if falls else 1.0 if rises else leg[lane]
            top[lane] = high[i] if rises else 0.0 if falls or down else max(top[lane], high[i])
            bottom[lane] = low[i] if falls else np.inf if rises or up else min(bottom[lane], low[i])
            # A close beyond a swing that none was beyond before: with the structure a break, against it a turn.
            over, under = close[i] > above, close[i] < below and not close[i] > above
            side[lane] = 1.0 if over else -1.0 if under else 0.0
            ceiling[lane] = np.inf if over else above
            floor[lane] = 0.0 if under else below
            before[lane] = trend[lane]
            trend[lane] = side[lane] if over or under else trend[lane]
        begun[count] = i
        leg[count], top[count], bottom[count] = 0.0, high[i], low[i]
        swing_high[count], swing_low[count] = 0.0, 0.0
        ceiling[count], floor[count], trend[count] = np.inf, 0.0, 0.0
        side[count], before[count] = 0.0, 0.0
        count += 1
        if i >= memory:
            lane = _first_since(begun, i - memory)
            if swing_high[lane] > 0:
                result[0, i] = swing_high[lane]
            if swing_low[lane] > 0:
                result[1, i] = swing_low[lane]
            if trend[lane] != 0:
                result[2, i] = side[lane] if side[lane] == before[lane] else 0.0
                result[3, i] = side[lane] if side[lane] == -before[lane] else 0.0
        if i % _TOGETHER == 0:
            count = _merge(state, begun, count, i - memory)
    return result[0], result[1], result[2], result[3]
