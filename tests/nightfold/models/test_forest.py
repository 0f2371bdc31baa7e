"""Forests kept as plain arrays forecast what scikit-learn's own do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from nightfold.models.contract import ModelError
from nightfold.models.dataset import Dataset
from nightfold.models.forest import ExtraTreesModel, ExtraTreesSpec, RandomForestModel, RandomForestSpec
from nightfold.models.objective import Objective

Make = Callable[..., Dataset]
SETTINGS = {"n_estimators": 30, "max_depth": 6, "min_samples_leaf": 20, "max_features": 0.6, "random_state": 3}
OURS = {"trees": 30, "depth": 6, "min_data_in_leaf": 20, "feature_fraction": 0.6}


@pytest.mark.parametrize(
    ("model", "library"),
    [
        (RandomForestModel(RandomForestSpec(**OURS), 3), RandomForestClassifier(**SETTINGS)),
        (ExtraTreesModel(ExtraTreesSpec(**OURS), 3), ExtraTreesClassifier(**SETTINGS)),
    ],
    ids=["random_forest", "extra_trees"],
)
def test_probabilities_are_those_of_the_library(
    model: RandomForestModel | ExtraTreesModel, library: RandomForestClassifier, make_rows: Make
) -> None:
    rows, later = make_rows(), make_rows(5000, seed=2)
    library.fit(rows.features, rows.label, rows.weight / rows.weight.mean())
    expected = np.maximum(library.predict_proba(later.features), 1e-6)
    found = model.fit(rows).predict(later.features)
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "library"),
    [
        (RandomForestModel(RandomForestSpec(**OURS), 3), RandomForestRegressor(**SETTINGS)),
        (ExtraTreesModel(ExtraTreesSpec(**OURS), 3), ExtraTreesRegressor(**SETTINGS)),
    ],
    ids=["random_forest", "extra_trees"],
)
def test_means_are_those_of_the_library(
    model: RandomForestModel | ExtraTreesModel, library: RandomForestRegressor, make_rows: Make
) -> None:
    rows, later = make_rows(), make_rows(500, seed=2)
    label = 1e-3 * rows.features[:, 0].astype(np.float64)
    rows = replace(rows, label=label, objective=Objective(task="regression"))
    library.fit(rows.features, label, rows.weight / rows.weight.mean())
    found = model.fit(rows).predict(later.features)[:, 0]
    np.testing.assert_allclose(found, library.predict(later.features), rtol=0, atol=1e-15)


def test_a_tampered_file_is_refused(make_rows: Make, tmp_path: Path) -> None:
    ExtraTreesModel(ExtraTreesSpec(**OURS)).fit(make_rows()).save(tmp_path)
    arrays = load_file(tmp_path / "trees.safetensors")
    arrays["value"] += 1
    save_file(arrays, tmp_path / "trees.safetensors")
    with pytest.raises(ModelError, match="not those that were saved"):
        ExtraTreesModel.load(tmp_path)


def test_a_foreign_file_is_refused(make_rows: Make, tmp_path: Path) -> None:
    ExtraTreesModel(ExtraTreesSpec(**OURS)).fit(make_rows()).save(tmp_path)
    (tmp_path / "extra.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match="not those that were saved"):
        ExtraTreesModel.load(tmp_path)
