"""Exponential averages with a finite memory.

A textbook recursion never quite forgets: a million-fold spike is still felt long after its weight has fallen below
rounding for ordinary bars. Here row ``i`` is what the recursion gives when it starts ``memory`` bars earlier, seeded as
TA-Lib seeds it, which makes an average a window like any other (see `doubling`), whose older values weigh less. Rows
without a whole memory are NaN, and a NaN spoils just the memories it lies in.
"""

import numpy as np

from nightfold.features.compiled import compiled
from nightfold.features.doubling import CHAIN, over
from nightfold.features.rolling import Windows, total
from nightfold.features.segment import Array, difference, lag

Shares = tuple[float, float, float]


def smooth(series: Windows, window: int, weight: float, memory: int) -> Array:
    """Average with exponential weights over the last ``memory`` + 1 values.

    Parameters
    ----------
    series
        Its values may begin with NaN.
    window
        Values in the plain mean that seeds the recursion.
    weight
        Share of the newest value in the new average, between 0 and 1.
    memory
        Bars before the current one that count; at least ``window``.
    """
    steps, decay = memory - window + 1, 1 - weight
    fading, seed = series.fading_total(steps, decay), series.total(window)
    return _seeded(fading, seed, weight, decay**steps / window, steps)


@compiled
def _seeded(fading: Array, seed: Array, weight: float, share: float, steps: int) -> Array:
    """Add to the weighted sum its share of the sum ``steps`` rows before."""
    average = np.empty(len(fading))
    average[:steps] = np.nan
    late, recent = average[steps:], fading[steps:]
    for i in range(len(late)):
        late[i] = weight * recent[i] + share * seed[i]
    return average


def exponential(series: Windows, window: int, memory: int) -> Array:
    """Exponential moving average, weight 2 / (window + 1)."""
    return smooth(series, window, 2 / (window + 1), memory)


def wilder(series: Windows, window: int, memory: int) -> Array:
    """Wilder's average, weight 1 / window."""
    return smooth(series, window, 1 / window, memory)


def convergence(close: Windows, fast: int, slow: int, signal: int, memory: int) -> tuple[Array, Array]:
    """Follow the difference of two exponential averages, in quote currency.

    All three averages start ``memory`` bars before the row. The signal starts at the line instead of at a mean of the
    first lines; its start is long forgotten.

    Returns
    -------
    tuple
        Line (fast less slow average) and histogram (line less its average).
    """
    steps, decay = memory - slow + 1, 1 - 2 / (signal + 1)
    fast_sum, slow_sum = close.fading_total(steps, 1 - 2 / (fast + 1)), close.fading_total(steps, 1 - 2 / (slow + 1))
    sums = fast_sum, slow_sum, close.fading_total(steps, decay), close.total(fast), close.total(slow)
    fast_line, fast_gap = _shares(fast, steps, decay)
    slow_line, slow_gap = _shares(slow, steps, decay)
    return (
        _less(*sums, fast_line, slow_line, steps),
        _less(*sums, fast_gap, slow_gap, steps),
    )


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


@compiled
def _less(
    fast: Array, slow: Array, faded: Array, fast_seed: Array, slow_seed: Array, one: Shares, other: Shares, steps: int
) -> Array:
    """Put the fast average or gap together from its shares, less the slow one."""
    result = np.empty(len(fast))
    result[:steps] = np.nan
    late, fast, slow, faded = result[steps:], fast[steps:], slow[steps:], faded[steps:]
    for i in range(len(late)):
        sums = one[0] * fast[i] - other[0] * slow[i] + (one[1] - other[1]) * faded[i]
        late[i] = sums + (one[2] * fast_seed[i] - other[2] * slow_seed[i])
    return result


def adaptive(close: Array, window: int, memory: int) -> Array:
    """Kaufman's adaptive average, between the speeds of 2- and 30-bar exponential averages."""
    steps = memory - window + 1
    path = total(np.abs(difference(close, 1)), window)
    factor, addend = over(CHAIN, *_adapt(close, path, window), steps, 1.0)
    return np.asarray(factor * lag(close, steps) + addend)


@compiled
def _adapt(close: Array, path: Array, window: int) -> tuple[Array, Array]:
    """Tell what is kept of the average and what the close adds: more, the straighter the way through the window."""
    kept, added = np.empty(len(close)), np.empty(len(close))
    kept[:window], added[:window] = np.nan, np.nan
    late_kept, late_added, late, path = kept[window:], added[window:], close[window:], path[window:]
    for i in range(len(late)):
        way = abs(late[i] - close[i])
        efficiency = 1.0 if way >= path[i] else way / path[i]
        root = efficiency * (2 / 3 - 2 / 31) + 2 / 31
        late_kept[i], late_added[i] = 1 - root * root, root * root * late[i]
    return kept, added
