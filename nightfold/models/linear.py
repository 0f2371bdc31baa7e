"""Linear models on standardised features: logistic regression by Newton steps, and ridge regression."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from nightfold.models.contract import PROBABILITY_FLOOR, Importance, Model, ModelSpec, Prediction, softmax
from nightfold.models.dataset import Dataset, Features
from nightfold.models.scaling import Scaling, one_thread

if TYPE_CHECKING:
    from optuna import Trial

Array = NDArray[np.float64]


class LogisticRegressionSpec(ModelSpec):
    """Strength of the penalty, and how far a feature may reach."""

    l2: PositiveFloat = 0.01
    """Ridge penalty on standardised coefficients, beside the mean log loss: it means the same for any row count."""
    clip_deviations: PositiveFloat = 3.0
    """Standardised features are cut to this many standard deviations, in training and in use."""
    max_steps: PositiveInt = 30
    """Most Newton steps; half a dozen are typical."""


@dataclass(frozen=True, slots=True)
class _Fit:
    mean: Array
    scale: Array
    coefficients: Array
    intercept: Array

    @classmethod
    def read(cls, folder: Path) -> "_Fit":
        from safetensors.numpy import load_file

        return cls(**load_file(folder / "coefficients.safetensors"))

    def write(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        save_file({name: getattr(self, name) for name in self.__slots__}, folder / "coefficients.safetensors")

    def scores(self, features: NDArray[np.float32], reach: float) -> Array:
        """Linear scores: (rows, outputs)."""
        design = Scaling(self.mean, self.scale).apply(features, reach)
        return np.asarray(np.einsum("nf,fk->nk", design, self.coefficients) + self.intercept)

    @property
    def importance(self) -> Importance:
        """Absolute coefficient of each standardised feature, its mean over outputs."""
        return {"coefficient": np.abs(self.coefficients).mean(axis=1)}


class LogisticRegressionModel(Model[LogisticRegressionSpec]):
    """Linear log odds of three classes; forecasts in float64 NumPy alone."""

    spec_type = LogisticRegressionSpec

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        scaling = Scaling.of(train)
        with one_thread():
            design = _with_ones(scaling.apply(train.table, self.spec.clip_deviations))
            classes = len(train.objective.classes)
            present = np.flatnonzero(np.bincount(train.codes, minlength=classes))
            target = train.codes[:, None] == present
            slopes = newton(design, target, train.weight, self.spec.l2, self.spec.max_steps)
        coefficients = np.zeros((design.shape[1] - 1, classes))
        intercept = np.full(classes, slopes[-1].min() + np.log(PROBABILITY_FLOOR))
        coefficients[:, present], intercept[present] = slopes[:-1], slopes[-1]
        self._learnt = _Fit(scaling.mean, scaling.scale, coefficients, intercept)

    def importance(self, features: Features) -> Importance:
        """How much the log odds move with a standard deviation of each feature."""
        return self._learnt.importance

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        return softmax(self._learnt.scores(features, self.spec.clip_deviations))

    def _write(self, folder: Path) -> None:
        self._learnt.write(folder)

    def _read(self, folder: Path) -> None:
        self._learnt = _Fit.read(folder)


class RidgeSpec(ModelSpec):
    """Strength of the penalty, and how far a feature may reach."""

    l2: PositiveFloat = 1.0
    """Ridge penalty on standardised coefficients, beside the mean squared error: it means the same for any row count.
    """
    clip_deviations: PositiveFloat = 3.0
    """Standardised features are cut to this many standard deviations, in training and in use."""


class RidgeModel(Model[RidgeSpec]):
    """A linear mean; at an infinite penalty that of the training rows."""

    spec_type = RidgeSpec

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        scaling = Scaling.of(train)
        center = np.average(train.label, weights=train.weight)
        share = train.weight / train.weight.sum()
        with one_thread():
            design = scaling.apply(train.table, self.spec.clip_deviations)
            middle = share @ design
            moved = (share[:, None] * (design - middle)).T
            curve = moved @ (design - middle) + np.diag(np.full(design.shape[1], self.spec.l2))
            slopes = np.linalg.solve(curve, moved @ (train.label - center))
        intercept = np.array([center - middle @ slopes])
        self._learnt = _Fit(scaling.mean, scaling.scale, slopes[:, None], intercept)

    def importance(self, features: Features) -> Importance:
        """How much the mean moves with a standard deviation of each feature."""
        return self._learnt.importance

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        return self._learnt.scores(features, self.spec.clip_deviations)

    def _write(self, folder: Path) -> None:
        self._learnt.write(folder)

    def _read(self, folder: Path) -> None:
        self._learnt = _Fit.read(folder)


def ridge_space(trial: "Trial") -> RidgeSpec:
    """Ask a trial for a configuration."""
    return RidgeSpec(l2=trial.suggest_float("l2", 1e-3, 100.0, log=True))


def logistic_regression_space(trial: "Trial") -> LogisticRegressionSpec:
    """Ask a trial for a configuration."""
    return LogisticRegressionSpec(l2=trial.suggest_float("l2", 1e-4, 1.0, log=True))


def _with_ones(design: Array) -> Array:
    return np.column_stack([design, np.ones(len(design))])


def newton(design: Array, target: NDArray[np.bool_], weight: Array, l2: float, max_steps: int) -> Array:
    """Find the coefficients of the lowest penalised mean log loss.

    Parameters
    ----------
    design
        One row per label, the last column of ones.
    target
        Whether a row is of a class: (rows, classes).
    weight
        One positive weight per row.
    l2
        Penalty on all coefficients but those of the last column.
    max_steps
        Most steps.

    Returns
    -------
    Array
        (columns of the design, classes).
    """
    beta = np.zeros((design.shape[1], target.shape[1]))
    penalty = np.full((design.shape[1], 1), l2)
    penalty[-1] = 0.0
    share = weight / weight.sum()
    loss = _loss(beta, design, target, share, penalty)
    for _ in range(max_steps):
        probability = softmax(design @ beta)
        gradient = design.T @ (share[:, None] * (probability - target)) + penalty * beta
        if np.abs(gradient).max() < 1e-9:
            break
        step = np.linalg.solve(_hessian(design, probability, share, penalty), gradient.T.ravel())
        step = step.reshape(beta.T.shape).T
        fraction = 1.0
        while (lower := _loss(beta - fraction * step, design, target, share, penalty)) > loss and fraction > 1e-6:
            fraction /= 2
        if lower >= loss:
            break
        beta, loss = beta - fraction * step, lower
    return beta


def _loss(beta: Array, design: Array, target: NDArray[np.bool_], share: Array, penalty: Array) -> float:
    scores = design @ beta
    top = scores.max(axis=1)
    log_sum = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return float(share @ (log_sum - scores[target]) + 0.5 * (penalty * beta**2).sum())


def _hessian(design: Array, probability: Array, share: Array, penalty: Array) -> Array:
    """Second derivatives, class by class; the common shift of all intercepts, which changes nothing, is held."""
    width, classes = design.shape[1], probability.shape[1]
    hessian = np.empty((classes * width, classes * width))
    for row in range(classes):
        for column in range(row + 1):
            curve = share * probability[:, row] * ((row == column) - probability[:, column])
            block = design.T @ (curve[:, None] * design)
            if row == column:
                block += np.diag(penalty[:, 0])
            block[-1, -1] += 1.0 / classes
            for first, second in {(row, column), (column, row)}:
                hessian[first * width : (first + 1) * width, second * width : (second + 1) * width] = block
    return hessian
