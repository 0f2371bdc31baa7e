"""Specs of networks, and what is said where torch is absent."""

import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from nightfold.models.neural.extra import MissingExtraError, require_neural
from nightfold.models.neural.spec import NextBarSpec, TransformerSpec, next_bar_space

ROOT = Path(__file__).parents[4]


def test_heads_share_the_width() -> None:
    with pytest.raises(ValueError, match="`heads` is 5; it must divide `hidden`, which is 32"):
        TransformerSpec(heads=5)


def test_what_is_missing_is_named_with_its_extra() -> None:
    require_neural("Anything", "numpy")
    with pytest.raises(
        MissingExtraError, match=r"LSTMModel needs no_such_torch.*`neural`: `make neural`, or pip install"
    ):
        require_neural("LSTMModel", "no_such_torch")


def test_models_are_imported_without_torch() -> None:
    code = "import sys, nightfold.models.neural.model; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_the_sweep_of_the_next_bar_has_the_settings_that_were_asked_for() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    specs = [next_bar_space(study.ask()) for _ in range(200)]
    assert {spec.window for spec in specs} == {128, 192, 256}
    assert {spec.learning_rate for spec in specs} == {1e-4, 7.5e-5, 5e-5}
    assert {spec.confidence_weight for spec in specs} == {0.2, 0.3, 0.4, 0.5}
    assert {spec.depth for spec in specs} == {2, 4}
    assert NextBarSpec().window == 128


def test_shipped_experiments_load_without_torch_and_their_fits_name_what_to_do() -> None:
    code = """
import sys
sys.modules.update(torch=None, neuralforecast=None)
from pathlib import Path
from nightfold.configuration import load_experiments
from nightfold.models.catalog import find_model
from nightfold.models.checks import made_up
for experiment in load_experiments(Path("configs/research/experiments")).values():
    for choice in experiment.models.values():
        entry = find_model(choice.model)
        if entry.capabilities.extra:
            try:
                entry.model(entry.spec(**entry.small)).fit(made_up(entry, experiment.target.objective.task, 50))
            except ImportError as error:
                print(experiment.name, error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    told = ran.stdout.splitlines()
    assert {line.split()[0] for line in told} >= {"barrier_stack", "next_bar", "quantile_24h"}
    assert all("`make neural`" in line for line in told)
