"""Bins shared among the fits of a fold: the same models, made faster."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nightfold.models.catalog import MODELS
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective
from nightfold.models.shared import Shared
from nightfold.tuning.fold import TuningRows

Make = Callable[..., TuningRows]
ENTRY = MODELS["lightgbm"]
SETTINGS: list[dict[str, float]] = [
    {"leaves": 4, "min_data_in_leaf": 10},
    {"leaves": 15, "min_data_in_leaf": 300, "feature_fraction": 0.6},
    {"leaves": 8, "min_data_in_leaf": 50, "max_bin": 15},
    {"leaves": 8, "min_data_in_leaf": 20, "bagging_fraction": 0.7, "learning_rate": 0.2},
]


def parts(table: TuningRows, task: str) -> tuple[Dataset, Dataset]:
    rows = table.rows
    label = rows.label + 0.1 * rows.table[:, 0]
    label = {"three_class": rows.label, "binary": (label > 0).astype(int)}.get(task, label)
    made = Dataset(rows.features, rows.names, label, rows.weight, Objective(task=task))
    return made.take(np.arange(1800)), made.take(np.arange(1800, 2400))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("task", ["three_class", "binary", "regression", "quantile"])
def test_fits_that_share_bins_side_by_side_write_the_same_files_as_fits_alone(
    make_table: Make, tmp_path: Path, task: str
) -> None:
    train, stopping = parts(make_table(), task)
    shared = Shared()

    def fit(number: int, store: Shared | None) -> dict[str, bytes]:
        model = ENTRY.model(ENTRY.spec.model_validate({"rounds": 30, **SETTINGS[number % 4]}), 5)
        model.shared = store
        folder = tmp_path / f"{number}-{store is None}"
        model.fit(train, stopping).save(folder)
        return files(folder)

    alone = [fit(number, None) for number in range(4)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda number: fit(number, shared), range(8)))
    assert together == alone + alone
    assert len(shared._made) == 2 * 2 * (3 if task == "quantile" else 1)


def test_a_thing_is_made_once_and_only_for_its_key() -> None:
    shared = Shared()
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key

    for key in ("a", "b", "a"):
        assert shared.once(key, partial(make, key)) == key
    assert made == ["a", "b"]
