"""Confidence intervals: how often they hold the truth, and what a draw is made of."""

from functools import partial

import numpy as np
import pytest

from nightfold.errors import ConfigError, SchemaError
from nightfold.tearsheet import measures
from nightfold.tearsheet.measures.bootstrap import Blocks, Values, confidence_interval, resampled_days

RETURNS = np.random.default_rng(8).normal(0.001, 0.02, 300)


def mean(values: Values) -> float:
    return float(values.mean())


def dependent(seed: int, size: int = 400) -> np.ndarray:
    """Days that carry .6 of the day before; their mean is 0."""
    shocks = np.random.default_rng(seed).normal(0, 0.01, size)
    for day in range(1, size):
        shocks[day] += 0.6 * shocks[day - 1]
    return shocks


@pytest.mark.parametrize("blocks", ["stationary", "circular"])
def test_intervals_of_days_that_hang_together_hold_the_truth_only_in_blocks(blocks: Blocks) -> None:
    """150 made-up histories: single days cover far too little, blocks nearly what is asked."""

    def coverage(length: int) -> float:
        draw = partial(confidence_interval, mean, draws=200, block_days=length, blocks=blocks)
        found = [draw(dependent(seed), seed=seed) for seed in range(150)]
        return float(np.mean([(each.low or 0) <= 0 <= (each.high or 0) for each in found]))

    assert coverage(1) < 0.75
    assert coverage(30) > 0.85


def test_independent_days_give_the_interval_of_the_textbook() -> None:
    found = confidence_interval(mean, RETURNS, draws=4_000, block_days=1)
    error = RETURNS.std(ddof=1) / np.sqrt(300)
    assert found.low == pytest.approx(RETURNS.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(RETURNS.mean() + 1.96 * error, abs=0.15 * error)
    assert found.value == pytest.approx(RETURNS.mean())


def test_the_same_seed_gives_the_same_interval_and_more_confidence_a_wider_one() -> None:
    draw = partial(confidence_interval, measures.sharpe_ratio, RETURNS)
    assert draw(seed=1) == draw(seed=1) != draw(seed=2)
    narrow, wide = draw(confidence=0.5), draw(confidence=0.99)
    assert (wide.low or 0) < (narrow.low or 0) < (narrow.high or 0) < (wide.high or 0)
    assert draw().block_days == 7  # the cube root of 300, rounded up


def test_circular_blocks_have_their_length_and_go_on_at_the_first_day_after_the_last() -> None:
    days = resampled_days(10, 4, 50, "circular", seed=3)
    assert days.shape == (50, 10)
    steps = np.diff(days, axis=1) % 10
    assert (np.delete(steps, [3, 7], axis=1) == 1).all()
    assert ((days[:, :-1] == 9) & (days[:, 1:] == 0)).any()


def test_stationary_blocks_have_their_length_in_the_mean_and_every_day_its_turn() -> None:
    days = resampled_days(200, 8, 500, "stationary", seed=3)
    breaks = (np.diff(days, axis=1) % 200 != 1).mean()
    assert breaks == pytest.approx(1 / 8 * 199 / 200, rel=0.03)
    counts = np.bincount(days.ravel(), minlength=200)
    assert counts.min() > 0.8 * counts.mean()


def test_too_few_days_or_a_measure_that_is_too_often_unknown_have_no_interval() -> None:
    assert confidence_interval(measures.sharpe_ratio, []).value is None
    few = confidence_interval(measures.total_return, RETURNS[:9])
    assert few.value is not None
    assert few.low is few.high is None
    assert confidence_interval(measures.sharpe_ratio, np.zeros(50)).value is None
    one_loss = np.append(np.full(40, 0.01), -0.02)  # a third of the draws lack the loss, and so the ratio
    assert confidence_interval(measures.omega, one_loss).low is None


@pytest.mark.parametrize("wrong", [{"confidence": 1.0}, {"draws": 10}, {"block_days": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        confidence_interval(mean, RETURNS, **wrong)
    with pytest.raises(SchemaError, match="`returns`"):
        confidence_interval(mean, [0.1, -1.0])
