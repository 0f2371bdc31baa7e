"""Exponential averages with a finite memory.

A textbook recursion never quite forgets: a million-fold spike is still felt long after its weight has fallen below
rounding for ordinary bars. Here row ``i`` is what the recursion gives when it starts ``memory`` bars earlier, seeded as
TA-Lib seeds it. That needs no second pass: two runs of one linear recursion differ by their difference at the start
times the decay since. Rows without a whole memory are NaN, and a NaN spoils just the memories it lies in.
"""

import numpy as np

from nightfold.features.compiled import compiled
from nightfold.features.rolling import total
from nightfold.features.segment import Array


@compiled
def smooth(values: Array, window: int, weight: float, memory: int) -> Array:
    """Average with exponential weights over the last ``memory`` + 1 values.

    Parameters
    ----------
    values
        May begin with NaN.
    window
        Values in the plain mean that seeds the recursion.
    weight
        Share of the newest value in the new average, between 0 and 1.
    memory
        Bars before the current one that count; at least ``window``.
    """
    rows = len(values)
    result, state = np.full(rows, np.nan), np.zeros(rows)
    clean = np.where(np.isnan(values), 0.0, values)
    seed = total(clean, window) / window
    steps = memory - window + 1
    decay = (1 - weight) ** steps
    last_unknown, last_value = -1, -1
    for i in range(rows):
        if np.isnan(values[i]):
            last_unknown = i
        elif values[i] != 0:
            last_value = i
        if i < window:
            state[i] = seed[i] if i == window - 1 else 0.0
        else:
            state[i] = state[i - 1] + weight * (clean[i] - state[i - 1])
        if i - last_unknown > memory:
            known = last_value >= i - memory  # else exactly 0, and no rounding of what is forgotten
            result[i] = state[i] + decay * (seed[i - steps] - state[i - steps]) if known else 0.0
    return result


def exponential(values: Array, window: int, memory: int) -> Array:
    """Exponential moving average, weight 2 / (window + 1)."""
    return smooth(values, window, 2 / (window + 1), memory)


def wilder(values: Array, window: int, memory: int) -> Array:
    """Wilder's average, weight 1 / window."""
    return smooth(values, window, 1 / window, memory)


@compiled
def convergence(close: Array, fast: int, slow: int, signal: int, memory: int) -> tuple[Array, Array]:
    """Follow the difference of two exponential averages, in quote currency.

    All three averages start ``memory`` bars before the row. The signal starts at the line instead of at a mean of the
    first lines; its start is long forgotten.

    Returns
    -------
    tuple
        Line (fast less slow average) and histogram (line less its average).
    """
    rows = len(close)
    line, histogram = np.full(rows, np.nan), np.full(rows, np.nan)
    fast_weight, slow_weight, signal_weight = 2 / (fast + 1), 2 / (slow + 1), 2 / (signal + 1)
    fast_seed, slow_seed = total(close, fast) / fast, total(close, slow) / slow
    state = np.zeros((rows, 3))
    steps = memory - slow + 1
    fast_decay, slow_decay, signal_decay = (
        (1 - fast_weight) ** steps,
        (1 - slow_weight) ** steps,
        (1 - signal_weight) ** steps,
    )
    # How much a difference in an average's start moves the signal ``steps`` bars later.
    fast_echo = slow_echo = 0.0
    for k in range(1, steps + 1):
        late = signal_weight * (1 - signal_weight) ** (steps - k)
        fast_echo += late * (1 - fast_weight) ** k
        slow_echo += late * (1 - slow_weight) ** k
    for i in range(slow - 1, rows):
        if i == slow - 1:
            state[i, 0], state[i, 1] = fast_seed[i], slow_seed[i]
            state[i, 2] = fast_seed[i] - slow_seed[i]
        else:
            state[i, 0] = state[i - 1, 0] + fast_weight * (close[i] - state[i - 1, 0])
            state[i, 1] = state[i - 1, 1] + slow_weight * (close[i] - state[i - 1, 1])
            state[i, 2] = state[i - 1, 2] + signal_weight * (state[i, 0] - state[i, 1] - state[i - 1, 2])
        if i >= memory:
            j = i - steps
            d_fast, d_slow = fast_seed[j] - state[j, 0], slow_seed[j] - state[j, 1]
            d_signal = fast_seed[j] - slow_seed[j] - state[j, 2]
            line[i] = state[i, 0] + fast_decay * d_fast - state[i, 1] - slow_decay * d_slow
            shift = signal_decay * d_signal + fast_echo * d_fast - slow_echo * d_slow
            histogram[i] = line[i] - state[i, 2] - shift
    return line, histogram


@compiled
def adaptive(close: Array, window: int, memory: int) -> Array:
    """Kaufman's adaptive average, between the speeds of 2- and 30-bar exponential averages."""
    rows = len(close)
    result, state = np.full(rows, np.nan), np.zeros(rows)
    steps = memory - window + 1
    step = np.zeros(rows)
    step[1:] = np.abs(close[1:] - close[:-1])
    path = total(step, window)
    speed = np.zeros(rows)
    for i in range(window, rows):
        way = abs(close[i] - close[i - window])
        efficiency = way / path[i] if way < path[i] else 1.0
        speed[i] = (efficiency * (2 / 3 - 2 / 31) + 2 / 31) ** 2
    decay = np.exp(total(np.log(1 - speed), steps))
    for i in range(window - 1, rows):
        state[i] = close[i] if i < window else state[i - 1] + speed[i] * (close[i] - state[i - 1])
        if i >= memory:
            result[i] = state[i] + decay[i] * (close[i - steps] - state[i - steps])
    return result
