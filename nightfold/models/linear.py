"""Multinomial logistic regression on standardised features, fitted by Newton steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from nightfold.models.contract import PROBABILITY_FLOOR, Model, ModelSpec, Probabilities, softmax
from nightfold.models.dataset import CLASSES, Dataset

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


class LogisticRegressionModel(Model[LogisticRegressionSpec]):
    """Linear log odds of three classes; forecasts in float64 NumPy alone."""

    spec_type = LogisticRegressionSpec

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        mean, scale = _moments(train)
        with _one_thread():
            design = self._standardised(train.features, mean, scale)
            present = np.flatnonzero(np.bincount(train.codes, minlength=len(CLASSES)))
            target = train.codes[:, None] == present
            slopes = _newton(design, target, train.weight, self.spec.l2, self.spec.max_steps)
        coefficients = np.zeros((design.shape[1] - 1, len(CLASSES)))
        intercept = np.full(len(CLASSES), slopes[-1].min() + np.log(PROBABILITY_FLOOR))
        coefficients[:, present], intercept[present] = slopes[:-1], slopes[-1]
        self._learnt = _Fit(mean, scale, coefficients, intercept)

    def _predict(self, features: NDArray[np.float32]) -> Probabilities:
        fit = self._learnt
        design = self._standardised(features, fit.mean, fit.scale)[:, :-1]
        return softmax(np.einsum("nf,fk->nk", design, fit.coefficients) + fit.intercept)

    def _standardised(self, features: NDArray[np.float32], mean: Array, scale: Array) -> Array:
        reach = self.spec.clip_deviations
        design = np.ones((len(features), features.shape[1] + 1))
        np.clip((features - mean) / scale, -reach, reach, out=design[:, :-1])
        return design

    def _write(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        fit = self._learnt
        tensors = {
            "mean": fit.mean,
            "scale": fit.scale,
            "coefficients": fit.coefficients,
            "intercept": fit.intercept,
        }
        save_file(tensors, folder / "coefficients.safetensors")

    def _read(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        self._learnt = _Fit(**load_file(folder / "coefficients.safetensors"))


def logistic_regression_space(trial: "Trial") -> LogisticRegressionSpec:
    """Ask a trial for a configuration."""
    return LogisticRegressionSpec(l2=trial.suggest_float("l2", 1e-4, 1.0, log=True))


_TURN = Lock()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep matrix products on one thread, since their last digits depend on how many there are.

    The limit holds for the whole process and is lifted at the end, so fits in several threads take turns.
    """
    from threadpoolctl import threadpool_limits

    with _TURN, threadpool_limits(1):
        yield


def _moments(rows: Dataset) -> tuple[Array, Array]:
    features, weight = rows.features.astype(np.float64), rows.weight
    mean = np.average(features, axis=0, weights=weight)
    deviation = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weight))
    constant = features.min(axis=0) == features.max(axis=0)
    return mean, np.where(constant, 1.0, deviation)


def _newton(design: Array, target: NDArray[np.bool_], weight: Array, l2: float, max_steps: int) -> Array:
    """Coefficients (features + intercept, classes) of the lowest penalised mean log loss."""
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
