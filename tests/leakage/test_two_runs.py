"""Two runs from clean lakes give the same bytes, the second in a process of its own with another order of hashes."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

RUN = """
import sys
from pipeline_defs.workshop import Workshop
with Workshop.open(print) as workshop:
    for layer in sys.argv[1:]:
        workshop.backfill(layer)
"""
LAYERS = ("ingest", "research", "train", "predict")
MEMBERS: dict[str, Any] = {
    "class_frequencies": None,
    "logistic_regression": None,
    "extra_trees": {"trees": 20},
    "lightgbm": {"rounds": 30, "learning_rate": 0.1, "min_data_in_leaf": 20},
    "xgboost": {"rounds": 30, "learning_rate": 0.1, "min_data_in_leaf": 20},
    "catboost": {"rounds": 20, "learning_rate": 0.1},
}
EXPERIMENTS: dict[str, Any] = {
    "stacked": {"models": MEMBERS, "ensemble": {"method": "stack", "oof_blocks": 2}},
    "ranked": {
        "models": {"ridge": None, "lightgbm": MEMBERS["lightgbm"], "training_mean": None},
        "target": {"kind": "return", "horizons": [5]},
        "ensemble": {"method": "rank"},
    },
}
UNIVERSE = {"start": "2024-01-01", "end": "2024-02-15"}


@pytest.fixture(scope="module")
def runs(deploy: Callable[..., Any]) -> tuple[Any, Any]:
    """Two deployments with every layer made up to predictions."""
    first, second = (deploy(universe=UNIVERSE, experiments=EXPERIMENTS) for _ in range(2))
    with first.workshop() as workshop:
        for layer in LAYERS:
            workshop.backfill(layer)
    with second.entered():
        environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONWARNINGS": "ignore"}
        ran = subprocess.run([sys.executable, "-c", RUN, *LAYERS], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return first, second


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_predictions_are_the_same_bytes(runs: tuple[Any, Any], experiment: str) -> None:
    first, second = (made.files(f"{experiment}/predictions") for made in runs)
    assert first
    assert first == second
    told = pl.read_parquet(sorted((runs[0].lake / f"{experiment}/predictions").rglob("*.parquet")))
    assert told["as_of"].drop_nulls().len() == 2 * 3 * 24


def test_every_file_of_the_lake_is_the_same_bytes(runs: tuple[Any, Any]) -> None:
    first, second = (made.files() for made in runs)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    models = [f"{experiment}/{member}/" for experiment, each in EXPERIMENTS.items() for member in each["models"]]
    assert all(any(name.startswith(model) for name in first) for model in [*models, "stacked/ensemble/"])
