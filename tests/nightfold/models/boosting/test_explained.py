"""What boosting tells of its fits: curves that are true scores, and contributions that add up to the forecast."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nightfold.models.boosting.catboost import CatBoostModel, CatBoostSpec
from nightfold.models.boosting.lightgbm import LightGBMModel, LightGBMSpec
from nightfold.models.boosting.xgboost import XGBoostModel, XGBoostSpec
from nightfold.models.catalog import MODELS
from nightfold.models.checks import made_up
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Task
from nightfold.models.score import row_losses

LIBRARIES: dict[str, Callable[..., Any]] = {
    "lightgbm": lambda **changes: LightGBMModel(LightGBMSpec(min_data_in_leaf=20, **changes), 3),
    "xgboost": lambda **changes: XGBoostModel(XGBoostSpec(min_data_in_leaf=20, **changes), 3),
    "catboost": lambda **changes: CatBoostModel(CatBoostSpec(**changes), 3),
}
TASKS: tuple[Task, ...] = ("three_class", "binary", "regression", "quantile")
every_kind = pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name in LIBRARIES for task in TASKS], ids=lambda part: part
)


def rows_of(task: Task, rows: int = 1000, seed: int = 0) -> Dataset:
    """Rows of which `log_return_1` moves the label."""
    return made_up(MODELS["lightgbm"], task, rows, seed, 1.0)


def proper_score(model: Any, rows: Dataset) -> float:
    mean = np.average(row_losses(rows.objective, model.predict(rows.features), rows.label), weights=rows.weight)
    return float(np.sqrt(mean) if rows.objective.metric == "rmse" else mean)


@every_kind
def test_contributions_and_bias_add_up_to_the_score_of_each_row(name: str, task: Task) -> None:
    model = LIBRARIES[name](rounds=20, learning_rate=0.2).fit(rows_of(task))
    features = rows_of(task, 300, seed=2).features
    told = model.contributions(features)
    assert told.shape == (300, len(model._start.scores), len(model.names) + 1)
    begins = 0 if (name, task) == ("catboost", "quantile") else model._start.scores  # its trees hold the start
    added = model._start.forecast(told.sum(axis=2) + begins)
    added = np.sort(added, axis=1) if task == "quantile" else added
    np.testing.assert_allclose(added, model.predict(features), rtol=0, atol=1e-5)


@every_kind
def test_the_feature_that_moves_the_label_counts_most_by_every_measure(name: str, task: Task) -> None:
    train, later = rows_of(task), rows_of(task, 300, seed=2)
    model = LIBRARIES[name](rounds=20, learning_rate=0.2).fit(train)
    told = model.importance(later.features)
    assert len(told) == 2
    assert "contribution" in told
    for values in told.values():
        assert values.shape == (len(train.names),)
        assert (values >= 0).all()
        assert train.names[int(values.argmax())] == "log_return_1"


@every_kind
def test_curves_are_the_scores_of_the_model_after_so_many_rounds(name: str, task: Task) -> None:
    train, stopping = rows_of(task), rows_of(task, 400, seed=1)
    settings = {"learning_rate": 0.2, "early_stopping_rounds": 5}
    model = LIBRARIES[name](rounds=30, **settings).fit(train, stopping)
    curves = model.curves
    assert min(curves["stopping"], key=curves["stopping"].__getitem__) == model.rounds
    assert list(curves["stopping"]) == list(range(1, len(curves["stopping"]) + 1))
    for number in (1, 11):
        alone = LIBRARIES[name](rounds=number, **settings).fit(train)
        exact = 2e-4 if name == "catboost" else 1e-5  # it takes the logarithms of its training rows roughly
        assert curves["train"][number] == pytest.approx(proper_score(alone, train), rel=exact)
        assert curves["stopping"][number] == pytest.approx(proper_score(alone, stopping), rel=1e-5)


@pytest.mark.parametrize("name", LIBRARIES)
def test_without_early_stopping_there_are_no_curves_and_without_trees_no_importance(name: str, tmp_path: Path) -> None:
    train, stopping = rows_of("regression"), rows_of("regression", 400, seed=1)
    model = LIBRARIES[name](rounds=20).fit(train, stopping)
    model.save(tmp_path)
    again = type(model).load(tmp_path)
    assert again.curves == {}
    for measure, values in model.importance(stopping.features).items():
        np.testing.assert_array_equal(again.importance(stopping.features)[measure], values)
    assert model.curves
    model.fit(train)
    assert model.curves == {}
    constant = LIBRARIES[name](rounds=0).fit(train)
    assert constant.importance(stopping.features) == {}
    assert not constant.contributions(stopping.features).any()


def test_contributions_that_do_not_add_up_are_left_out() -> None:
    rows = rows_of("three_class")
    model = LIBRARIES["catboost"](rounds=20, leaves=8, learning_rate=0.2).fit(rows)
    added = model._start.forecast(model.contributions(rows.features).sum(axis=2) + model._start.scores)
    assert np.abs(added - model.predict(rows.features)).max() > 0.01  # once the library is right, tell them
    assert list(model.importance(rows.features)) == ["prediction_change"]
