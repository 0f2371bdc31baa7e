"""Direction calibration: no skill falls back to the base rate, skill is kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from nightfold.ensemble.calibrate import DirectionCalibrator
from nightfold.errors import SchemaError
from nightfold.models.metrics import up_share

Array = NDArray[np.float64]


def market(rows: int, *, skill: float, seed: int, drift: float = 0.0) -> tuple[Array, NDArray[np.int8]]:
    """Forecasts whose log odds of up are `skill` times as steep in truth, and what came."""
    random = np.random.default_rng(seed)
    odds, flat = random.normal(size=rows), random.uniform(0.2, 0.5, rows)
    forecast = 1 / (1 + np.exp(-odds))
    truth = 1 / (1 + np.exp(-skill * odds - drift))
    label = np.where(random.random(rows) < flat, 0, np.where(random.random(rows) < truth, 1, -1))
    return np.column_stack([(1 - flat) * (1 - forecast), flat, (1 - flat) * forecast]), label.astype(np.int8)


def test_a_forecast_without_skill_falls_to_the_base_rate() -> None:
    slopes = [DirectionCalibrator.fit(*market(20_000, skill=0, seed=seed)).slope for seed in range(8)]
    assert max(slopes) < 0.06
    assert min(slopes) == 0
    probabilities, label = market(20_000, skill=-0.3, seed=1, drift=0.2)
    calibrator = DirectionCalibrator.fit(probabilities, label)
    base = (label == 1).sum() / (label != 0).sum()
    assert calibrator.slope == 0
    assert calibrator.base_rate == pytest.approx(base)
    np.testing.assert_allclose(up_share(calibrator.apply(probabilities)), base, rtol=0, atol=1e-12)


def test_a_calibrated_forecast_stays_as_it_is() -> None:
    probabilities, label = market(200_000, skill=1, seed=2)
    calibrator = DirectionCalibrator.fit(probabilities, label)
    assert calibrator.slope == pytest.approx(1, abs=0.03)
    assert calibrator.intercept == pytest.approx(0, abs=0.03)
    np.testing.assert_allclose(calibrator.apply(probabilities), probabilities, rtol=0, atol=0.01)


def test_a_slope_between_the_bounds_is_the_unconstrained_one() -> None:
    probabilities, label = market(5_000, skill=0.4, seed=3, drift=-0.3)
    weight = np.random.default_rng(0).uniform(0, 2, 5_000)
    calibrator = DirectionCalibrator.fit(probabilities, label, weight)
    touched = label != 0
    odds = np.log(probabilities[touched, 2] / probabilities[touched, 0])
    library = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000)
    library.fit(odds[:, None], label[touched], sample_weight=weight[touched])
    assert calibrator.slope == pytest.approx(library.coef_[0, 0], abs=1e-6)
    assert calibrator.intercept == pytest.approx(library.intercept_[0], abs=1e-6)


def test_an_underconfident_forecast_is_taken_at_slope_one_and_perfect_ones_stay_finite() -> None:
    assert DirectionCalibrator.fit(*market(5_000, skill=3, seed=4)).slope == 1
    probabilities, label = market(5_000, skill=1, seed=4)
    label = np.where(label == 0, 0, np.where(probabilities[:, 2] > probabilities[:, 0], 1, -1)).astype(np.int8)
    calibrator = DirectionCalibrator.fit(probabilities, label)
    assert calibrator.slope == 1
    assert np.isfinite(calibrator.intercept)


@given(skill=st.floats(-1, 3), drift=st.floats(-1, 1), seed=st.integers(0, 1000))
def test_touching_stays_order_stays_and_the_mean_direction_is_the_base_rate(
    skill: float, drift: float, seed: int
) -> None:
    probabilities, label = market(400, skill=skill, seed=seed, drift=drift)
    calibrator = DirectionCalibrator.fit(probabilities, label)
    calibrated = calibrator.apply(probabilities)
    assert 0 <= calibrator.slope <= 1
    assert np.array_equal(calibrated[:, 1], probabilities[:, 1])
    np.testing.assert_allclose(calibrated.sum(axis=1), probabilities.sum(axis=1), rtol=0, atol=1e-12)
    before, after = up_share(probabilities), up_share(calibrated)
    assert (np.diff(after[np.argsort(before)]) >= -1e-12).all()
    touched = label != 0
    assert after[touched].mean() == pytest.approx((label[touched] == 1).mean(), abs=1e-9)


def test_integer_weights_are_repeated_rows_and_rows_without_weight_are_absent() -> None:
    probabilities, label = market(2_000, skill=0.5, seed=5)
    times = np.random.default_rng(1).integers(0, 4, 2_000)
    repeated = np.repeat(np.arange(2_000), times)
    weighted = DirectionCalibrator.fit(probabilities, label, times.astype(float))
    plain = DirectionCalibrator.fit(probabilities[repeated], label[repeated])
    assert (weighted.slope, weighted.intercept) == pytest.approx((plain.slope, plain.intercept), abs=1e-9)
    assert weighted.rows == ((label != 0) & (times > 0)).sum()


def test_a_forecast_that_always_says_the_same_has_no_slope() -> None:
    label = np.array([1, 1, -1, 0] * 50, dtype=np.int8)
    calibrator = DirectionCalibrator.fit(np.tile([0.3, 0.3, 0.4], (200, 1)), label)
    assert calibrator.slope == 0
    assert up_share(calibrator.apply(np.array([[0.1, 0.2, 0.7]])))[0] == pytest.approx(2 / 3)


def test_certain_forecasts_and_bars_that_cannot_touch_stay_finite() -> None:
    calibrator = DirectionCalibrator(slope=1, intercept=0.1, base_rate=0.5, rows=10)
    calibrated = calibrator.apply(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    assert np.isfinite(calibrated).all()
    np.testing.assert_allclose(calibrated.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("label", "independent", "base"),
    [
        ([0, 0, 0], None, 1 / 2),  # nothing was seen
        ([1, 1, 1, 0], None, 4 / 5),  # three of three
        ([-1] * 200, 8.0, 1 / 10),  # none of eight, however often they overlap
        ([1] * 100 + [0] * 100, 8.0, 5 / 6),  # four of four: half of the rows touched
    ],
)
def test_rows_of_one_direction_say_nothing_of_skill_and_little_of_the_base_rate(
    label: list[int], independent: float | None, base: float
) -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1, 1], len(label))
    found = DirectionCalibrator.fit(probabilities, np.array(label, np.int8), independent=independent)
    assert found.one_sided
    assert found.slope == 0
    assert found.base_rate == pytest.approx(base)
    assert found.rows == np.count_nonzero(label)
    calibrated = found.apply(probabilities)
    np.testing.assert_allclose(up_share(calibrated), base, rtol=0, atol=1e-12)
    assert np.array_equal(calibrated[:, 1], probabilities[:, 1])
    assert not DirectionCalibrator.fit(*market(400, skill=0.5, seed=1), independent=8.0).one_sided


def test_rows_without_any_weight_cannot_calibrate() -> None:
    with pytest.raises(SchemaError, match="None of 3 rows"):
        DirectionCalibrator.fit(np.full((3, 3), 1 / 3), np.array([-1, 0, 1], np.int8), np.zeros(3))


def test_rows_of_weight_zero_do_not_make_two_sides() -> None:
    label = np.array([1, 1, -1], np.int8)
    assert DirectionCalibrator.fit(np.full((3, 3), 1 / 3), label, np.array([1.0, 1.0, 0.0])).one_sided


def test_a_calibrator_survives_json_to_the_last_digit() -> None:
    calibrator = DirectionCalibrator.fit(*market(2_000, skill=0.5, seed=6))
    assert DirectionCalibrator.model_validate_json(calibrator.model_dump_json()) == calibrator
