"""Fracast as a body: with a stand-in for the package, and with the package where it is installed."""

import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nightfold.models.catalog import MODELS
from nightfold.models.checks import made_up
from nightfold.models.contract import ModelError
from nightfold.models.neural.extra import MissingExtraError

pytest.importorskip("torch", reason="Fracast runs on torch, which comes with the extra `neural`")

ENTRY = MODELS["fracast"]


class StandIn:
    """Tells step and level of each number it forecasts, and where and how it was opened."""

    opened: dict[str, Any] = {}

    @classmethod
    def from_pretrained(cls, folder: Path, **settings: Any) -> "StandIn":
        if not (folder / "config.json").exists():
            raise FileNotFoundError("config.json")
        cls.opened = {"folder": folder, **settings, "offline": os.environ.get("HF_HUB_OFFLINE")}
        return cls()

    def forecast_batch(self, windows: np.ndarray, *, horizon: int) -> np.ndarray:
        steps, levels = np.arange(1, horizon + 1), np.arange(9) / 10
        return windows[:, -2, None, None] + steps[:, None] + levels


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, weights: Path) -> Path:
    """A package `fracast` that carries weights; its folder of them."""
    module = ModuleType("fracast")
    module.FracastModel = StandIn  # type: ignore[attr-defined]
    module.__spec__ = ModuleSpec("fracast", None, origin=str(weights.parent / "__init__.py"))
    monkeypatch.setitem(sys.modules, "fracast", module)
    return weights


def test_quantiles_of_the_wanted_steps_are_read_out(package: Path) -> None:
    rows = made_up(ENTRY, "regression", 40)
    model = ENTRY.model(ENTRY.spec(window=8, steps=[1, 3, 60])).fit(rows)
    said = model._numbers(rows.features).reshape(40, 3, 9)
    before = -rows.features.batch()[:, -1, 0]  # the running sum one bar before the newest, where it is 0
    steps, levels = np.array([1, 3, 60]), np.arange(9) / 10
    np.testing.assert_allclose(said, before[:, None, None] + steps[:, None] + levels, rtol=1e-5)


def test_it_is_opened_offline_from_the_folder_of_the_package_or_the_one_named(package: Path, tmp_path: Path) -> None:
    rows = made_up(ENTRY, "regression", 10)
    ENTRY.model(ENTRY.spec(window=8)).fit(rows)
    assert StandIn.opened == {"folder": package, "weights": "fp32", "device": "cpu", "offline": "1"}
    other = package.rename(tmp_path / "other")
    ENTRY.model(ENTRY.spec(window=8, folder=str(other))).fit(rows)
    assert StandIn.opened["folder"] == other
    (other / "config.json").unlink()
    with pytest.raises(ModelError, match="holds no whole Fracast model"):
        ENTRY.model(ENTRY.spec(window=8, folder=str(other))).fit(rows)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    monkeypatch.setitem(sys.modules, "fracast", None)
    for folder in (None, str(weights)):
        with pytest.raises(MissingExtraError, match=r"pip install --no-deps fracast==0\.1\.0"):
            ENTRY.model(ENTRY.spec(folder=folder, window=8)).fit(made_up(ENTRY, "regression", 10))


@pytest.mark.skipif(find_spec("fracast") is None, reason="fracast is not installed")
def test_the_real_one_forecasts_a_wave_it_was_never_fitted_on() -> None:
    """A wave of 24 bars goes on: the median one step ahead, read as it is said, is its next value."""
    model = ENTRY.model(ENTRY.spec(window=240, steps=[1]))
    wave = np.sin(2 * np.pi * np.arange(242) / 24).astype(np.float32)
    body = model._opened(model.own_folder())
    said = np.asarray(body.forecast(wave[None, :240]))
    assert said[0, 0, 4] == pytest.approx(wave[240], abs=0.15)
