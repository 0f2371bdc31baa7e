"""The loop behind the sequential bootstrap, compiled."""

import numpy as np
from numba import njit

from nightfold.labels.panel import Floats, Rows

BRANCH = 64
"""Chances are summed in blocks of this many, and blocks in blocks again: a draw looks into one of each."""


@njit(cache=True)
def draw_in_sequence(start: Rows, end: Rows, uniforms: Floats) -> Rows:
    """Draw one span per uniform number, by its average uniqueness among the spans drawn before.

    Parameters
    ----------
    start, end
        First and last position of each span, both inside, ascending in ``start`` from 0.
    uniforms
        In [0, 1); each is looked up in the summed chances.

    Returns
    -------
    ndarray
        Spans drawn, in order.
    """
    drawn = np.empty(uniforms.size, np.int64)
    if start.size == 0:
        return drawn
    times_drawn = np.zeros(end.max() + 1, np.int64)
    reaching = first_reaching(end)
    chance = np.ones(start.size)
    blocks = block_sums(chance)
    groups = block_sums(blocks)
    summed = np.empty(times_drawn.size + 1)

    for turn in range(uniforms.size):
        wanted = uniforms[turn] * groups.sum()
        group, wanted = find(groups, 0, groups.size, wanted)
        block, wanted = find(blocks, group * BRANCH, (group + 1) * BRANCH, wanted)
        span, wanted = find(chance, block * BRANCH, (block + 1) * BRANCH, wanted)
        drawn[turn] = span
        times_drawn[start[span] : end[span] + 1] += 1

        lowest = reaching[start[span]]
        above = span + 1
        while above < start.size and start[above] <= end[span]:
            above += 1
        weigh(chance, lowest, above, start, end, times_drawn, summed)
        add_up(blocks, lowest // BRANCH, (above - 1) // BRANCH, chance)
        add_up(groups, lowest // BRANCH**2, (above - 1) // BRANCH**2, blocks)
    return drawn


@njit(cache=True)
def first_reaching(end: Rows) -> Rows:
    """First span, in order, that ends at or after each position."""
    first = np.empty(end.max() + 1, np.int64)
    filled = 0
    for span in range(end.size):
        while filled <= end[span]:
            first[filled] = span
            filled += 1
    return first


@njit(cache=True)
def weigh(chance: Floats, lowest: int, above: int, start: Rows, end: Rows, times_drawn: Rows, summed: Floats) -> None:
    """Set the chance of the spans from ``lowest`` to below ``above`` to the uniqueness they would have if drawn."""
    base, position = start[lowest], 0
    summed[0] = 0.0
    for span in range(lowest, above):
        while base + position <= end[span]:
            summed[position + 1] = summed[position] + 1.0 / (1 + times_drawn[base + position])
            position += 1
        total = summed[end[span] - base + 1] - summed[start[span] - base]
        chance[span] = total / (end[span] - start[span] + 1)


@njit(cache=True)
def block_sums(values: Floats) -> Floats:
    """Sum ``BRANCH`` neighbours each."""
    sums = np.empty((values.size - 1) // BRANCH + 1)
    add_up(sums, 0, sums.size - 1, values)
    return sums


@njit(cache=True)
def add_up(sums: Floats, first: int, last: int, values: Floats) -> None:
    """Sum the blocks ``first`` to ``last`` afresh."""
    for block in range(first, last + 1):
        total = 0.0
        for place in range(block * BRANCH, min((block + 1) * BRANCH, values.size)):
            total += values[place]
        sums[block] = total


@njit(cache=True)
def find(values: Floats, first: int, above: int, wanted: float) -> tuple[int, float]:
    """Find the place where values summed from ``first`` exceed ``wanted``, and what is then left of it."""
    last = min(above, values.size) - 1
    for place in range(first, last):
        if wanted < values[place]:
            return place, wanted
        wanted -= values[place]
    return last, wanted
