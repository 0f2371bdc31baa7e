"""A pretrained family written as anybody would: a file with a body of its own, and a folder of tiny weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from nightfold.models.catalog import ModelEntry
from nightfold.models.own import load_entry

FAMILY = """
import numpy as np
from safetensors.numpy import load_file

from nightfold.models.catalog import ModelEntry
from nightfold.models.contract import Capabilities
from nightfold.models.pretrained.model import PretrainedModel
from nightfold.models.pretrained.spec import PretrainedSpec


class Tiny:
    def __init__(self, line):
        self.line, self.asked = line, []

    def forecast(self, windows):
        self.asked.append(windows.copy())
        return np.einsum("wb,bsq->wsq", windows[:, -4:], self.line)


class TinyModel(PretrainedModel[PretrainedSpec]):
    spec_type = PretrainedSpec

    def open_body(self, folder):
        return Tiny(load_file(folder / "model.safetensors")["line"])


ENTRY = ModelEntry(
    name="tiny",
    family="pretrained",
    spec=PretrainedSpec,
    model=TinyModel,
    search_space=lambda trial: PretrainedSpec(l2=trial.suggest_float("l2", 0.01, 10.0)),
    capabilities=Capabilities(("regression", "quantile"), inputs="windows", pretrained=True),
    small={"folder": %r, "window": 8, "l2": 0.01},
)
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder of weights as it should be."""
    folder = tmp_path / "weights"
    folder.mkdir()
    save_file(
        {"line": np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text("A tiny model.")
    return folder


@pytest.fixture
def entry(weights: Path, tmp_path: Path) -> ModelEntry:
    """The family, loaded from its file."""
    file = tmp_path / "tiny.py"
    file.write_text(FAMILY % str(weights))
    return load_entry(f"{file}:ENTRY")


@pytest.fixture
def new(entry: ModelEntry) -> Callable[..., Any]:
    """An unfitted model of it."""

    def make(**changes: Any) -> Any:
        return entry.model(entry.spec(**{**entry.small, **changes}), 0)

    return make
