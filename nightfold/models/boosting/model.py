"""What the three boosting libraries have in common as models: rounds found, and how a fit is told to people."""

from abc import abstractmethod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nightfold.models.boosting.start import Start
from nightfold.models.contract import Curves, Importance, Model, ModelSpec
from nightfold.models.dataset import Features
from nightfold.models.window import Windows

S = TypeVar("S", bound=ModelSpec)

TRAIN_EVERY = 10
"""Rounds from one score of all training rows to the next: each takes up to a fifth of the time of a round."""


class BoostingModel(Model[S]):
    """Trees on top of the constant forecast, as many as early stopping found."""

    _start: Start
    _losses: dict[str, dict[int, float]]

    def __init__(self, spec: S, seed: int = 0) -> None:
        super().__init__(spec, seed)
        self._losses = {}

    @property
    @abstractmethod
    def rounds(self) -> int:
        """Rounds kept: those with the lowest validation score, 0 where none beat the constant forecast."""

    @property
    def refit_spec(self) -> S:
        """The spec with the rounds that early stopping found."""
        return self.spec.model_copy(update={"rounds": self.rounds})

    @property
    def curves(self) -> Curves:
        """Scores by round, of the training rows every few rounds."""
        unit = self._start.unit if self._losses else 1.0
        return {part: {number: unit * loss for number, loss in told.items()} for part, told in self._losses.items()}

    def importance(self, features: Features) -> Importance:
        """Tell what splits by each feature gained in training, and how much it contributes to these forecasts.

        Parameters
        ----------
        features
            Rows to explain.

        Returns
        -------
        Importance
            ``gain``, of CatBoost ``prediction_change`` in percent; ``contribution``, the mean absolute SHAP value over
            rows and outputs: of classes in log odds, of values in the unit of the label. Nothing without a tree, and
            no ``contribution`` where the library's do not add up to the forecast.

        References
        ----------
        Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees,
        *Nature Machine Intelligence* 2.
        """
        if not self.rounds or isinstance(features, Windows):
            return {}
        learnt = self._importance_learnt()
        if not self._adds_up:
            return learnt
        told = np.abs(self.contributions(features)[:, :, :-1])
        return {**learnt, "contribution": self._start.unit * told.mean(axis=(0, 1))}

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what each feature, and last the bias, adds to the trees' scores: (rows, outputs, features + 1)."""
        shape = (len(features), len(self._start.scores), len(self.names) + 1)
        return self._shap_values(features).reshape(shape) if self.rounds else np.zeros(shape)

    @property
    def _adds_up(self) -> bool:
        return True

    @abstractmethod
    def _shap_values(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """SHAP values and bias of each output after each other, as the library has them; there is a tree."""

    @abstractmethod
    def _importance_learnt(self) -> dict[str, NDArray[np.float64]]:
        """Return what the library says of each feature while trees grew; there is a tree."""

    def note(self, part: str, number: int, loss: float) -> float:
        """Keep the loss of a round, in the trees' unit, and return it."""
        self._losses.setdefault(part, {})[number] = float(loss)
        return float(loss)
