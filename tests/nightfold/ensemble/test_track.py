"""Quantiles that follow what came lately: by hand, after a break, without one, and never ahead of time."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.calibrate_values import QuantileCalibrator
from nightfold.ensemble.calibrator import fit_calibrator
from nightfold.ensemble.fit import fit_blender, fit_ensemble
from nightfold.ensemble.rows import OutOfSample
from nightfold.ensemble.track import Pace, track

Market = Callable[..., OutOfSample]
LEVELS = [0.1, 0.5, 0.9]
MOMENTS, SYMBOLS = 1200, 3
START = np.repeat(np.arange(MOMENTS), SYMBOLS)


def series(seed: int, later: float) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts and what came; from the middle on, `later` times as wide."""
    random = np.random.default_rng(seed)
    label = random.normal(size=START.size) * np.where(START < MOMENTS // 2, 1.0, later)
    return np.tile([-1.0, 0, 1], (START.size, 1)), label


def fitted(told: np.ndarray, label: np.ndarray, rate: float | None, start: np.ndarray = START) -> np.ndarray:
    pace = None if rate is None else Pace(rate, start)
    return np.array(QuantileCalibrator.fit(told, label, LEVELS, toward="constant", pace=pace).shifts)


def test_two_moments_by_hand() -> None:
    """At or under: 3/4 of the weight at the first, a tie among it; then half; steps of 0.4."""
    misses = np.array([[2.0], [0.0], [-1.0], [0.1]])
    weight, start = np.array([1.0, 3, 2, 2]), np.array([5, 5, 9, 9])
    after_one = 0.4 * (0.9 - 0.75)
    expected = after_one + 0.4 * (0.9 - 0.5)
    begin = np.zeros(1)
    found = track(misses, weight, start, [0.9], begin, np.array([0.4]))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert begin == 0


def test_a_fit_by_hand() -> None:
    """Six moments: shifts and spread of the first three, a third of a step where three rows are worth one."""
    label = np.array([-1.0, 0, 1, 5, 5, -5])
    pace = Pace(0.3, np.arange(6))
    found = QuantileCalibrator.fit(np.zeros((6, 1)), label, [0.5], toward="constant", independent=2, pace=pace)
    step = 0.3 * np.sqrt(2 / 3) / 3
    assert found.shifts == pytest.approx([step * (0.5 + 0.5 - 0.5)])
    assert found.slope == 1


def test_no_pace_is_as_before_and_one_moment_has_nothing_to_follow(market: Market) -> None:
    rows = market("quantile")
    plain = np.mean(list(rows.members.values()), axis=0)
    expected = fit_calibrator(rows.objective, plain, rows.label, rows.weight, independent=rows.independent)
    assert fit_ensemble(rows, EnsembleSpec()).calibrator == expected
    told, label = series(0, 1.0)
    np.testing.assert_array_equal(fitted(told, label, 0.05, np.zeros_like(START)), fitted(told, label, None))


@pytest.mark.parametrize("seed", range(6))
def test_after_a_break_levels_cover_new_rows_nearer_to_what_they_state(seed: int) -> None:
    """New rows are as wide as the later half; the share of a normal distribution under a level is estimated by many."""
    told, label = series(seed, 2.0)
    new = 2.0 * np.random.default_rng(100 + seed).normal(size=100_000)
    plain, adapted = (
        [np.mean(new <= quantile) for quantile in told[0] + fitted(told, label, rate)] for rate in (None, 0.05)
    )
    outer = [0, 2]
    off, near = (np.abs(np.array(found) - LEVELS)[outer] for found in (plain, adapted))
    assert (off > 0.05).all()
    assert (near < 0.6 * off).all()


def test_without_a_break_shifts_stay_near_the_plain_ones() -> None:
    apart = [
        fitted(told, label, 0.05) - fitted(told, label, None)
        for told, label in (series(seed, 1.0) for seed in range(20))
    ]
    assert np.abs(apart).max() < 0.4
    assert np.abs(np.mean(apart, axis=0)).max() < 0.1


def test_rows_in_any_order_give_the_same(market: Market) -> None:
    rows = market("quantile")
    spec = EnsembleSpec(adapt=0.1)
    mixed = rows.take(np.random.default_rng(0).permutation(len(rows)))
    ours, theirs = (fit_ensemble(each, spec).calibrator for each in (rows, mixed))
    assert isinstance(ours, QuantileCalibrator)
    assert isinstance(theirs, QuantileCalibrator)
    np.testing.assert_allclose(ours.shifts, theirs.shifts, atol=1e-12)
    assert ours != fit_ensemble(rows, EnsembleSpec()).calibrator


def test_rows_without_weight_count_nowhere(market: Market) -> None:
    rows = market("quantile")
    is_used = rows.start % 7 != 3
    weighed = replace(rows, weight=rows.weight * is_used)
    left, kept = (
        fit_calibrator(rows.objective, each.members["m0"], each.label, each.weight, pace=Pace(0.1, each.start))
        for each in (weighed, rows.take(is_used))
    )
    assert left == kept


def test_what_is_tracked_up_to_a_moment_does_not_know_the_next() -> None:
    """In two legs it arrives where it arrives in one."""
    random = np.random.default_rng(1)
    misses, share = random.normal(size=(START.size, 3)), random.uniform(0.5, 1, START.size)
    is_first, step = START < 500, np.full(3, 0.05)
    whole = track(misses, share, START, LEVELS, np.zeros(3), step)
    half = track(misses[is_first], share[is_first], START[is_first], LEVELS, np.zeros(3), step)
    rest = ~is_first
    np.testing.assert_array_equal(track(misses[rest], share[rest], START[rest], LEVELS, half, step), whole)


def test_where_it_begins_and_how_far_it_steps_does_not_know_the_later_half() -> None:
    """Of the later half only sides are read, not sizes; and of its last moment no more than one step."""
    told, label = series(3, 1.0)
    later = START >= MOMENTS // 2
    near, far = (np.where(later, np.sign(label) * size, label) for size in (1e3, 1e6))
    np.testing.assert_array_equal(fitted(told, near, 0.1), fitted(told, far, 0.1))
    last = np.where(START == MOMENTS - 1, 1e6, label)
    spread = label[~later].std()
    moved = fitted(told, last, 0.1) - fitted(told, label, 0.1)
    assert (moved > 0).any()
    assert (np.abs(moved) <= 0.1 * spread + 1e-12).all()


def test_a_blend_that_learns_is_tracked_through_its_untouched_half(market: Market) -> None:
    rows, spec = market("quantile"), EnsembleSpec(method="weighted", adapt=0.1)
    rows = replace(rows, end=rows.end + np.random.default_rng(0).integers(0, 30, len(rows)))
    earlier, later = rows.halves()
    told = fit_blender(earlier, spec).apply(later.members)
    assert fit_ensemble(rows, spec).calibrator == fit_calibrator(
        rows.objective, told, later.label, later.weight, independent=later.independent, pace=Pace(0.1, later.start)
    )
