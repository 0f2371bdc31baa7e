"""The forecast to beat: how often each class came, whatever the features say."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nightfold.models.contract import Model, ModelSpec, Probabilities, class_prior
from nightfold.models.dataset import Dataset

if TYPE_CHECKING:
    from optuna import Trial


class ClassFrequenciesSpec(ModelSpec):
    """Class frequencies have no parameters."""


class ClassFrequenciesModel(Model[ClassFrequenciesSpec]):
    """Forecasts the weighted class shares of its training rows for every bar."""

    spec_type = ClassFrequenciesSpec

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        self._prior = class_prior(train)

    def _predict(self, features: NDArray[np.float32]) -> Probabilities:
        return np.tile(self._prior, (len(features), 1))

    def _write(self, folder: Path) -> None:
        (folder / "prior.json").write_text(json.dumps(self._prior.tolist()) + "\n")

    def _read(self, folder: Path) -> None:
        self._prior = np.array(json.loads((folder / "prior.json").read_text()), dtype=np.float64)


def class_frequencies_space(trial: "Trial") -> ClassFrequenciesSpec:
    """Return the only configuration there is."""
    return ClassFrequenciesSpec()
