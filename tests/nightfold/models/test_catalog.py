"""The catalog of model families."""

import subprocess
import sys

import optuna
import pytest

from nightfold.errors import UnknownNameError
from nightfold.models.catalog import MODELS, ModelEntry, find_model


def test_entries_are_found_by_their_own_name_and_cannot_be_changed() -> None:
    assert all(find_model(name).name == name for name in MODELS)
    assert {"lightgbm", "xgboost", "catboost", "logistic_regression", "ridge", "random_forest", "extra_trees"} < set(
        MODELS
    )
    assert {"svm", "class_frequencies", "climatological_quantiles", "zero", "last_return"} < set(MODELS)
    with pytest.raises(TypeError):
        MODELS["mine"] = MODELS["lightgbm"]  # type: ignore[index]


def test_an_unknown_name_offers_a_close_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean lightgbm"):
        find_model("lightgmb")


@pytest.mark.parametrize("entry", MODELS.values(), ids=lambda entry: entry.name)
def test_a_search_space_gives_valid_specs_of_the_entry(entry: ModelEntry) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        spec = entry.search_space(study.ask())
        assert isinstance(spec, entry.spec)
        assert entry.spec.model_validate(spec.model_dump()) == spec


def test_reading_the_catalog_imports_no_model_library() -> None:
    heavy = "lightgbm xgboost catboost numba sklearn scipy pandas torch safetensors optuna mlflow"
    code = f"import sys, nightfold.models.catalog; print(*(set('{heavy}'.split()) & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
