"""State machines with a finite memory: trailing stops and swings, each row as if begun ``memory`` bars earlier.

A machine begins at every bar, and all of them go on side by side, a lane each. Two that were begun one after the other
soon come to the same state, and from there on are one. So there are few lanes, in the order in which they were begun,
and one of them answers for the machine that is wanted. Rows without a whole memory are NaN.

Lanes are stepped without branches, each number read once, so that a processor takes several at a time.
"""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array

_ABREAST = 8
"""Lanes are stepped in groups of so many: those behind the last do no harm."""
_BETWEEN_MERGES = 32
"""Bars from one look for equal states to the next."""


@compiled
def _lanes(fields: int, memory: int) -> tuple[Array, NDArray[np.int64]]:
    """Room for the states of all machines that can differ, and for the newest start that each stands for."""
    room = memory + _BETWEEN_MERGES + _ABREAST
    return np.zeros((fields, room)), np.zeros(room, dtype=np.int64)


@compiled
def _stepped(count: int) -> int:
    return (count + _ABREAST - 1) // _ABREAST * _ABREAST


@compiled
def _lane_of(begun: NDArray[np.int64], start: int) -> int:
    """Find the lane that stands for the machine begun at ``start``."""
    lane = 0
    while begun[lane] < start:
        lane += 1
    return lane


@compiled
def _merge(state: Array, fields: int, begun: NDArray[np.int64], count: int, start: int) -> int:
    """Forget machines begun before ``start``, make one of neighbours with equal ``fields``, and count what is left."""
    kept = 0
    for lane in range(_lane_of(begun, start), count):
        equal = 0
        while kept > 0 and equal < fields and state[equal, lane] == state[equal, kept - 1]:
            equal += 1
        if equal < fields:
            for field in range(fields):
                state[field, kept] = state[field, lane]
            kept += 1
        begun[kept - 1] = begun[lane]
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
    side, stop, extreme, speed, in_force = state[0], state[1], state[2], state[3], state[4]
    count = 0
    for i in range(1, rows):
        bar, before = (low[i], high[i]), (low[i - 1], high[i - 1])
        for k in range(_stepped(count)):
            side[k], stop[k], extreme[k], speed[k], in_force[k] = _follow(
                side[k], stop[k], extreme[k], speed[k], bar, before, pace, limit
            )
        fall = before[0] - bar[0]
        falls = fall > 0 and fall > bar[1] - before[1]
        first = (-1.0, -before[1], -bar[0]) if falls else (1.0, before[0], bar[1])
        side[count], stop[count], extreme[count], speed[count], in_force[count] = _follow(
            first[0], first[1], first[2], pace, bar, bar, pace, limit
        )
        begun[count] = i - 1
        count += 1
        if i >= memory:
            result[i] = in_force[_lane_of(begun, i - memory)]
        if i % _BETWEEN_MERGES == 0:
            count = _merge(state, 4, begun, count, i - memory)
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
    """Turn where the bar touches the stop, and move the stop for the next bar; give the one in force, too.

    Bars are low and high. A falling trend is a rising one of negative prices.
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
    state, begun = _lanes(6, memory)
    # A rising leg has no bottom, a falling one no top; a swing is negative once a close lies beyond it, 0 before the
    # first; the trend is 0 before the first close beyond a swing.
    top, bottom, swing_high, swing_low, trend, side = state[0], state[1], state[2], state[3], state[4], state[5]
    count = lane = 0
    for i in range(rows):
        up_to, down_to, last = high[i], low[i], close[i]
        needed = distance[i] if distance[i] > 0 else np.inf
        first_turn = 1.0 if last >= open_[i] else -1.0
        trend_before = 0.0
        if i >= memory:
            lane = _lane_of(begun, i - memory)
            trend_before = trend[lane]
        for k in range(_stepped(count)):
            highest, lowest, above, below, known = top[k], bottom[k], swing_high[k], swing_low[k], trend[k]
            down, up = highest == -np.inf, lowest == np.inf
            falls = 1.0 if highest - down_to >= needed else 0.0
            rises = 1.0 if up_to - lowest >= needed else 0.0
            falls = 0.0 if up & (up_to > highest) else falls
            rises = 0.0 if down & (down_to < lowest) else rises
            turn = first_turn if falls * rises > 0 else rises - falls
            above = highest if turn < 0 else above
            below = lowest if turn > 0 else below
            highest = -np.inf if down else max(highest, up_to)
            lowest = np.inf if up else min(lowest, down_to)
            highest = -np.inf if turn < 0 else highest
            lowest = np.inf if turn > 0 else lowest
            beyond = -1.0 if (below > 0) & (last < below) else 0.0
            beyond = 1.0 if (above > 0) & (last > above) else beyond
            top[k] = up_to if turn > 0 else highest
            bottom[k] = down_to if turn < 0 else lowest
            swing_high[k] = -above if beyond > 0 else above
            swing_low[k] = -below if beyond < 0 else below
            trend[k] = known if beyond == 0 else beyond
            side[k] = beyond
        top[count], bottom[count], begun[count] = up_to, down_to, i
        swing_high[count], swing_low[count], trend[count], side[count] = 0.0, 0.0, 0.0, 0.0
        count += 1
        if i >= memory:
            if swing_high[lane] != 0:
                result[0, i] = abs(swing_high[lane])
            if swing_low[lane] != 0:
                result[1, i] = abs(swing_low[lane])
            if trend[lane] != 0:  # with the structure a break, against it a turn
                result[2, i] = side[lane] if side[lane] == trend_before else 0.0
                result[3, i] = side[lane] if side[lane] == -trend_before else 0.0
        if i % _BETWEEN_MERGES == 0:
            count = _merge(state, 5, begun, count, i - memory)
    return result[0], result[1], result[2], result[3]
