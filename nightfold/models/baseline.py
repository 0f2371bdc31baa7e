"""Forecasts to beat: constants that look at no feature, and the last return."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nightfold.models.constant import best_constant
from nightfold.models.contract import Model, ModelSpec, Prediction, require_features
from nightfold.models.dataset import Dataset

if TYPE_CHECKING:
    from optuna import Trial


class ConstantSpec(ModelSpec):
    """A constant has no parameters."""


class ConstantModel(Model[ConstantSpec]):
    """Forecasts what the weighted labels of its training rows say: class shares, their mean, or their quantiles."""

    spec_type = ConstantSpec

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        self._constant = best_constant(train)

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        return np.tile(self._constant, (len(features), 1))

    def _write(self, folder: Path) -> None:
        (folder / "constant.json").write_text(json.dumps(self._constant.tolist()) + "\n")

    def _read(self, folder: Path) -> None:
        self._constant = np.array(json.loads((folder / "constant.json").read_text()), dtype=np.float64)


class ZeroSpec(ModelSpec):
    """Zero has no parameters."""


class ZeroModel(Model[ZeroSpec]):
    """Forecasts 0 for every bar: prices stay where they are."""

    spec_type = ZeroSpec

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        """Learn nothing."""

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        return np.zeros((len(features), 1))

    def _write(self, folder: Path) -> None:
        """Write nothing beside the card."""

    def _read(self, folder: Path) -> None:
        """Read nothing."""


class LastReturnSpec(ModelSpec):
    """Which feature is the last return."""

    feature: str = "log_return_1"
    """Log return up to the bar of the forecast; it must be among the features."""

    @property
    def needs(self) -> Mapping[str, Sequence[str]]:
        """The return."""
        return {"feature": [self.feature]}


class LastReturnModel(Model[LastReturnSpec]):
    """Forecasts that what came last comes again."""

    spec_type = LastReturnSpec

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        require_features(type(self).__name__, self.spec, train.names)
        self._place = train.names.index(self.spec.feature)

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        return features[:, [self._place]].astype(np.float64)

    def _write(self, folder: Path) -> None:
        (folder / "place.json").write_text(f"{self._place}\n")

    def _read(self, folder: Path) -> None:
        self._place = int((folder / "place.json").read_text())


def constant_space(trial: "Trial") -> ConstantSpec:
    """Return the only configuration there is."""
    return ConstantSpec()


def zero_space(trial: "Trial") -> ZeroSpec:
    """Return the only configuration there is."""
    return ZeroSpec()


def last_return_space(trial: "Trial") -> LastReturnSpec:
    """Return the only configuration there is."""
    return LastReturnSpec()
