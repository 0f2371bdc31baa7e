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
def _merge(state: Array, begun: NDArray[np.int64], fields: int, count: int, start: int) -> int:
    """Forget lanes begun before ``start``, make one of neighbours in the same state, and tell how many are left."""
    kept = 0
    for lane in range(count):
        if begun[lane] < start:
            continue
        same = kept > 0
        for field in range(fields):
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
    state, begun = _lanes(5, memory)
    side, next_stop, extreme, speed, in_force = state[0], state[1], state[2], state[3], state[4]
    count = 0
    for i in range(1, rows):
        bar, before = (low[i], high[i]), (low[i - 1], high[i - 1])
        for k in range(_padded(count)):
            side[k], next_stop[k], extreme[k], speed[k], in_force[k] = _follow(
                side[k], next_stop[k], extreme[k], speed[k], bar, before, pace, limit
            )
        fall = before[0] - bar[0]
        falls = fall > 0 and fall > bar[1] - before[1]
        first = (-1.0, -before[1], -bar[0], pace) if falls else (1.0, before[0], bar[1], pace)
        side[count], next_stop[count], extreme[count], speed[count], in_force[count] = _follow(
            first[0], first[1], first[2], first[3], bar, bar, pace, limit
        )
        begun[count] = i - 1
        count += 1
        if i >= memory:
            result[i] = in_force[_first_since(begun, i - memory)]
        if i % _TOGETHER == 0:
            count = _merge(state, begun, 4, count, i - memory)
    return result


@compiled
def _follow(
    side: float,
    stop: float,
    extreme: float,
    speed: float,
    bar: tuple[float, float],
    before: tuple[float, float],
    pace: float,
    limit: float,
) -> tuple[float, float, float, float, float]:
    """Turn where the bar touches the stop, and move the stop for the next bar: side, stop, extreme, speed, stop in force.

    A falling trend is a rising one of negative prices; bars are low and high.
    """
    rises = side > 0
    low, high = (bar[0], bar[1]) if rises else (-bar[1], -bar[0])
    low_before, high_before = (before[0], before[1]) if rises else (-before[1], -before[0])
    floor, ceiling = min(low, low_before), max(high, high_before)
    turns, further = low <= stop, high > extreme
    side = -side if turns else side
    stop = -max(extreme, ceiling) if turns else stop
    speed = pace if turns else min(speed + pace, limit) if further else speed
    extreme = -low if turns else max(extreme, high)
    floor = -ceiling if turns else floor
    return side, min(stop + speed * (extreme - stop), floor), extreme, speed, side * stop


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
            count = _merge(state, begun, 8, count, i - memory)
    return result[0], result[1], result[2], result[3]
