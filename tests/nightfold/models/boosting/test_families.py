"""What the three boosting libraries have in common: where they begin, when they stop, and what they keep."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nightfold.models.boosting.catboost import CatBoostModel, CatBoostSpec
from nightfold.models.boosting.lightgbm import LightGBMModel, LightGBMSpec
from nightfold.models.boosting.start import Start, best_round
from nightfold.models.boosting.xgboost import XGBoostModel, XGBoostSpec
from nightfold.models.catalog import MODELS
from nightfold.models.checks import made_up
from nightfold.models.constant import best_constant
from nightfold.models.contract import Model
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective, Task
from nightfold.models.score import row_losses

LIBRARIES: dict[str, Callable[..., Model[Any]]] = {
    "lightgbm": lambda **changes: LightGBMModel(LightGBMSpec(min_data_in_leaf=20, **changes), 3),
    "xgboost": lambda **changes: XGBoostModel(XGBoostSpec(min_data_in_leaf=20, **changes), 3),
    "catboost": lambda **changes: CatBoostModel(CatBoostSpec(**changes), 3),
}
TASKS: tuple[Task, ...] = ("three_class", "binary", "regression", "quantile")


def rows_of(task: Task, rows: int = 1000, seed: int = 0, effect: float = 1.0, scale: float = 1.0) -> Dataset:
    made = made_up(MODELS["lightgbm"], task, rows, seed, effect)
    return made if made.objective.classes else replace(made, label=scale * made.label + 3 * scale)


def loss(model: Any, rows: Dataset) -> float:
    losses = row_losses(rows.objective, model.predict(rows.features), rows.label)
    return float(np.average(losses, weights=rows.weight))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LIBRARIES)
def test_rounds_stop_where_the_validation_score_is_lowest(name: str, task: Task) -> None:
    train, validation = rows_of(task), rows_of(task, 400, seed=1)
    settings = {"learning_rate": 0.4, "rounds": 60, "early_stopping_rounds": 6}
    stopped = LIBRARIES[name](**settings).fit(train, validation)
    assert stopped.rounds is not None
    losses = {
        rounds: loss(LIBRARIES[name](**{**settings, "rounds": rounds}).fit(train), validation)
        for rounds in range(max(1, stopped.rounds - 4), stopped.rounds + 6)
    }
    assert 1 < stopped.rounds < 54
    assert losses[stopped.rounds] == pytest.approx(min(losses.values()), rel=1e-6)
    assert loss(stopped, validation) == pytest.approx(losses[stopped.rounds], rel=1e-9)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LIBRARIES)
def test_without_an_edge_the_constant_is_forecast(name: str, task: Task, tmp_path: Path) -> None:
    train = rows_of(task)
    turned = {"three_class": (train.label + 2) % 3 - 1, "binary": 1 - train.label}.get(task, -train.label)
    validation = replace(train, label=turned)  # what is learnt is wrong there
    model = LIBRARIES[name](learning_rate=0.4).fit(train, validation)
    assert model.rounds == 0
    assert model.refit_spec.rounds == 0
    found = model.predict(train.features[:3])
    np.testing.assert_allclose(found, np.tile(best_constant(train), (3, 1)), rtol=0, atol=1e-12)
    model.save(tmp_path)
    assert np.array_equal(type(model).load(tmp_path).predict(train.features[:3]), found)
    again = type(model)(model.refit_spec).fit(train)
    assert np.array_equal(again.predict(train.features[:3]), found)


@pytest.mark.parametrize("task", ["regression", "quantile"])
@pytest.mark.parametrize("name", LIBRARIES)
def test_the_unit_of_the_label_does_not_matter(name: str, task: Task) -> None:
    plain = LIBRARIES[name]().fit(rows_of(task), rows_of(task, 400, seed=1))
    tiny = LIBRARIES[name]().fit(rows_of(task, scale=2**-10), rows_of(task, 400, seed=1, scale=2**-10))
    features = rows_of(task, 200, seed=2).features
    assert (plain.rounds or 0) > 5
    np.testing.assert_allclose(2**10 * tiny.predict(features), plain.predict(features), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", LIBRARIES)
def test_quantiles_cover_what_they_say(name: str) -> None:
    model = LIBRARIES[name]().fit(rows_of("quantile", 4000), rows_of("quantile", 1000, seed=1))
    later = rows_of("quantile", 4000, seed=2)
    shares = (later.label[:, None] <= model.predict(later.features)).mean(axis=0)
    np.testing.assert_allclose(shares, [0.05, 0.5, 0.95], rtol=0, atol=0.03)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_single_quantile_covers_what_it_says_and_stops_where_its_score_is_lowest(name: str, level: float) -> None:
    objective = Objective(task="quantile", quantiles=[level])
    train, validation, later = (
        replace(rows_of("quantile", rows, seed), objective=objective)
        for rows, seed in ((4000, 0), (1000, 1), (4000, 2))
    )
    model = LIBRARIES[name](learning_rate=0.2).fit(train, validation)
    assert model.predict(later.features).shape == (4000, 1)
    assert (later.label <= model.predict(later.features)[:, 0]).mean() == pytest.approx(level, abs=0.03)
    assert model.curves["stopping"][model.rounds or 0] == pytest.approx(loss(model, validation), rel=1e-5)


@pytest.mark.parametrize("fraction", [1e-4, 0.01, 0.5])
@pytest.mark.parametrize("rows", [2, 31, 600])
@pytest.mark.parametrize("name", LIBRARIES)
def test_few_rows_are_enough_to_draw_from(name: str, rows: int, fraction: float) -> None:
    model = LIBRARIES[name](bagging_fraction=fraction).fit(rows_of("regression", rows))
    assert np.isfinite(model.predict(rows_of("regression", 5, seed=1).features)).all()


def test_of_few_rows_catboost_draws_some_thirty() -> None:
    train, later = rows_of("regression", 300), rows_of("regression", 50, seed=1).features
    drawn = {each: CatBoostModel(CatBoostSpec(bagging_fraction=each)).fit(train) for each in (1e-4, 0.1, 0.2)}
    assert np.array_equal(drawn[1e-4].predict(later), drawn[0.1].predict(later))
    assert not np.array_equal(drawn[0.2].predict(later), drawn[0.1].predict(later))


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_of_the_constant_is_that_of_all_measures(task: Task) -> None:
    train, later = rows_of(task), rows_of(task, 400, seed=1)
    start = Start.of(train)
    constant = np.tile(best_constant(train), (400, 1))
    np.testing.assert_allclose(start.forecast(start.tile(400)), constant, rtol=0, atol=1e-12)
    expected = np.average(row_losses(later.objective, constant, later.label), weights=later.weight)
    found = start.loss(later) * start.unit
    assert (found**2 if task == "regression" else found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("losses", "kept", "asked"),
    [([0.9, 0.8, 0.85, 0.86, 0.1], 2, 4), ([1.1, 1.2, 0.1], 0, 2), ([0.5], 1, 1), ([], 0, 0), ([1.0, 0.99], 2, 2)],
)
def test_no_round_is_grown_once_patience_is_spent(losses: list[float], kept: int, asked: int) -> None:
    given = iter(losses)
    assert best_round(given, start=1.0, patience=2) == kept
    assert len(losses) - len(list(given)) == asked


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("leaves", [15, 31, 63])
@pytest.mark.parametrize("depth", [3, 6, 9])
@pytest.mark.parametrize("fewest", [50, 100, 200])
def test_a_usual_grid_is_expressible(rate: float, leaves: int, depth: int, fewest: int) -> None:
    settings = {"learning_rate": rate, "leaves": leaves, "depth": depth, "min_data_in_leaf": fewest}
    for spec in (LightGBMSpec, XGBoostSpec, CatBoostSpec):
        assert spec.model_validate(settings).model_dump().items() >= settings.items()


@pytest.mark.parametrize("name", LIBRARIES)
def test_leaves_bound_a_tree(name: str) -> None:
    train = rows_of("regression", 2000)
    changes = {"min_data_in_leaf": 20} if name == "catboost" else {}
    few, many = (
        LIBRARIES[name](rounds=1, leaves=leaves, depth=9, feature_fraction=1.0, **changes).fit(train)
        for leaves in (3, 12)
    )
    assert len(np.unique(few.predict(train.features))) <= 3 < len(np.unique(many.predict(train.features))) <= 12


def test_catboost_refuses_a_fewest_of_rows_for_symmetric_trees() -> None:
    with pytest.raises(ValueError, match="set `leaves` too"):
        CatBoostSpec(min_data_in_leaf=50)


def test_catboost_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    LIBRARIES["catboost"]().fit(rows_of("binary"), rows_of("binary", 200, seed=1))
    assert list(tmp_path.iterdir()) == []


def test_leaves_of_xgboost_hold_the_fewest_of_rows() -> None:
    train = replace(rows_of("regression", 2000), weight=np.ones(2000))
    model = XGBoostModel(XGBoostSpec(rounds=1, depth=9, min_data_in_leaf=150, feature_fraction=1.0)).fit(train)
    _, sizes = np.unique(model.predict(train.features), return_counts=True)
    assert sizes.min() >= 150
    assert len(sizes) > 4
