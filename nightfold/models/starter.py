"""A model family to begin with: the text of a file that passes every check."""

from nightfold.errors import ConfigError

_TEXT = '''"""The model family `{name}`: a linear mean, to be replaced by an idea of your own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import PositiveFloat

from nightfold.models.catalog import ModelEntry
from nightfold.models.contract import Capabilities, Model, ModelSpec, Prediction
from nightfold.models.dataset import Dataset


class {kind}Spec(ModelSpec):
    """Parameters people choose; experiment files set them by name."""

    l2: PositiveFloat = 0.1
    """Penalty on the slopes, beside the mean squared error."""


class {kind}Model(Model[{kind}Spec]):
    """What it learns stays in attributes that `_write` and `_read` keep."""

    spec_type = {kind}Spec
    libraries = ("numpy",)

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        """Learn: features and labels are finite, weights positive with mean 1, `self.objective` is set."""
        share = train.weight / train.weight.sum()
        self._center = float(share @ train.label)
        self._middle = share @ train.features
        moved = (train.features - self._middle).astype(np.float64)
        curve = (share[:, None] * moved).T @ moved + self.spec.l2 * np.eye(moved.shape[1])
        self._slopes = np.linalg.solve(curve, moved.T @ (share * (train.label - self._center)))

    def _predict(self, features: Any) -> Prediction:
        """Forecast: one row per row, one column per entry of `self.objective.columns`."""
        return self._center + ((features - self._middle) * self._slopes).sum(axis=1, keepdims=True)

    def _write(self, folder: Path) -> None:
        """Keep what was learnt, in a format that runs no code when it is read."""
        learnt = {{"center": self._center, "middle": self._middle.tolist(), "slopes": self._slopes.tolist()}}
        (folder / "learnt.json").write_text(json.dumps(learnt))

    def _read(self, folder: Path) -> None:
        learnt = json.loads((folder / "learnt.json").read_text())
        self._center = learnt["center"]
        self._middle, self._slopes = np.array(learnt["middle"]), np.array(learnt["slopes"])


def search_space(trial: Any) -> {kind}Spec:
    """What a search may vary; `trial` is one of Optuna's."""
    return {kind}Spec(l2=trial.suggest_float("l2", 1e-3, 10.0, log=True))


ENTRY = ModelEntry(
    name="{name}",
    family="own",
    spec={kind}Spec,
    model={kind}Model,
    search_space=search_space,
    capabilities=Capabilities(("regression",)),
)
'''


def starter_text(name: str) -> str:
    """Return the text of a file that defines a family of this name.

    Raises
    ------
    ConfigError
        If it is no name for a Python file in small letters.
    """
    if not name.isidentifier() or name != name.lower():
        raise ConfigError(f"`name` is {name!r}; it must be small letters, digits and _, such as my_model.")
    return _TEXT.format(name=name, kind="".join(part.capitalize() for part in name.split("_")))
