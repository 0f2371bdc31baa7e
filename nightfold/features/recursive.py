"""Exponential averages with a finite memory.

A textbook recursion never quite forgets: a million-fold spike is still felt long after its weight has fallen below
rounding for ordinary bars. Here row ``i`` is what the recursion gives when it starts ``memory`` bars earlier, seeded as
TA-Lib seeds it, which makes an average a window like any other (see `doubling`), whose older values weigh less. Rows
without a whole memory are NaN, and a NaN spoils just the memories it lies in.
"""

import numpy as np

from nightfold.features.compiled import lean
from nightfold.features.doubling import CHAIN, TOTAL, over
from nightfold.features.rolling import Windows, total
from nightfold.features.segment import Array, lag


def fading_total(values: Array, window: int, decay: float) -> Array:
    """Sum over the window, each value times ``decay`` to the power of its age in bars."""
    return np.asarray(over(TOTAL, values, values, window, decay)[0])


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
    steps, decay = memory - window + 1, 1 - weight
    average, seed = fading_total(values, steps, decay), fading_total(values, window, 1.0)
    _seed(average, seed, weight, decay**steps / window, steps)
    return average


@lean
def _seed(average: Array, seed: Array, weight: float, share: float, steps: int) -> None:
    """Add to the weighted sum its share of the sum ``steps`` rows before."""
    average[:steps] = np.nan
    late = average[steps:]
    for i in range(len(late)):
        late[i] = weight * late[i] + share * seed[i]


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
    steps = memory - slow + 1
    decay = 1 - 2 / (signal + 1)
    faded, prices = fading_total(close, steps, decay), Windows(close)

    def average(window: int) -> tuple[Array, Array]:
        """Give the average, and how far it is from its own average begun at the same start."""
        weight = 2 / (window + 1)
        own = 1 - weight
        own_faded, seed = fading_total(close, steps, own), lag(prices.mean(window), steps)
        # A price of age k weighs own**k in the average. In the average of averages it weighs the sum over k of own**k
        # times decay**(age - k), which is the difference of two powers.
        mix = (1 - decay) / (own - decay)
        seed_weight = mix * own * (own**steps - decay**steps) + decay**steps
        gap = (weight - mix * weight * own) * own_faded + mix * weight * decay * faded
        return weight * own_faded + own**steps * seed, gap + (own**steps - seed_weight) * seed

    (fast_line, fast_gap), (slow_line, slow_gap) = average(fast), average(slow)
    return fast_line - slow_line, fast_gap - slow_gap


def adaptive(close: Array, window: int, memory: int) -> Array:
    """Kaufman's adaptive average, between the speeds of 2- and 30-bar exponential averages."""
    steps = memory - window + 1
    way = np.abs(close - lag(close, window))
    path = total(np.abs(close - lag(close, 1)), window)
    efficiency = np.where(way >= path, 1.0, way / path)
    speed = (efficiency * (2 / 3 - 2 / 31) + 2 / 31) ** 2
    factor, addend = over(CHAIN, 1 - speed, speed * close, steps, 1.0)
    return np.asarray(factor * lag(close, steps) + addend)
