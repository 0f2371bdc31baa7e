"""Calibrated means and quantiles: no skill moves nobody, levels cover what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.ensemble.calibrate_values import MeanCalibrator, QuantileCalibrator, conformal
from nightfold.errors import SchemaError

LEVELS = [0.05, 0.5, 0.95]


def overlapping(rows: int, span: int, seed: int) -> np.ndarray:
    """Returns over `span` bars of a market without drift, one row a bar, standard deviation 1."""
    steps = np.random.default_rng(seed).normal(size=rows + span - 1) / np.sqrt(span)
    return np.convolve(steps, np.ones(span), "valid")


def test_a_mean_without_skill_hardly_ever_moves_more_than_costs() -> None:
    """Label and forecast both wander slowly; the cost is a fifth of a typical move."""
    moved = []
    for seed in range(60):
        label, forecast = overlapping(2000, 100, seed), overlapping(2000, 100, seed + 1000)[:, None]
        calibrator = MeanCalibrator.fit(forecast, label, independent=20)
        assert calibrator.intercept == 0
        moved.append(np.mean(np.abs(calibrator.apply(forecast)) > 0.2))
    assert np.mean(np.array(moved) > 0) < 0.25
    assert np.mean(moved) < 0.05


def test_the_slope_is_that_of_least_squares_less_its_standard_error() -> None:
    random = np.random.default_rng(0)
    forecast, weight = random.normal(1, 1, 400), random.uniform(0, 2, 400)
    label = 0.5 * forecast + random.normal(size=400)
    root = np.sqrt(weight)
    slope = np.linalg.lstsq((root * forecast)[:, None], root * label, rcond=None)[0][0]
    error = np.sqrt(
        np.average((label - slope * forecast) ** 2, weights=weight) / np.average(forecast**2, weights=weight) / 100
    )
    found = MeanCalibrator.fit(forecast[:, None], label, weight, independent=100)
    assert found.slope == pytest.approx(slope - error, abs=1e-12)
    assert found.intercept == 0
    line = np.linalg.lstsq(np.column_stack([root * forecast, root]), root * label, rcond=None)[0]
    constant = MeanCalibrator.fit(forecast[:, None], label, weight, toward="constant", independent=1e12)
    assert (constant.slope, constant.intercept) == pytest.approx(tuple(line), abs=1e-5)


def test_toward_a_constant_the_mean_of_the_rows_stays_and_no_skill_says_just_that() -> None:
    random = np.random.default_rng(1)
    label, forecast = random.normal(3, 1, 500), random.normal(5, 1, (500, 1))
    forecast -= 0.5 * (label - 3)[:, None]  # worse than none
    calibrator = MeanCalibrator.fit(forecast, label, toward="constant")
    assert calibrator.slope == 0
    np.testing.assert_allclose(calibrator.apply(forecast), label.mean())


@given(st.floats(-2, 3), st.integers(0, 500))
def test_slopes_lie_within_zero_and_one_and_order_stays(skill: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    forecast = random.normal(size=(200, 1))
    label = skill * forecast[:, 0] + 0.3 * random.normal(size=200)
    calibrator = MeanCalibrator.fit(forecast, label)
    assert 0 <= calibrator.slope <= 1
    assert skill < 1.3 or calibrator.slope == 1
    assert skill > -0.2 or calibrator.slope == 0
    assert (np.diff(calibrator.apply(np.sort(forecast, axis=0))[:, 0]) >= 0).all()


def test_a_forecast_of_nothing_but_zeros_and_rows_without_weight() -> None:
    assert MeanCalibrator.fit(np.zeros((5, 1)), np.ones(5)).slope == 0
    with pytest.raises(SchemaError, match="None of 5 rows"):
        MeanCalibrator.fit(np.zeros((5, 1)), np.ones(5), np.zeros(5))


def test_conformal_misses_cover_as_often_as_stated() -> None:
    """By counting: each of n + 1 rows is taken for the new one once, and compared with the miss of the others."""
    random = np.random.default_rng(2)
    for rows, level, expected in [
        (19, 0.9, 0.9),
        (19, 0.1, 0.1),
        (30, 0.95, 30 / 31),
        (30, 0.05, 1 / 31),
        (9, 0.5, 0.5),
    ]:
        values = random.normal(size=rows + 1)
        under = [
            new <= conformal(np.delete(values, place), np.full(rows, 1 / rows), level)
            for place, new in enumerate(values)
        ]
        assert np.mean(under) == pytest.approx(expected)


def test_conformal_weights_are_repeated_rows() -> None:
    random = np.random.default_rng(3)
    values, times = random.normal(size=400), random.integers(0, 4, 400)
    many = np.repeat(values, times)
    for level in LEVELS:
        weighted = conformal(values, times / times.sum(), level)
        plain = conformal(many, np.full(len(many), 1 / len(many)), level)
        assert np.mean(many <= weighted) == pytest.approx(np.mean(many <= plain), abs=0.01)


@pytest.mark.parametrize("toward", ["zero", "constant"])
def test_quantiles_that_are_off_cover_new_rows_as_stated(toward: str) -> None:
    random = np.random.default_rng(4)
    scale = random.uniform(0.5, 2, 40_000)
    label = scale * random.normal(size=40_000)
    told = scale[:, None] * np.array([-0.7, 0.2, 2.5])
    calibrator = QuantileCalibrator.fit(told[:20_000], label[:20_000], LEVELS, toward=toward)  # type: ignore[arg-type]
    found = calibrator.apply(told[20_000:])
    covered = [np.mean(label[20_000:] <= column) for column in found.T]
    np.testing.assert_allclose(covered, LEVELS, atol=0.01)
    assert (np.diff(found, axis=1) >= 0).all()


def test_toward_a_constant_it_is_each_tail_by_itself() -> None:
    random = np.random.default_rng(5)
    told = np.sort(random.normal(size=(99, 3)), axis=1)
    label = random.normal(size=99)
    found = QuantileCalibrator.fit(told, label, LEVELS, toward="constant")
    by_hand = [np.sort(label - told[:, 0])[4], np.sort(label - told[:, 1])[49], np.sort(label - told[:, 2])[94]]
    assert found.slope == 1
    np.testing.assert_allclose(found.shifts, by_hand, atol=1e-12)


def test_quantiles_without_skill_have_a_centre_that_hardly_ever_moves() -> None:
    """The centre as a policy reads it: .275, .45, .275."""
    moved = []
    for seed in range(60):
        label = overlapping(2000, 100, seed)
        told = overlapping(2000, 100, seed + 1000)[:, None] + np.array([-1.645, 0, 1.645])
        found = QuantileCalibrator.fit(told, label, LEVELS, independent=20).apply(told)
        moved.append(np.mean(np.abs(found @ [0.275, 0.45, 0.275]) > 0.2))
    assert np.mean(moved) < 0.1
    assert np.median(moved) == 0


def test_the_centre_of_skilled_quantiles_stays() -> None:
    random = np.random.default_rng(6)
    truth = random.normal(size=20_000)
    told = truth[:, None] + np.array([-1.645, 0, 1.645])
    calibrator = QuantileCalibrator.fit(told, truth + random.normal(size=20_000), LEVELS)
    assert calibrator.slope > 0.98
    np.testing.assert_allclose(calibrator.apply(told), told, atol=0.15)


def test_levels_that_a_shift_would_cross_change_places() -> None:
    calibrator = QuantileCalibrator(levels=LEVELS, slope=1, shifts=[5, 0, -5], rows=10)
    assert calibrator.apply(np.array([[1.0, 2, 3]])).tolist() == [[-2, 2, 6]]
