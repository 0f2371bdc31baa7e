"""Exponential averages with a finite memory.

A textbook recursion never quite forgets: a million-fold spike is still felt long after its weight has fallen below
rounding for ordinary bars. Here row ``i`` is what the recursion gives when it starts ``memory`` bars earlier, seeded as
TA-Lib seeds it, which makes an average a window like any other (see `doubling`), whose older values weigh less. Rows
without a whole memory are NaN, and a NaN spoils just the memories it lies in.
"""

import numpy as np

from nightfold.features.compiled import lean
from nightfold.features.doubling import BLOCK, CHAIN, TOTAL, join_rows, workplace
from nightfold.features.segment import Array

Shares = tuple[float, float, float]


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
    result = np.full(len(values), np.nan)
    _smooth(values, window, weight, memory, *workplace(memory, 2), result[memory:])
    return result


@lean
def _smooth(values: Array, window: int, weight: float, memory: int, room: Array, lines: Array, result: Array) -> None:
    for begin in range(0, len(result), BLOCK):
        out = result[begin : begin + BLOCK]
        average(values[begin : begin + memory + len(out)], window, weight, memory, room, lines, out)


@lean
def average(values: Array, window: int, weight: float, memory: int, room: Array, lines: Array, out: Array) -> None:
    """Average values as `smooth` does, for each row with a whole memory; two lines are written over."""
    steps, decay = memory - window + 1, 1 - weight
    fading, seed, share = lines[0], lines[1], decay**steps / window
    join_rows(TOTAL, values[window:], values, steps, decay, 1, room, fading)
    join_rows(TOTAL, values[: len(out) + window - 1], values, window, 1.0, 1, room, seed)
    for i in range(len(out)):
        out[i] = weight * fading[i] + share * seed[i]


def exponential(values: Array, window: int, memory: int) -> Array:
    """Exponential moving average, weight 2 / (window + 1)."""
    return smooth(values, window, 2 / (window + 1), memory)


def wilder(values: Array, window: int, memory: int) -> Array:
    """Wilder's average, weight 1 / window."""
    return smooth(values, window, 1 / window, memory)


def convergence(close: Array, fast: int, slow: int, signal: int, memory: int) -> tuple[Array, Array]:
    """Follow the difference of two exponential averages, in quote currency.

    All three averages start ``memory`` bars before the row. The signal starts at the line instead of at a mean of the
    first lines; its start is long forgotten.

    Returns
    -------
    tuple
        Line (fast less slow average) and histogram (line less its average).
    """
    steps, decay = memory - slow + 1, 1 - 2 / (signal + 1)
    fast_line, fast_gap = _shares(fast, steps, decay)
    slow_line, slow_gap = _shares(slow, steps, decay)
    result = np.full((2, len(close)), np.nan)
    line, gap = result[:, memory:]
    shares = (fast_line, slow_line, fast_gap, slow_gap)
    _converge(close, (fast, slow, signal), memory, shares, *workplace(memory, 5), line, gap)
    return result[0], result[1]


@lean
def _converge(
    close: Array,
    windows: tuple[int, int, int],
    memory: int,
    shares: tuple[Shares, Shares, Shares, Shares],
    room: Array,
    lines: Array,
    line: Array,
    gap: Array,
) -> None:
    fast, slow, signal = windows
    steps = memory - slow + 1
    for begin in range(0, len(line), BLOCK):
        rows = min(BLOCK, len(line) - begin)
        seen = close[begin : begin + memory + rows]
        recent, seeds = seen[slow:], seen[: rows + slow - 1]
        join_rows(TOTAL, recent, seen, steps, 1 - 2 / (fast + 1), 1, room, lines[0])
        join_rows(TOTAL, recent, seen, steps, 1 - 2 / (slow + 1), 1, room, lines[1])
        join_rows(TOTAL, recent, seen, steps, 1 - 2 / (signal + 1), 1, room, lines[2])
        join_rows(TOTAL, seeds[slow - fast :], seen, fast, 1.0, 1, room, lines[3])
        join_rows(TOTAL, seeds, seen, slow, 1.0, 1, room, lines[4])
        _less(lines, shares[0], shares[1], line[begin : begin + rows])
        _less(lines, shares[2], shares[3], gap[begin : begin + rows])


def _shares(window: int, steps: int, decay: float) -> tuple[Shares, Shares]:
    """Tell how an average, and how its distance from its own average begun at the same start, is made up.

    Of the sum that fades as the average does, of the one that fades with ``decay``, and of the seed's sum.
    """
    weight = 2 / (window + 1)
    own = 1 - weight
    # A price of age k weighs own**k in the average. In the average of averages it weighs the sum over k of own**k
    # times decay**(age - k), which is the difference of two powers.
    mix = (1 - decay) / (own - decay)
    seed_weight = mix * own * (own**steps - decay**steps) + decay**steps
    line = weight, 0.0, own**steps / window
    gap = weight - mix * weight * own, mix * weight * decay, (own**steps - seed_weight) / window
    return line, gap


@lean
def _less(sums: Array, one: Shares, other: Shares, out: Array) -> None:
    """Put the fast average or gap together from its shares, less the slow one."""
    fast, slow, faded, fast_seed, slow_seed = sums[0], sums[1], sums[2], sums[3], sums[4]
    for i in range(len(out)):
        total = one[0] * fast[i] - other[0] * slow[i] + (one[1] - other[1]) * faded[i]
        out[i] = total + (one[2] * fast_seed[i] - other[2] * slow_seed[i])


def adaptive(close: Array, window: int, memory: int) -> Array:
    """Kaufman's adaptive average, between the speeds of 2- and 30-bar exponential averages."""
    result = np.full(len(close), np.nan)
    _adapt(close, window, memory, *workplace(memory, 5, fields=2), result[memory:])
    return result


@lean
def _adapt(close: Array, window: int, memory: int, room: Array, lines: Array, result: Array) -> None:
    moves, path, kept, added, chain = lines[0], lines[1], lines[2], lines[3], lines[4]
    steps = memory - window + 1
    for begin in range(0, len(result), BLOCK):
        out = result[begin : begin + BLOCK]
        seen = close[begin : begin + memory + len(out)]
        rows = steps + len(out) - 1
        _moves(seen, moves)
        join_rows(TOTAL, moves[: len(seen) - 1], seen, window, 1.0, 1, room, path)
        _speeds(seen, path, window, kept[:rows], added[:rows])
        join_rows(CHAIN, kept[:rows], added[:rows], steps, 1.0, 2, room, chain)
        addend, oldest = chain[rows:], seen[window - 1 :]
        for i in range(len(out)):
            out[i] = chain[i] * oldest[i] + addend[i]


@lean
def _moves(values: Array, moves: Array) -> None:
    late = values[1:]
    for i in range(len(late)):
        moves[i] = abs(late[i] - values[i])


@lean
def _speeds(close: Array, path: Array, window: int, kept: Array, added: Array) -> None:
    """Tell what is kept of the average and what the close adds: more, the straighter the way through the window."""
    late = close[window:]
    for i in range(len(kept)):
        way = abs(late[i] - close[i])
        efficiency = 1.0 if way >= path[i] else way / path[i]
        root = efficiency * (2 / 3 - 2 / 31) + 2 / 31
        kept[i], added[i] = 1 - root * root, root * root * late[i]
