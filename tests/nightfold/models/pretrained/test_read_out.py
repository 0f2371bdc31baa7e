"""The read-out against scikit-learn, and against a search that knows no slopes."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import QuantileRegressor, Ridge

from nightfold.models.constant import weighted_quantiles
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective
from nightfold.models.pretrained.read_out import ReadOut, quantile_line

FAR = 1e9


def rows(task: str, count: int = 800, seed: int = 0) -> Dataset:
    """Labels whose mean and spread depend on numbers of uneven size, and weights."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(count, 3)) * [1.0, 0.01, 100.0] + [0.0, 5.0, -300.0]
    spread = np.exp(0.3 * numbers[:, 0])
    label = 0.002 * (2 * numbers[:, 0] + 50 * (numbers[:, 1] - 5) + spread * random.standard_t(4, count)) + 0.1
    weight = random.uniform(0.2, 3, count) * np.where(numbers[:, 0] > 0, 9, 1)
    return Dataset(numbers, ("a", "b", "c"), label, weight, Objective(task=task))


def test_the_mean_is_that_of_ridge_regression_on_standardised_numbers() -> None:
    train, later = rows("regression"), rows("regression", seed=1)
    center = np.average(train.table, axis=0, weights=train.weight)
    scale = np.sqrt(np.average((train.table - center) ** 2, axis=0, weights=train.weight))
    for l2 in (0.0, 0.5):
        oracle = Ridge(alpha=l2 * train.weight.sum()).fit((train.table - center) / scale, train.label, train.weight)
        found = ReadOut.of(train, l2, FAR).forecast(later.table, FAR)[:, 0]
        np.testing.assert_allclose(found, oracle.predict((later.table - center) / scale), rtol=1e-5)


@pytest.mark.parametrize("level", [0.05, 0.5])
def test_a_penalised_line_is_as_good_as_one_found_by_trying(level: float) -> None:
    train = rows("quantile", 2000)
    share = train.weight / train.weight.sum()
    design = (train.table - share @ train.table) / train.table.std(axis=0)
    target = (train.label - share @ train.label) / train.label.std()

    def loss(line: np.ndarray) -> float:
        away = target - design @ line[:3] - line[3]
        pinball = share @ np.maximum(level * away, (level - 1) * away)
        return float(pinball + 0.5 * 0.5 * level * (1 - level) * (line[:3] ** 2).sum())

    slopes, intercept = quantile_line(design, target, share, level, 0.5)
    settings = {"maxiter": 2000, "maxfev": 2000, "xatol": 1e-6, "fatol": 1e-9}
    oracle = minimize(loss, np.zeros(4), method="Nelder-Mead", options=settings)
    assert oracle.fun <= loss(np.append(slopes, intercept)) < oracle.fun * 1.003
    np.testing.assert_allclose(slopes, oracle.x[:3], atol=0.04)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_a_quantile_line_loses_hardly_more_than_the_best_there_is(level: float) -> None:
    train = rows("quantile", 2000)
    share = train.weight / train.weight.sum()
    design = (train.table - share @ train.table) / train.table.std(axis=0)
    target = (train.label - share @ train.label) / train.label.std()
    slopes, intercept = quantile_line(design, target, share, level, 0.0)
    oracle = QuantileRegressor(quantile=level, alpha=0, solver="highs").fit(design, target, share)

    def loss(line: np.ndarray) -> float:
        away = target - line
        return float(share @ np.maximum(level * away, (level - 1) * away))

    line = design @ slopes + intercept
    constant = loss(np.full(len(target), weighted_quantiles(target, share, [level])[0]))
    assert loss(oracle.predict(design)) <= loss(line) < loss(oracle.predict(design)) * 1.005 < constant * 0.9
    assert share @ (target <= line) == pytest.approx(level, abs=share.max())


def test_at_an_infinite_penalty_quantiles_are_those_of_the_labels() -> None:
    train = rows("quantile")
    found = ReadOut.of(train, 1e12, FAR).forecast(train.table[:2], FAR)
    wanted = weighted_quantiles(train.label, train.weight, train.objective.quantiles)
    np.testing.assert_allclose(found, np.tile(wanted, (2, 1)), atol=1e-7)


@pytest.mark.parametrize("task", ["regression", "quantile"])
def test_a_unit_of_labels_or_numbers_is_free(task: str) -> None:
    train = rows(task)
    told = ReadOut.of(train, 0.5, 5.0).forecast(train.table, 5.0)
    larger = Dataset(16 * train.table, train.names, 1024 * train.label, train.weight, train.objective)
    np.testing.assert_allclose(ReadOut.of(larger, 0.5, 5.0).forecast(larger.table, 5.0), 1024 * told, rtol=1e-9)


def test_numbers_far_from_those_of_training_count_as_the_clip() -> None:
    train = rows("regression")
    learnt = ReadOut.of(train, 0.1, 2.0)
    edge = (learnt.mean + 2 * learnt.scale).astype(np.float64)[None]
    np.testing.assert_allclose(learnt.forecast(edge + 1e6, 2.0), learnt.forecast(edge, 2.0), rtol=1e-6)
