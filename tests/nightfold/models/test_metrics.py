"""Measures against scikit-learn and closed forms."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score
from sklearn.metrics import log_loss as sklearn_log_loss

from nightfold.models import metrics


@pytest.fixture
def forecasts() -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]]:
    """Random forecasts, labels and weights of 400 rows."""
    random = np.random.default_rng(4)
    return random.dirichlet([1, 1, 1], 400), random.integers(-1, 2, 400).astype(np.int8), random.uniform(0, 2, 400)


def test_log_loss_accuracy_and_f1_agree_with_scikit_learn(
    forecasts: tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]],
) -> None:
    probabilities, label, weight = forecasts
    likeliest = probabilities.argmax(axis=1) - 1
    for share in (None, weight):
        assert metrics.log_loss(probabilities, label, share) == pytest.approx(
            sklearn_log_loss(label, probabilities, sample_weight=share, labels=[-1, 0, 1]), abs=1e-12
        )
        assert metrics.accuracy(probabilities, label, share) == pytest.approx(
            accuracy_score(label, likeliest, sample_weight=share), abs=1e-12
        )
        assert metrics.macro_f1(probabilities, label, share) == pytest.approx(
            f1_score(label, likeliest, average="macro", sample_weight=share), abs=1e-12
        )


def test_a_class_neither_forecast_nor_seen_scores_no_f1() -> None:
    probabilities, label = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]]), np.array([-1, 0], dtype=np.int8)
    assert metrics.macro_f1(probabilities, label) == pytest.approx(2 / 3)


def test_chance_is_the_mean_f1_of_shuffled_forecasts(
    forecasts: tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]],
) -> None:
    probabilities, label, _ = forecasts
    random = np.random.default_rng(0)
    skewed = probabilities * [3, 1, 1]
    shuffled = [metrics.macro_f1(skewed[random.permutation(400)], label) or 0.0 for _ in range(400)]
    assert metrics.macro_f1_chance(skewed, label) == pytest.approx(np.mean(shuffled), abs=0.003)


def test_chance_of_the_two_plain_guessers() -> None:
    label = np.array([-1, 0, 1], dtype=np.int8)
    assert metrics.macro_f1_chance(np.tile([0.2, 0.6, 0.2], (3, 1)), label) == pytest.approx(1 / 6)
    assert metrics.macro_f1_chance(np.eye(3)[[1, 2, 0]], label) == pytest.approx(1 / 3)


def test_brier_score_of_hand_worked_rows() -> None:
    probabilities, label = np.array([[0.5, 0.25, 0.25], [0, 0, 1]]), np.array([-1, 0], dtype=np.int8)
    assert metrics.brier_score(probabilities, label) == pytest.approx((0.25 + 0.0625 + 0.0625 + 2) / 2)
    assert metrics.brier_score(probabilities, label, np.array([1.0, 0.0])) == pytest.approx(0.375)


def test_direction_gain_of_hand_worked_rows() -> None:
    # up shares .75, .25, .6 of touched rows up, down, up; base rate 2/3; the flat row takes no part
    probabilities = np.array([[0.1, 0.6, 0.3], [0.6, 0.2, 0.2], [0.4, 0.0, 0.6], [0.0, 0.0, 1.0]])
    label = np.array([1, -1, 1, 0], dtype=np.int8)
    loss = -(np.log(0.75) + np.log(0.75) + np.log(0.6)) / 3
    base = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    assert metrics.direction_gain(probabilities, label) == pytest.approx(base - loss)


def test_direction_gain_does_not_see_how_likely_a_touch_is(
    forecasts: tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]],
) -> None:
    probabilities, label, weight = forecasts
    calmer = probabilities * [0.1, 1, 0.1]
    calmer /= calmer.sum(axis=1, keepdims=True)
    assert metrics.direction_gain(calmer, label, weight) == pytest.approx(
        metrics.direction_gain(probabilities, label, weight), abs=1e-12
    )


def test_the_base_rate_itself_gains_nothing_and_integer_weights_are_repeated_rows(
    forecasts: tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]],
) -> None:
    probabilities, label, _ = forecasts
    base = (label == 1).sum() / (label != 0).sum()
    constant = np.tile([0.5 * (1 - base), 0.5, 0.5 * base], (400, 1))
    assert metrics.direction_gain(constant, label) == pytest.approx(0, abs=1e-12)
    times = np.random.default_rng(1).integers(0, 4, 400)
    repeated = np.repeat(np.arange(400), times)
    weighted = metrics.class_scores(probabilities, label, times.astype(np.float64))
    for name, value in metrics.class_scores(probabilities[repeated], label[repeated]).items():
        if name != "rows":
            assert weighted[name] == pytest.approx(value, abs=1e-12), name


def test_a_measure_without_rows_is_none() -> None:
    nothing, flat = np.empty((0, 3)), np.zeros(2, dtype=np.int8)
    empty = np.empty(0, dtype=np.int8)
    assert {name for name, value in metrics.class_scores(nothing, empty).items() if value is None} == {
        *("touched_share", "log_loss", "brier_score", "accuracy", "macro_f1", "macro_f1_chance", "direction_gain")
    }
    assert metrics.direction_gain(np.full((2, 3), 1 / 3), flat) is None
    assert metrics.up_share(np.array([[0.0, 1.0, 0.0]])).tolist() == [0.5]


def test_an_impossible_outcome_costs_much_but_not_infinity() -> None:
    assert metrics.log_loss(np.array([[0.0, 1.0, 0.0]]), np.array([1], dtype=np.int8)) == pytest.approx(-np.log(1e-15))
