"""A search on made-up rows: what is there is found, what is not there is not, and nothing is seen too early."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nightfold.errors import ConfigError
from nightfold.models.catalog import MODELS
from nightfold.models.contract import class_prior, class_shares, corrected
from nightfold.models.metrics import log_loss, macro_f1
from nightfold.models.objective import Objective
from nightfold.models.window import Windows
from nightfold.tuning.fold import TuningRows, fold_rows, inner_folds
from nightfold.tuning.search import Search, tune
from nightfold.tuning.spec import TuningSpec
from nightfold.tuning.trial import measure

Make = Callable[..., TuningRows]
LIGHTGBM = MODELS["lightgbm"]
SPEC = LIGHTGBM.spec.model_validate({"rounds": 40, "min_data_in_leaf": 20, "l2": 1.0, "feature_fraction": 1.0})
INTERACTION = TuningSpec(trials=8, batch=4, rungs=2, folds=2, space={"leaves": [2, 8], "learning_rate": [0.05, 0.2]})
PLAIN = TuningSpec(method="random", trials=4, batch=4, rungs=1, folds=2, space={"leaves": [4, 8]})


def search(table: TuningRows, tuning: TuningSpec = INTERACTION, **settings: object) -> Search:
    return tune(LIGHTGBM, SPEC, tuning, table, purge=4, embargo=8, seed=1, **settings)  # type: ignore[arg-type]


def gain(found: Search) -> float:
    metrics = found.best.outcome.metrics
    assert metrics["log_loss"] is not None
    assert metrics["log_loss_class_frequencies"] is not None
    return metrics["log_loss_class_frequencies"] - metrics["log_loss"]


def test_a_setting_that_matters_is_found(make_table: Make) -> None:
    """The planted effect needs two splits on the way to a leaf: trees of two leaves cannot have it."""
    found = search(make_table())
    assert found.best.spec.model_dump()["leaves"] == 8
    assert gain(found) > 0.05
    stumps = [trial for trial in found.trials if trial.spec.model_dump()["leaves"] == 2]
    assert stumps
    assert all(trial.outcome.score > found.best.outcome.score + 0.05 for trial in stumps)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_shuffled_labels_the_best_is_no_better_than_class_frequencies(make_table: Make, seed: int) -> None:
    table = make_table()
    order = np.random.default_rng(seed).permutation(len(table.rows))
    shuffled = replace(table, rows=replace(table.rows, label=table.rows.label[order]))
    assert gain(search(shuffled)) < 0.005


def test_scores_are_those_of_fits_on_the_inner_folds_made_by_hand(make_table: Make) -> None:
    table = make_table(1200)
    found = search(table, PLAIN)
    losses: list[float | None] = []
    f1: list[float | None] = []
    for fold in inner_folds(table, PLAIN, 4, 8, stops=True):
        train, stopping, test = (table.rows.take(part) for part in (fold.train, fold.stopping, fold.test))
        model = LIGHTGBM.model(found.best.spec, 1).fit(train, stopping)
        forecast = corrected(model.predict(test.features), (class_shares(train) / class_prior(train)).tolist())
        losses.append(log_loss(forecast, test.label))
        f1.append(macro_f1(forecast, test.label))
    assert (
        found.best.outcome.score
        == found.best.outcome.metrics["log_loss"]
        == pytest.approx(np.mean(np.array(losses, dtype=float)))
    )
    assert found.best.outcome.metrics["macro_f1"] == pytest.approx(np.mean(np.array(f1, dtype=float)))
    assert found.best.outcome.rows == 600


def test_later_rows_change_nothing_of_a_fold_before_them(make_table: Make) -> None:
    table = make_table(1200)
    tuning = TuningSpec(folds=3)
    folds = inner_folds(table, tuning, 4, 8, stops=True)
    for number, fold in enumerate(folds[:-1]):
        random = np.random.default_rng(number)
        features, label = table.rows.table.copy(), table.rows.label.copy()
        later = np.arange(len(label)) > fold.test.max()
        features[later] = random.normal(size=(later.sum(), features.shape[1]))
        label[later] = 1
        other = replace(table, rows=replace(table.rows, features=features, label=label))
        before, after = (measure(LIGHTGBM, SPEC, rows, [fold_rows(rows, fold, 1)], 0) for rows in (table, other))
        assert before == after


def test_the_label_of_a_test_row_has_no_say_in_its_forecast(make_table: Make) -> None:
    table = make_table(1200)
    fold = inner_folds(table, TuningSpec(folds=1), 4, 8, stops=True)[0]
    turned = table.rows.label.copy()
    turned[fold.test] *= -1
    other = replace(table, rows=replace(table.rows, label=turned))
    before, after = (measure(LIGHTGBM, SPEC, rows, [fold_rows(rows, fold, 1)], 0) for rows in (table, other))
    assert before.daily_returns == after.daily_returns
    assert before.score != after.score


def test_workers_and_a_journal_change_nothing(make_table: Make, tmp_path: Path) -> None:
    table = make_table(1200, symbols=2)
    alone = search(table)
    assert search(table, workers=3, journal=tmp_path) == alone
    assert [file.name for file in tmp_path.iterdir()] == [f"{alone.id}.journal"]


def test_another_search_has_another_name(make_table: Make) -> None:
    table = make_table(600)
    names = {
        tune(LIGHTGBM, spec, tuning, rows, purge=purge, embargo=8, seed=seed).id
        for spec, tuning, rows, purge, seed in [
            (SPEC, PLAIN, table, 4, 1),
            (LIGHTGBM.spec.model_validate({"rounds": 41}), PLAIN, table, 4, 1),
            (SPEC, PLAIN.model_copy(update={"trials": 3}), table, 4, 1),
            (SPEC, PLAIN, make_table(600, seed=1), 4, 1),
            (SPEC, PLAIN, table, 5, 1),
            (SPEC, PLAIN, table, 4, 2),
        ]
    }
    assert len(names) == 6


def test_the_reference_policy_earns_on_an_effect_that_is_there(make_table: Make) -> None:
    table = make_table(3000)
    returns = np.array(search(table).best.outcome.daily_returns)
    assert 5 <= len(returns) <= 7
    assert (returns > 0).all()
    unknown = search(replace(table, log_return=None), PLAIN).best.outcome
    assert (unknown.first_day, unknown.daily_returns) == (None, [])


def test_a_metric_of_choice_decides_among_whole_trials(make_table: Make) -> None:
    table = make_table(1200)
    tuning = TuningSpec(method="grid", trials=9, rungs=1, folds=2, metric="macro_f1", space={"leaves": [2, 3, 8]})
    found = search(table, tuning)
    assert found.metric == "macro_f1"
    assert found.best.outcome.metrics["macro_f1"] == max(t.outcome.metrics["macro_f1"] or 0 for t in found.trials)


@pytest.mark.parametrize("task", ["binary", "regression", "quantile"])
def test_every_task_is_searched_by_its_proper_score(make_table: Make, task: str) -> None:
    table = make_table(900)
    objective = Objective(task=task)
    label = table.rows.label.astype(float) + 0.1 * table.rows.table[:, 0]
    rows = replace(table.rows, label=(label > 0).astype(int) if task == "binary" else label, objective=objective)
    names = [name for name, entry in MODELS.items() if task in entry.capabilities.tasks and entry.family != "baseline"]
    if not names:
        pytest.skip(f"no model forecasts {task}")
    entry = MODELS["lightgbm" if "lightgbm" in names else names[0]]
    tuning = TuningSpec(trials=2, rungs=1, folds=2)
    found = tune(entry, entry.spec(), tuning, replace(table, rows=rows), purge=4, embargo=8)
    assert found.metric == objective.metric
    assert found.best.outcome.score == min(trial.outcome.score for trial in found.trials)


def windowed(table: TuningRows, length: int) -> TuningRows:
    """The newest bars of a table, each with the window that ends there."""
    ends = np.arange(6, len(table.rows))
    rows = table.rows.take(ends)
    windows = replace(rows, features=Windows(table.rows.table, ends, length))
    opened, ended = table.open_time[ends], table.label_end[ends]
    return replace(table, rows=windows, log_return=None, open_time=opened, label_end=ended)


def test_windows_of_several_lengths_are_searched_on_the_same_rows(make_table: Make) -> None:
    """Each trial is a fit on the inner folds of the very same labels, with windows as long as its own."""
    pytest.importorskip("torch", reason="networks come with the extra `neural`")
    entry, table = MODELS["gru"], make_table(500)
    spec = entry.spec.model_validate({"hidden": 4, "epochs": 1, "dropout": 0.0, "learning_rate": 0.05, "window": 3})
    tuning = TuningSpec(method="grid", rungs=1, folds=1, space={"window": [3, 6]})
    found = tune(entry, spec, tuning, windowed(table, 6), purge=4, embargo=8)
    by_window = {trial.spec.model_dump()["window"]: trial.outcome for trial in found.trials}
    assert by_window.keys() == {3, 6}
    assert by_window[3].rows == by_window[6].rows
    for length, outcome in by_window.items():
        alone = windowed(table, length)
        folds = [fold_rows(alone, fold, 1) for fold in inner_folds(alone, tuning, 4, 8, stops=True)]
        own = entry.spec.model_validate({**spec.model_dump(), "window": length})
        assert measure(entry, own, alone, folds, 0) == outcome
    with pytest.raises(ConfigError, match="tries a `window` of 6 bars and was given windows of 3"):
        tune(entry, spec, tuning, windowed(table, 3), purge=4, embargo=8)


def test_a_model_without_the_task_is_refused(make_table: Make) -> None:
    table = make_table(600)
    rows = replace(table.rows, objective=Objective(task="regression"))
    entry = MODELS["logistic_regression"]
    with pytest.raises(ConfigError, match="does not forecast the task regression"):
        tune(entry, entry.spec(), TuningSpec(), replace(table, rows=rows), purge=4, embargo=8)
