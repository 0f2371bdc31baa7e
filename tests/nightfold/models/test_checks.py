"""The checks themselves: each catches a model that breaks its promise."""

import gzip
import pickle
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nightfold.models.boosting.lightgbm import LightGBMModel
from nightfold.models.catalog import MODELS, ModelEntry
from nightfold.models.checks import CHECKS, ContractError, made_up, run_checks
from nightfold.models.contract import Capabilities, Model, UnfittedError
from nightfold.models.dataset import Dataset
from nightfold.models.linear import LogisticRegressionModel
from nightfold.models.objective import CLASSES, Task
from nightfold.models.window import Windows

GOOD = MODELS["logistic_regression"]
TICK = count()


class Ticking(LogisticRegressionModel):
    """Writes other bytes each time, as a library does that notes the time."""

    def _write(self, folder: Path) -> None:
        super()._write(folder)
        (folder / "time.txt").write_text(str(next(TICK)))


class Pickling(LogisticRegressionModel):
    def _write(self, folder: Path) -> None:
        super()._write(folder)
        (folder / "model.bin").write_bytes(b"\x80\x04\x95.")


class PlainPickling(LogisticRegressionModel):
    """Protocol 0 is text."""

    def _write(self, folder: Path) -> None:
        super()._write(folder)
        (folder / "model.bin").write_bytes(pickle.dumps([1.5, "a"], protocol=0))


class PackedPickling(LogisticRegressionModel):
    def _write(self, folder: Path) -> None:
        super()._write(folder)
        (folder / "model.gz").write_bytes(gzip.compress(pickle.dumps([1.5, "a"]), mtime=0))


class ObjectArray(LogisticRegressionModel):
    def _write(self, folder: Path) -> None:
        super()._write(folder)
        np.save(folder / "model.npy", np.array([{"a": 1}], dtype=object))


class HiddenPickling(LogisticRegressionModel):
    """No byte of a pickle is in its file."""

    def _write(self, folder: Path) -> None:
        super()._write(folder)
        (folder / "model.txt").write_bytes(b64encode(pickle.dumps([1.5, "a"])))


class Unpickling(LogisticRegressionModel):
    def _read(self, folder: Path) -> None:
        super()._read(folder)
        pickle.loads(b"N.")


class Forgetful(LogisticRegressionModel):
    def _read(self, folder: Path) -> None:
        super()._read(folder)
        self._learnt.intercept[:] = 0


class Ranking(LogisticRegressionModel):
    """Looks at the other rows that are forecast at once."""

    def _predict(self, features: Any) -> Any:
        return super()._predict(features - features.mean(axis=0))


class Learning(LogisticRegressionModel):
    """Goes on learning while it forecasts."""

    def _predict(self, features: Any) -> Any:
        forecast = super()._predict(features)
        self._learnt.intercept[0] += 1e-3
        return forecast


class Scaling(LogisticRegressionModel):
    """Scales what it is handed in place."""

    def _predict(self, features: Any) -> Any:
        features *= 2
        return super()._predict(features)


class Unnormalised(LogisticRegressionModel):
    def _predict(self, features: Any) -> Any:
        return 0.9 * super()._predict(features)


class Unweighted(LogisticRegressionModel):
    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        super()._fit(replace(train, weight=np.ones(len(train))), validation)


class Blind(LogisticRegressionModel):
    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        super()._fit(replace(train, features=np.zeros_like(train.table)), validation)


class Peeking(LogisticRegressionModel):
    """Learns from the rows that are there for early stopping."""

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        super()._fit(train if validation is None else train.join(validation), None)


class SeveralLevels(LightGBMModel):
    """Fails as a library does whose loss takes several levels or none."""

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        if len(train.objective.quantiles) == 1:
            raise ValueError("Parameter alpha should contain at least two quantiles")
        super()._fit(train, validation)


class Eager(LogisticRegressionModel):
    """Forecasts before it has learnt anything."""

    def predict(self, features: Any) -> Any:
        try:
            return super().predict(features)
        except UnfittedError:
            return np.full((len(features), len(self.objective.columns)), 1 / len(self.objective.columns))


class Lenient(LogisticRegressionModel):
    def predict(self, features: Any) -> Any:
        return super().predict(features if isinstance(features, Windows) else np.nan_to_num(features))


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Ticking, "same_bytes"),
        (Pickling, "no_pickle"),
        (PlainPickling, "no_pickle"),
        (PackedPickling, "no_pickle"),
        (ObjectArray, "no_pickle"),
        (HiddenPickling, "no_pickle"),
        (Unpickling, "no_pickle"),
        (Peeking, "validation_is_not_learnt"),
        (Forgetful, "loaded_is_the_same"),
        (Ranking, "rows_stand_alone"),
        (Learning, "predict_changes_nothing"),
        (Scaling, "predict_changes_nothing"),
        (Unnormalised, "forecasts_are_whole"),
        (Unweighted, "weights_count"),
        (Blind, "effect_is_found"),
        (Eager, "unfitted_says_so"),
        (Eager, "interrupted_is_unfitted"),
        (Lenient, "unknown_values_are_refused"),
    ],
)
def test_a_broken_model_is_caught(broken: type[Model[Any]], check: str) -> None:
    entry = replace(GOOD, name=broken.__name__, model=broken)
    run = next(each.run for each in CHECKS if each.name == check)
    with pytest.raises(ContractError):
        run(entry, "three_class")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (PlainPickling, "save calls pickle.dumps; what is pickled runs code"),
        (PackedPickling, "save calls pickle.dumps;"),
        (ObjectArray, "save calls numpy.save of objects, pickle.dump;"),
        (HiddenPickling, "save calls pickle.dumps;"),
        (Unpickling, "load calls pickle.loads;"),
        (Pickling, "model.bin is or holds a pickle"),
    ],
)
def test_what_pickles_is_told_by_its_call_or_else_its_file(broken: type[Model[Any]], words: str) -> None:
    assert words in str(run_checks(replace(GOOD, name=broken.__name__, model=broken), "binary")["no_pickle"])


def test_a_family_that_fails_with_a_single_quantile_is_caught() -> None:
    entry = replace(MODELS["lightgbm"], name="SeveralLevels", model=SeveralLevels)
    run = next(each.run for each in CHECKS if each.name == "one_level_is_enough")
    with pytest.raises(ValueError, match="at least two quantiles"):
        run(entry, "quantile")
    run(entry, "regression")


def test_a_search_space_of_another_kind_is_caught() -> None:
    entry = replace(GOOD, search_space=MODELS["lightgbm"].search_space)
    run = next(each.run for each in CHECKS if each.name == "search_gives_specs")
    with pytest.raises(ContractError, match="gives a LightGBMSpec"):
        run(entry, "binary")


def test_the_wrong_kind_of_input_in_the_capabilities_is_caught() -> None:
    entry = replace(GOOD, capabilities=Capabilities(("binary",), inputs="windows"))
    run = next(each.run for each in CHECKS if each.name == "other_inputs_are_refused")
    with pytest.raises(ContractError, match="declares windows and takes rows"):
        run(entry, "binary")


def test_all_checks_are_run_and_told_by_name() -> None:
    found = run_checks(GOOD, "binary")
    assert list(found) == [check.name for check in CHECKS]
    assert set(found.values()) == {None}
    broken = run_checks(replace(GOOD, name="Unnormalised", model=Unnormalised), "binary")
    assert "do not sum to 1" in str(broken["forecasts_are_whole"])


@pytest.mark.parametrize("task", ["three_class", "binary", "regression", "quantile"])
def test_made_up_rows_say_as_much_as_they_are_told_to(task: Task) -> None:
    for effect, expected in ((0.0, False), (1.0, True)):
        rows = made_up(GOOD, task, 4000, effect=effect)
        related = abs(np.corrcoef(rows.table[:, 0], rows.label)[0, 1]) > 0.1
        assert related == expected
        assert set(CLASSES.get(task, ())) <= set(rows.label)


def test_made_up_windows_are_labelled_by_their_newest_bar(windowed: Callable[[int], ModelEntry]) -> None:
    rows = made_up(windowed(4), "regression", 4000)
    assert isinstance(rows.features, Windows)
    assert rows.features.shape == (4000, 4, 5)
    assert np.corrcoef(rows.table[:, 0], rows.label)[0, 1] > 0.5
    before = rows.features.batch()[:, -2, 0]
    assert abs(np.corrcoef(before, rows.label)[0, 1]) < 0.1


@pytest.fixture
def windowed() -> Callable[[int], ModelEntry]:
    """An entry whose model looks at windows."""

    def make(length: int) -> ModelEntry:
        class Windowed(LogisticRegressionModel):
            window = length

        return replace(GOOD, model=Windowed, capabilities=Capabilities(("regression",), inputs="windows"))

    return make
