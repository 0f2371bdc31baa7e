"""State machines with a finite memory: trailing stops and swings, each row as if begun ``memory`` bars earlier.

A machine begun one bar later soon stands where the one before it stands, and from there on both are the same. So the
states of the machine begun last are kept, the next one is run until it meets them, and just the last state is new.
Rows without a whole memory are NaN.
"""

import numpy as np

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array

# What a stop remembers.
_LONG, _NEXT_STOP, _EXTREME, _PACE, _STOP = range(5)
# What swings remember; prices are 0 where there is none yet, and so are directions.
_LEG, _TOP, _BOTTOM, _SWING_HIGH, _SWING_LOW, _HIGH_BROKEN, _LOW_BROKEN, _TREND, _BREAK, _TURN = range(10)


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
    kept, state = np.zeros((rows, 5)), np.zeros(5)
    for start in range(rows - memory):
        end = start + memory
        for i in range(start + 1, end + 1):
            if i == start + 1:
                _first_stop(state, high, low, i, pace)
            _next_stop(state, high, low, i, max(i - 1, start + 1), pace, limit)
            if _same(kept[i], state):
                state[:] = kept[end - 1]
                _next_stop(state, high, low, end, end - 1, pace, limit)
                kept[end] = state
                break
            kept[i] = state
        result[end] = kept[end, _STOP]
    return result


@compiled
def _same(one: Array, other: Array) -> bool:
    for k in range(len(one)):  # noqa: SIM110 - all() over a generator is beyond numba
        if one[k] != other[k]:
            return False
    return True


@compiled
def _first_stop(state: Array, high: Array, low: Array, i: int, pace: float) -> None:
    fall = low[i - 1] - low[i]
    is_long = not (fall > 0 and fall > high[i] - high[i - 1])
    state[_LONG] = is_long
    state[_NEXT_STOP] = low[i - 1] if is_long else high[i - 1]
    state[_EXTREME] = high[i] if is_long else low[i]
    state[_PACE] = pace


@compiled
def _next_stop(state: Array, high: Array, low: Array, i: int, before: int, pace: float, limit: float) -> None:
    """Put the stop in force into the state, turn where the bar touches it, and move it for the next bar."""
    is_long, stop, extreme = state[_LONG] == 1, state[_NEXT_STOP], state[_EXTREME]
    if (is_long and low[i] <= stop) or (not is_long and high[i] >= stop):
        is_long = not is_long
        stop = min(extreme, low[before], low[i]) if is_long else max(extreme, high[before], high[i])
        extreme = high[i] if is_long else low[i]
        state[_PACE] = pace
    elif (is_long and high[i] > extreme) or (not is_long and low[i] < extreme):
        extreme = high[i] if is_long else low[i]
        state[_PACE] = min(state[_PACE] + pace, limit)
    state[_STOP] = stop
    moved = stop + state[_PACE] * (extreme - stop)
    state[_NEXT_STOP] = min(moved, low[before], low[i]) if is_long else max(moved, high[before], high[i])
    state[_LONG], state[_EXTREME] = is_long, extreme


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
    kept, state = np.zeros((rows, 10)), np.zeros(10)
    for start in range(rows - memory):
        end = start + memory
        for i in range(start, end + 1):
            if i == start:
                state[:] = 0
                state[_TOP], state[_BOTTOM] = high[i], low[i]
            else:
                _next_swing(state, open_, high, low, close, distance, i)
            if i > start and _same(kept[i], state):
                state[:] = kept[end - 1]
                _next_swing(state, open_, high, low, close, distance, end)
                kept[end] = state
                break
            kept[i] = state
        if kept[end, _SWING_HIGH] > 0:
            result[0, end] = kept[end, _SWING_HIGH]
        if kept[end, _SWING_LOW] > 0:
            result[1, end] = kept[end, _SWING_LOW]
        if kept[end, _TREND] != 0:
            result[2, end], result[3, end] = kept[end, _BREAK], kept[end, _TURN]
    return result[0], result[1], result[2], result[3]


@compiled
def _next_swing(state: Array, open_: Array, high: Array, low: Array, close: Array, distance: Array, i: int) -> None:
    needed = distance[i]
    falls = needed > 0 and state[_LEG] >= 0 and state[_TOP] - low[i] >= needed
    rises = needed > 0 and state[_LEG] <= 0 and high[i] - state[_BOTTOM] >= needed
    if state[_LEG] > 0 and high[i] > state[_TOP]:
        state[_TOP] = high[i]
    elif state[_LEG] < 0 and low[i] < state[_BOTTOM]:
        state[_BOTTOM] = low[i]
    elif falls and not (rises and close[i] >= open_[i]):
        state[_SWING_HIGH], state[_HIGH_BROKEN] = state[_TOP], 0
        state[_LEG], state[_TOP], state[_BOTTOM] = -1, 0, low[i]
    elif rises:
        state[_SWING_LOW], state[_LOW_BROKEN] = state[_BOTTOM], 0
        state[_LEG], state[_TOP], state[_BOTTOM] = 1, high[i], 0
    elif state[_LEG] == 0:
        state[_TOP], state[_BOTTOM] = max(state[_TOP], high[i]), min(state[_BOTTOM], low[i])
    _look_for_break(state, close[i])


@compiled
def _look_for_break(state: Array, close: float) -> None:
    """Note a close beyond a swing that none was beyond before: with the structure a break, against it a turn."""
    side = 0
    if state[_SWING_HIGH] > 0 and state[_HIGH_BROKEN] == 0 and close > state[_SWING_HIGH]:
        side, state[_HIGH_BROKEN] = 1, 1
    elif state[_SWING_LOW] > 0 and state[_LOW_BROKEN] == 0 and close < state[_SWING_LOW]:
        side, state[_LOW_BROKEN] = -1, 1
    state[_BREAK] = side if state[_TREND] == side else 0
    state[_TURN] = side if state[_TREND] == -side else 0
    if side != 0:
        state[_TREND] = side
