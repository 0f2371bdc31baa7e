"""State machines with a finite memory: trailing stops and swings, each row as if begun ``memory`` bars earlier.

A machine begun one bar later soon stands where the one before it stands, and from there on both are the same. So the
states of the machine begun last are kept, the next one is run until it meets them, and just the last state is new.
Rows without a whole memory are NaN.

Steps take numbers, not arrays: an array handed on is counted, which would cost more than the step.
"""

from typing import NamedTuple

import numpy as np

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array


class Stop(NamedTuple):
    """What a trailing stop remembers; all numbers, so that a compiled loop keeps it in registers."""

    is_long: float
    next_stop: float
    extreme: float
    pace: float
    stop: float


class Swing(NamedTuple):
    """What swings remember; prices are 0 where there is none yet, and so are directions."""

    leg: float
    top: float
    bottom: float
    high: float
    low: float
    high_broken: float
    low_broken: float
    trend: float
    break_: float
    turn: float


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
    kept = np.zeros((rows, 5))
    for start in range(rows - memory):
        end, i = start + memory, start + 1
        state = _first_stop(high[i], low[i], high[start], low[start], pace)
        state = _next_stop(state, high[i], low[i], high[i], low[i], pace, limit)
        while i < end:
            if _same(kept, i, state):
                i = end - 1
                k = kept[i]
                state = Stop(k[0], k[1], k[2], k[3], k[4])
            _keep(kept, i, state)
            i += 1
            state = _next_stop(state, high[i], low[i], high[i - 1], low[i - 1], pace, limit)
        _keep(kept, end, state)
        result[end] = state.stop
    return result


@compiled
def _same(kept: Array, i: int, state: tuple[float, ...]) -> bool:
    for k in range(len(state)):  # noqa: SIM110 - all() over a generator is beyond numba
        if kept[i, k] != state[k]:
            return False
    return True


@compiled
def _keep(kept: Array, i: int, state: tuple[float, ...]) -> None:
    for k in range(len(state)):
        kept[i, k] = state[k]


@compiled
def _first_stop(high: float, low: float, high_before: float, low_before: float, pace: float) -> Stop:
    fall = low_before - low
    if fall > 0 and fall > high - high_before:
        return Stop(0.0, high_before, low, pace, 0.0)
    return Stop(1.0, low_before, high, pace, 0.0)


@compiled
def _next_stop(
    state: Stop, high: float, low: float, high_before: float, low_before: float, pace: float, limit: float
) -> Stop:
    """Put the stop in force into the state, turn where the bar touches it, and move it for the next bar."""
    is_long, stop, extreme, speed = state.is_long == 1, state.next_stop, state.extreme, state.pace
    if (is_long and low <= stop) or (not is_long and high >= stop):
        is_long = not is_long
        stop = min(extreme, low_before, low) if is_long else max(extreme, high_before, high)
        extreme = high if is_long else low
        speed = pace
    elif (is_long and high > extreme) or (not is_long and low < extreme):
        extreme = high if is_long else low
        speed = min(speed + pace, limit)
    moved = stop + speed * (extreme - stop)
    next_stop = min(moved, low_before, low) if is_long else max(moved, high_before, high)
    return Stop(1.0 if is_long else 0.0, next_stop, extreme, speed, stop)


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
    kept = np.zeros((rows, 10))
    for start in range(rows - memory):
        end, i = start + memory, start
        state = Swing(0.0, high[i], low[i], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        while i < end:
            if i > start and _same(kept, i, state):
                i = end - 1
                k = kept[i]
                state = Swing(k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7], k[8], k[9])
            _keep(kept, i, state)
            i += 1
            state = _next_swing(state, open_[i], high[i], low[i], close[i], distance[i])
        _keep(kept, end, state)
        if state.high > 0:
            result[0, end] = state.high
        if state.low > 0:
            result[1, end] = state.low
        if state.trend != 0:
            result[2, end], result[3, end] = state.break_, state.turn
    return result[0], result[1], result[2], result[3]


@compiled
def _next_swing(state: Swing, open_: float, high: float, low: float, close: float, needed: float) -> Swing:
    leg, top, bottom = state.leg, state.top, state.bottom
    swing_high, swing_low = state.high, state.low
    high_broken, low_broken = state.high_broken, state.low_broken
    falls = needed > 0 and leg >= 0 and top - low >= needed
    rises = needed > 0 and leg <= 0 and high - bottom >= needed
    if leg > 0 and high > top:
        top = high
    elif leg < 0 and low < bottom:
        bottom = low
    elif falls and not (rises and close >= open_):
        swing_high, high_broken = top, 0.0
        leg, top, bottom = -1.0, 0.0, low
    elif rises:
        swing_low, low_broken = bottom, 0.0
        leg, top, bottom = 1.0, high, 0.0
    elif leg == 0:
        top, bottom = max(top, high), min(bottom, low)
    # A close beyond a swing that none was beyond before: with the structure a break, against it a turn.
    side = 0.0
    if swing_high > 0 and high_broken == 0 and close > swing_high:
        side, high_broken = 1.0, 1.0
    elif swing_low > 0 and low_broken == 0 and close < swing_low:
        side, low_broken = -1.0, 1.0
    trend = state.trend
    return Swing(
        leg,
        top,
        bottom,
        swing_high,
        swing_low,
        high_broken,
        low_broken,
        side if side != 0 else trend,
        side if trend == side else 0.0,
        side if trend == -side else 0.0,
    )
