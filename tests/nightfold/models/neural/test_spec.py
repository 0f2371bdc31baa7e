"""Specs of networks, and what is said where torch is absent."""

import subprocess
import sys

import optuna
import pytest

from nightfold.models.neural.extra import MissingExtraError, require_neural
from nightfold.models.neural.spec import NextBarSpec, TransformerSpec, next_bar_space


def test_heads_share_the_width() -> None:
    with pytest.raises(ValueError, match="`heads` is 5; it must divide `hidden`, which is 32"):
        TransformerSpec(heads=5)


def test_what_is_missing_is_named_with_its_extra() -> None:
    require_neural("Anything", "numpy")
    with pytest.raises(MissingExtraError, match=r"LSTMModel needs no_such_torch.*`neural`.*`make neural`.*nightfold\[neural\]"):
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
