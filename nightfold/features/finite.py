"""State machines with a finite memory: trailing stops and swings, each row as if begun ``memory`` bars earlier.

A machine begins at every bar, and all of them go on side by side, a lane each. Two that were begun one after the other
soon come to the same state, and from there on are one. So there are few lanes, in the order in which they were begun,
and one of them answers for the machine that is wanted. Rows without a whole memory are NaN.

Lanes are stepped without branches, each number read once, so that a processor takes several at a time.
"""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled, lean
from nightfold.features.segment import Array

_ABREAST = 8
"""Lanes are stepped in groups of so many: those behind the last do no harm."""
_BETWEEN_MERGES = 32
"""Bars from one look for equal states to the next."""
_ROOM = 1_032
"""Lanes there is room for. A number known beforehand, so that nothing need be asked before lanes are stepped; and not a
whole page of memory, in which fields would be in each other's way."""

_STOP_SIDE, _STOP, _STOP_EXTREME, _SPEED, _IN_FORCE = range(0, 5 * _ROOM, _ROOM)
_LEG, _EXTREME, _HIGH, _LOW, _TREND, _BEYOND = range(0, 6 * _ROOM, _ROOM)


@compiled
def _lanes(fields: int, memory: int) -> tuple[Array, NDArray[np.int64]]:
    """Room for the states of all machines that can differ, and for the newest start that each stands for.

    A group of lanes is a line of the cache: across two, states that have just been written are slow to read.
    """
    if memory + _BETWEEN_MERGES + _ABREAST > _ROOM:
        raise ValueError("`memory` is too long; it must be 992 bars or less.")
    numbers = np.zeros(fields * _ROOM + _ABREAST)
    first = -(numbers.ctypes.data // numbers.itemsize) % _ABREAST
    return numbers[first : first + fields * _ROOM], np.zeros(_ROOM, dtype=np.int64)


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
def _differ(state: Array, fields: int, one: int, other: int) -> bool:
    """Whether two lanes are not in the same state."""
    equal = 0
    while equal < fields and state[equal * _ROOM + one] == state[equal * _ROOM + other]:
        equal += 1
    return equal < fields


@compiled
def _merge(state: Array, fields: int, begun: NDArray[np.int64], count: int, start: int) -> int:
    """Forget machines begun before ``start``, make one of neighbours with equal ``fields``, and count what is left."""
    kept = 0
    for lane in range(count):
        if begun[lane] < start:
            continue
        if kept == 0 or _differ(state, fields, lane, kept - 1):
            for field in range(fields):
                state[field * _ROOM + kept] = state[field * _ROOM + lane]
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
        Bars before the current one that count; 2 to 992.

    Raises
    ------
    ValueError
        If ``memory`` is longer.
    """
    rows = len(high)
    result = np.full(rows, np.nan)
    state, begun = _lanes(5, memory)
    count = 0
    for i in range(1, rows):
        bar, before = (low[i], high[i]), (low[i - 1], high[i - 1])
        for k in range(_stepped(count)):
            (
                state[_STOP_SIDE + k],
                state[_STOP + k],
                state[_STOP_EXTREME + k],
                state[_SPEED + k],
                state[_IN_FORCE + k],
            ) = _follow(
                state[_STOP_SIDE + k],
                state[_STOP + k],
                state[_STOP_EXTREME + k],
                state[_SPEED + k],
                bar,
                before,
                pace,
                limit,
            )
        fall = before[0] - bar[0]
        falls = fall > 0 and fall > bar[1] - before[1]
        first = (-1.0, -before[1], -bar[0]) if falls else (1.0, before[0], bar[1])
        (
            state[_STOP_SIDE + count],
            state[_STOP + count],
            state[_STOP_EXTREME + count],
            state[_SPEED + count],
            state[_IN_FORCE + count],
        ) = _follow(first[0], first[1], first[2], pace, bar, bar, pace, limit)
        begun[count] = i - 1
        count += 1
        if i >= memory:
            result[i] = state[_IN_FORCE + _lane_of(begun, i - memory)]
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
        Bars before the current one that count; 992 or less.

    Returns
    -------
    tuple
        Last confirmed swing high and swing low; break of structure and change of character in the bar, each -1, 0 or 1.
        NaN where the memory holds no swing, or no break that tells the direction of the structure.

    Raises
    ------
    ValueError
        If ``memory`` is longer.
    """
    rows = len(close)
    result = np.full((4, rows), np.nan)
    state, begun = _lanes(6, memory)
    # Machines begun from `waiting` on have no leg and no lane yet: all that is known of them are the highest high and
    # the lowest low since their start, in `top` and `bottom` those of the oldest.
    count = waiting = 0
    tops, bottoms = np.empty(rows), np.empty(rows)
    top, bottom = -np.inf, np.inf
    for i in range(rows):
        start, needed = i - memory, distance[i] if distance[i] > 0 else np.inf
        bar = low[i], high[i], close[i], needed
        trend_before = state[_TREND + _lane_of(begun, start)] if 0 <= start < waiting else 0.0
        for k in range(_stepped(count)):
            (
                state[_LEG + k],
                state[_EXTREME + k],
                state[_HIGH + k],
                state[_LOW + k],
                state[_TREND + k],
                state[_BEYOND + k],
            ) = _walk(state[_LEG + k], state[_EXTREME + k], state[_HIGH + k], state[_LOW + k], state[_TREND + k], bar)
        way = _first_leg(top, bottom, bar, open_[i])
        if way != 0:
            waiting = max(waiting, start)
            _extremes_up_to(i, waiting, high, low, tops, bottoms)
            top, bottom = tops[waiting], bottoms[waiting]
            way = _first_leg(top, bottom, bar, open_[i])
        while way != 0:
            (
                state[_LEG + count],
                state[_EXTREME + count],
                state[_HIGH + count],
                state[_LOW + count],
                state[_TREND + count],
                state[_BEYOND + count],
            ) = _begin(way, top, bottom, bar)
            count += 1 if count == 0 or _differ(state, 5, count, count - 1) else 0
            begun[count - 1] = waiting
            waiting += 1
            top, bottom = (tops[waiting], bottoms[waiting]) if waiting < i else (-np.inf, np.inf)
            way = _first_leg(top, bottom, bar, open_[i])
        top, bottom = max(top, high[i]), min(bottom, low[i])
        if 0 <= start < waiting:
            lane = _lane_of(begun, start)
            if state[_HIGH + lane] != 0:
                result[0, i] = abs(state[_HIGH + lane])
            if state[_LOW + lane] != 0:
                result[1, i] = abs(state[_LOW + lane])
            if state[_TREND + lane] != 0:  # with the structure a break, against it a turn
                result[2, i] = state[_BEYOND + lane] if state[_BEYOND + lane] == trend_before else 0.0
                result[3, i] = state[_BEYOND + lane] if state[_BEYOND + lane] == -trend_before else 0.0
        if i % _BETWEEN_MERGES == 0:
            count = _merge(state, 5, begun, count, start)
    return result[0], result[1], result[2], result[3]


@compiled
def _walk(
    leg: float, extreme: float, above: float, below: float, trend: float, bar: tuple[float, float, float, float]
) -> tuple[float, float, float, float, float, float]:
    """Follow a leg, turn where the bar is far enough from its extreme without going beyond it, and judge the close.

    Bars are low, high, close and the distance that is far enough. A falling leg is a rising one of negative prices.
    """
    low, high, close, needed = bar
    ahead, behind = (high, low) if leg > 0 else (-low, -high)
    turns = (ahead <= extreme) & (extreme - behind >= needed)
    turned = leg if turns else 0.0
    above = extreme if turned > 0 else above
    below = -extreme if turned < 0 else below
    extreme = -behind if turns else max(extreme, ahead)
    return _judge(leg - 2 * turned, extreme, above, below, trend, close)


@compiled
def _judge(
    leg: float, extreme: float, above: float, below: float, trend: float, close: float
) -> tuple[float, float, float, float, float, float]:
    """Tell whether the close is the first beyond a swing, 1 or -1, else 0; last, behind the state.

    A swing is negative once a close lies beyond it, 0 before the first; the trend is 0 before the first such close.
    """
    beyond = -1.0 if (below > 0) & (close < below) else 0.0
    beyond = 1.0 if (above > 0) & (close > above) else beyond
    above = -above if beyond > 0 else above
    below = -below if beyond < 0 else below
    return leg, extreme, above, below, trend if beyond == 0 else beyond, beyond


@compiled
def _first_leg(top: float, bottom: float, bar: tuple[float, float, float, float], open_: float) -> float:
    """Direction of the first leg, which the bar's body decides where both are confirmed; 0 where none is."""
    low, high, close, needed = bar
    falls, rises = top - low >= needed, high - bottom >= needed
    if falls and rises:
        return 1.0 if close >= open_ else -1.0
    return -1.0 if falls else 1.0 if rises else 0.0


@compiled
def _begin(
    leg: float, top: float, bottom: float, bar: tuple[float, float, float, float]
) -> tuple[float, float, float, float, float, float]:
    """State of a machine whose first leg the bar has confirmed."""
    low, high, close, _ = bar
    if leg > 0:
        return _judge(leg, high, 0.0, bottom, 0.0, close)
    return _judge(leg, -low, top, 0.0, 0.0, close)


@lean
def _extremes_up_to(end: int, first: int, high: Array, low: Array, tops: Array, bottoms: Array) -> None:
    """Write down the highest high and the lowest low from each row, the first and later, to the one before the end."""
    top, bottom = -np.inf, np.inf
    for row in range(end - 1, first - 1, -1):
        top, bottom = max(top, high[row]), min(bottom, low[row])
        tops[row], bottoms[row] = top, bottom
