"""The stack: the stated function at its least, the plain pool without evidence."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import QuantileRegressor

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.rows import OutOfSample
from nightfold.ensemble.stack import StackBlender
from nightfold.models.objective import Objective

Market = Callable[..., OutOfSample]


@pytest.mark.parametrize("task", ["three_class", "binary"])
def test_class_coefficients_are_those_a_general_optimiser_finds(market: Market, task: str) -> None:
    rows = market(task, rows=400, noise=(0.3, 1.0))
    blender = StackBlender.fit(rows, EnsembleSpec(ridge=3))
    classes = len(rows.objective.columns)
    inputs = np.hstack([np.log(member) for member in rows.members.values()])
    pool = np.hstack([np.eye(classes) / 2, np.eye(classes) / 2, np.zeros((classes, 1))])
    codes = np.array([rows.objective.classes.index(label) for label in rows.label])

    def stated(flat: np.ndarray) -> float:
        line = flat.reshape(pool.shape)
        scores = inputs @ line[:, :-1].T + line[:, -1]
        chosen = scores[np.arange(len(codes)), codes] - np.log(np.exp(scores).sum(axis=1))
        return float(
            -(rows.weight * chosen).sum() / rows.weight.sum() + 3 / rows.independent / 2 * ((line - pool) ** 2).sum()
        )

    expected = minimize(stated, pool.ravel(), method="BFGS", options={"gtol": 1e-8}).x.reshape(pool.shape)
    np.testing.assert_allclose(blender.coefficients, expected[:, :-1], atol=2e-4)
    np.testing.assert_allclose(blender.constants, expected[:, -1], atol=2e-4)
    scores = np.exp(inputs @ expected[:, :-1].T + expected[:, -1])
    np.testing.assert_allclose(blender.apply(rows.members), scores / scores.sum(axis=1, keepdims=True), atol=2e-4)
    own = [
        np.mean([expected[c, 0 * classes + c] for c in range(classes)]),
        np.mean([expected[c, classes + c] for c in range(classes)]),
    ]
    np.testing.assert_allclose(list(blender.weights.values()), own, atol=2e-4)


def test_a_line_through_means_is_the_ridge_solution_in_closed_form(market: Market) -> None:
    rows = market("regression")
    blender = StackBlender.fit(rows, EnsembleSpec(ridge=7))
    inputs = np.hstack(list(rows.members.values()))
    square = np.average((rows.label - inputs.mean(axis=1)) ** 2, weights=rows.weight)
    table = np.column_stack([inputs, np.full(len(rows), np.sqrt(square))]) / np.sqrt(square)
    share = np.diag(rows.weight / rows.weight.sum())
    pull, pool = 7 / rows.independent, np.array([1 / 3, 1 / 3, 1 / 3, 0])
    line = np.linalg.solve(
        table.T @ share @ table + pull * np.eye(4), table.T @ share @ rows.label / np.sqrt(square) + pull * pool
    )
    np.testing.assert_allclose(blender.coefficients[0], line[:3], atol=1e-9)
    assert blender.constants[0] == pytest.approx(line[3] * np.sqrt(square), abs=1e-9)
    np.testing.assert_allclose(blender.apply(rows.members)[:, 0], inputs @ line[:3] + blender.constants[0], atol=1e-9)


def test_without_ridge_each_quantile_is_a_quantile_regression(market: Market) -> None:
    rows = market("quantile", rows=900)
    blender = StackBlender.fit(rows, EnsembleSpec(ridge=1e-6))
    for column, level in enumerate(rows.objective.quantiles):
        inputs = np.column_stack([member[:, column] for member in rows.members.values()])
        library = QuantileRegressor(quantile=level, alpha=0, solver="highs").fit(inputs, rows.label, rows.weight)

        def loss(line: np.ndarray, constant: float, inputs: np.ndarray = inputs, level: float = level) -> float:
            miss = rows.label - inputs @ line - constant
            return float(np.average(np.maximum(level * miss, (level - 1) * miss), weights=rows.weight))

        ours = loss(np.array(blender.coefficients[column]), blender.constants[column])
        assert ours <= loss(library.coef_, library.intercept_) * 1.001


@pytest.mark.parametrize("task", ["three_class", "binary", "regression", "quantile"])
def test_without_evidence_the_stack_is_the_plain_pool(market: Market, task: str) -> None:
    rows = market(task)
    found = StackBlender.fit(rows, EnsembleSpec(ridge=1e9)).apply(rows.members)
    if rows.objective.classes:
        pool = np.exp(np.mean([np.log(member) for member in rows.members.values()], axis=0))
        pool /= pool.sum(axis=1, keepdims=True)
    else:
        pool = np.mean(list(rows.members.values()), axis=0)
    np.testing.assert_allclose(found, pool, atol=1e-5)


def test_a_member_that_says_the_opposite_is_turned_round() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=(3000, 1))
    label = truth[:, 0] + random.normal(size=3000)
    rows = OutOfSample.of(
        Objective(task="regression"), {"a": -truth}, label, range(3000), range(3000), learnt_until=None
    )
    assert StackBlender.fit(rows, EnsembleSpec()).weights["a"] == pytest.approx(-1, abs=0.1)


def test_quantiles_never_cross() -> None:
    objective = Objective(task="quantile")
    crossing = StackBlender(
        objective=objective, members=["a"], coefficients=[[1.0], [1.0], [1.0]], constants=[5.0, 0.0, -5.0]
    )
    assert crossing.apply({"a": np.array([[1.0, 2.0, 3.0]])}).tolist() == [[-2.0, 2.0, 6.0]]


def test_impossible_forecasts_stay_finite() -> None:
    sure = {"a": np.array([[0.0, 0, 1], [1, 0, 0]] * 30), "b": np.tile([0.0, 1, 0], (60, 1))}
    rows = OutOfSample.of(Objective(), sure, [1, -1] * 30, range(60), range(60), learnt_until=None)
    found = StackBlender.fit(rows, EnsembleSpec()).apply(sure)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found[::2].argmax(axis=1) == 2).all()
