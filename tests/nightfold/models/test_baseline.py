"""Forecasts to beat."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nightfold.errors import ConfigError
from nightfold.models.baseline import (
    ConstantModel,
    ConstantSpec,
    LastReturnModel,
    LastReturnSpec,
    ZeroModel,
    ZeroSpec,
)
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective

NAMES = ("rsi_14", "log_return_1")


def values(label: list[float], weight: list[float], objective: Objective) -> Dataset:
    """Rows whose second feature is .01, .02, ..."""
    features = np.column_stack([np.ones(len(label)), np.arange(1, len(label) + 1) / 100])
    return Dataset(features, NAMES, np.array(label), np.array(weight), objective)


def test_every_row_is_given_the_weighted_class_shares() -> None:
    rows = Dataset(np.zeros((4, 1), np.float32), ("a",), np.array([-1, 0, 1, 1], np.int8), np.arange(1.0, 5.0))
    probabilities = ConstantModel(ConstantSpec()).fit(rows).predict(rows.features)
    np.testing.assert_allclose(probabilities, np.tile([0.1, 0.2, 0.7], (4, 1)), rtol=0, atol=1e-15)


def test_every_row_is_given_the_weighted_mean() -> None:
    rows = values([1.0, 2.0, 6.0], [1, 2, 1], Objective(task="regression"))
    np.testing.assert_allclose(ConstantModel(ConstantSpec()).fit(rows).predict(rows.features), np.full((3, 1), 2.75))


def test_every_row_is_given_the_quantiles_of_least_pinball_loss() -> None:
    random = np.random.default_rng(0)
    objective = Objective(task="quantile", quantiles=[0.1, 0.5, 0.75])
    rows = values(random.normal(size=40).tolist(), random.integers(1, 5, 40).tolist(), objective)
    found = ConstantModel(ConstantSpec()).fit(rows).predict(rows.features)[0]

    def loss(level: float, value: float) -> float:
        miss = rows.label - value
        return float(rows.weight @ np.maximum(level * miss, (level - 1) * miss))

    for level, value in zip(objective.quantiles, found, strict=True):
        assert loss(level, value) == pytest.approx(min(loss(level, each) for each in rows.label), rel=1e-12)


def test_a_weight_of_two_is_the_row_twice() -> None:
    objective = Objective(task="quantile")
    weighted = values([5.0, 1.0, 3.0, 2.0], [2, 1, 2, 1], objective)
    repeated = values([5.0, 5.0, 1.0, 3.0, 3.0, 2.0], [1] * 6, objective)
    first, second = (
        ConstantModel(ConstantSpec()).fit(rows).predict(rows.features[:1]) for rows in (weighted, repeated)
    )
    assert np.array_equal(first, second)


def test_validation_rows_are_not_counted(make_rows: Callable[..., Dataset]) -> None:
    rows, later = make_rows(), make_rows(800, seed=1)
    alone = ConstantModel(ConstantSpec()).fit(rows)
    beside = ConstantModel(ConstantSpec()).fit(rows, later)
    assert np.array_equal(alone.predict(rows.features[:1]), beside.predict(rows.features[:1]))


def test_zero_is_forecast_whatever_came() -> None:
    rows = values([1.0, 2.0], [1, 1], Objective(task="regression"))
    assert ZeroModel(ZeroSpec()).fit(rows).predict(rows.features).tolist() == [[0.0], [0.0]]


def test_the_last_return_is_forecast_again() -> None:
    rows = values([1.0, 2.0], [1, 1], Objective(task="regression"))
    forecast = LastReturnModel(LastReturnSpec()).fit(rows).predict(rows.features)
    np.testing.assert_allclose(forecast, [[0.01], [0.02]], rtol=1e-6)
    other = LastReturnModel(LastReturnSpec(feature="rsi_14")).fit(rows).predict(rows.features)
    assert other.tolist() == [[1.0], [1.0]]


def test_a_last_return_that_is_no_feature_is_refused() -> None:
    rows = replace(values([1.0], [1], Objective(task="regression")), names=("a", "b"))
    with pytest.raises(ConfigError, match=r"needs log_return_1 \(`feature`\), not among the 2 features"):
        LastReturnModel(LastReturnSpec()).fit(rows)
