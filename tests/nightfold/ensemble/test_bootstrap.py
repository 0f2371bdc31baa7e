"""Moving blocks."""

import numpy as np
import pytest

from nightfold.ensemble.bootstrap import Interval, block_interval


def wander(rows: int, span: int, seed: int) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(size=rows + span - 1)
    return np.convolve(steps, np.ones(span) / np.sqrt(span), "valid")


def bounds(found: Interval) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = []
    for seed in range(200):
        found = block_interval(wander(1500, 10, seed), np.ones(1500), np.arange(1500), 10, seed)
        low, high = bounds(found)
        covered.append(low <= 0 <= high)
    assert 0.88 <= np.mean(covered) <= 0.98


def test_as_if_rows_were_independent_it_would_be_far_too_narrow() -> None:
    values = wander(3000, 30, 0)
    found = block_interval(values, np.ones(3000), np.arange(3000), 30)
    low, high = bounds(found)
    assert high - low > 4 * 2 * 1.96 * values.std() / np.sqrt(3000)
    assert found.block_moments == 60
    assert block_interval(values, np.ones(3000), np.arange(3000), 1).block_moments == 15


def test_symbols_of_one_moment_stand_and_fall_together() -> None:
    values = wander(1000, 5, 1)
    order = np.random.default_rng(0).permutation(4000)
    one = block_interval(values, np.ones(1000), np.arange(1000), 5)
    four = block_interval(np.tile(values, 4)[order], np.ones(4000), np.tile(np.arange(1000), 4)[order], 5)
    assert (four.mean, four.low, four.high) == pytest.approx((one.mean, one.low, one.high))


def test_each_draw_is_of_whole_blocks_and_the_spread_is_that_of_their_means() -> None:
    """A slow twin: the same starts, blocks written out one by one."""
    random = np.random.default_rng(5)
    values, weight, start = random.normal(1, 1, 130), random.uniform(0, 2, 130), np.repeat(np.arange(65) * 7, 2)
    found = block_interval(values, weight, start, 4, seed=9)
    means = []
    for firsts in np.random.default_rng(9).integers(65 - 8 + 1, size=(2000, 9)):
        rows = [row for first in firsts for moment in range(first, first + 8) for row in (2 * moment, 2 * moment + 1)]
        means.append(np.average(values[rows], weights=weight[rows]))
    assert found.mean == pytest.approx(np.average(values, weights=weight))
    around = np.array(means) - np.mean(means)
    assert (found.low, found.high) == pytest.approx(tuple(found.mean + np.quantile(around, [0.025, 0.975])))


def test_too_few_blocks_give_no_interval() -> None:
    found = block_interval(np.arange(99.0), np.ones(99), np.arange(99), 10)
    assert (found.mean, found.low, found.high, found.blocks) == (49, None, None, 4.95)
