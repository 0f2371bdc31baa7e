"""Support vector machines on standardised features; margins become probabilities on rows the machine did not see."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from nightfold.models.constant import best_constant, with_absent_classes
from nightfold.models.contract import Model, ModelSpec, Prediction, softmax
from nightfold.models.dataset import Dataset
from nightfold.models.linear import newton
from nightfold.models.scaling import Scaling, one_thread

if TYPE_CHECKING:
    from optuna import Trial

Array = NDArray[np.float64]

FILE = "machine.safetensors"
BLOCKS = 3
"""Stretches of the training rows, each of which is forecast by a machine that learnt from the others."""
CHUNK = 512
"""Rows whose kernel is held at once."""


class SvmSpec(ModelSpec):
    """Kernel, cost of rows beyond their margin, and when the kernel is approximated."""

    kernel: Literal["rbf", "linear"] = "rbf"
    """`rbf`: similarity to training rows. `linear`: one slope per feature, by stochastic gradients."""
    cost: PositiveFloat = 0.1
    """What a row beyond its margin costs, beside the size of the slopes."""
    gamma: PositiveFloat | None = None
    """How fast similarity falls with squared distance in standard deviations; none: 1 / number of features."""
    exact_rows: int = Field(default=5_000, ge=0, le=10_000)
    """Up to so many rows the kernel is exact; with more it goes through `landmarks` (Nystroem)."""
    landmarks: PositiveInt = 300
    """Training rows, drawn at random, that stand for all."""
    epochs: PositiveInt = 20
    """Passes of the stochastic gradients."""
    tolerance: float = Field(default=0.1, ge=0)
    """Regression: errors up to so many standard deviations of the label cost nothing."""
    clip_deviations: PositiveFloat = 3.0
    """Standardised features are cut to this many standard deviations, in training and in use."""


@dataclass(frozen=True, slots=True, eq=False)
class _Machine:
    """Margins: similarity to centers, or features where there are none, times weights, plus the intercept."""

    centers: Array
    gamma: Array
    weights: Array
    intercept: Array

    def margins(self, design: Array) -> Array:
        """(rows, margins)."""
        if not len(self.centers):
            return np.asarray(np.einsum("nf,fk->nk", design, self.weights) + self.intercept)
        with one_thread():
            chunks = [design[first : first + CHUNK] for first in range(0, len(design), CHUNK)]
            return np.vstack([_similarity(chunk, self.centers, self.gamma[0]) @ self.weights for chunk in chunks]) + (
                self.intercept
            )


@dataclass(frozen=True, slots=True, eq=False)
class _Learnt:
    """Everything kept.

    Margins times `slopes`, the last of them constant, are scores of the classes in `present`, or the value; where a
    block alone shows a class there are none, and `constant` is forecast.
    """

    mean: Array
    scale: Array
    centers: Array
    gamma: Array
    weights: Array
    intercept: Array
    slopes: Array
    present: NDArray[np.int64]
    constant: Array


class SvmModel(Model[SvmSpec]):
    """Classes: the margins of a machine, turned into probabilities by a logistic regression. Values: a machine alone.

    The logistic regression sees margins of rows that the machine behind them had not learnt from, block by block in
    the order of rows, as `CalibratedClassifierCV(ensemble=False)` does; the machine kept has learnt from all rows.
    """

    spec_type = SvmSpec
    libraries = ("scikit-learn", "numpy")

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        scaling, constant = Scaling.of(train), best_constant(train)
        design = scaling.apply(train.table, self.spec.clip_deviations)
        gamma = np.array([self.spec.gamma or 1 / design.shape[1]])
        present = np.unique(train.codes) if train.objective.classes else np.empty(0)
        machine, slopes = _Machine(np.empty((0, 0)), gamma, np.empty((0, 0)), np.empty(0)), np.empty((0, 0))
        learn = self._learner(len(design), gamma)
        if train.objective.task == "regression":
            unit = np.sqrt(np.average((train.label - constant) ** 2, weights=train.weight)) or 1.0
            machine = learn(design, (train.label - constant) / unit, train.weight, classes=False)
            slopes = np.array([[unit], [constant[0]]])
        elif all(len(np.unique(train.codes[kept])) == len(present) > 1 for kept in _others(len(train))):
            slopes = _slopes(learn, design, train.codes, train.weight, present)
            machine = learn(design, train.codes, train.weight, classes=True)
        parts = {field.name: getattr(machine, field.name) for field in fields(_Machine)}
        self._learnt = _Learnt(
            scaling.mean, scaling.scale, **parts, slopes=slopes, present=present.astype(np.int64), constant=constant
        )

    def _learner(self, rows: int, gamma: Array) -> Callable[..., _Machine]:
        """Choose between exact machines and approximate ones by all rows, for the blocks of them too.

        Margins of the two differ, pairs of classes here and each class against the others there, and the logistic
        regression must see those of the kind that is kept.
        """
        if self.spec.kernel == "rbf" and rows <= self.spec.exact_rows:
            return partial(_exact, self.spec, gamma=gamma)
        return partial(_approximate, self.spec, self.seed, gamma=gamma)

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        kept = self._learnt
        if not kept.slopes.size:
            return np.tile(kept.constant, (len(features), 1))
        design = Scaling(kept.mean, kept.scale).apply(features, self.spec.clip_deviations)
        margins = _Machine(kept.centers, kept.gamma, kept.weights, kept.intercept).margins(design)
        scores = np.einsum("nk,kc->nc", _with_ones(margins), kept.slopes)
        classes = len(self.objective.classes)
        return with_absent_classes(softmax(scores), kept.present, classes) if classes else scores

    def _write(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        save_file({field.name: getattr(self._learnt, field.name) for field in fields(_Learnt)}, folder / FILE)

    def _read(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        self._learnt = _Learnt(**load_file(folder / FILE))


def svm_space(trial: "Trial") -> SvmSpec:
    """Ask a trial for a configuration."""
    return SvmSpec(
        kernel=trial.suggest_categorical("kernel", ["rbf", "linear"]),
        cost=trial.suggest_float("cost", 1e-3, 10.0, log=True),
        gamma=trial.suggest_float("gamma", 1e-4, 0.1, log=True),
    )


def _slopes(
    learn: Callable[..., _Machine], design: Array, codes: NDArray[np.int8], weight: Array, present: NDArray[Any]
) -> Array:
    margins = []
    for kept in _others(len(design)):
        machine = learn(design[kept], codes[kept], weight[kept], classes=True)
        margins.append(machine.margins(design[~kept]))
    with one_thread():
        return newton(_with_ones(np.vstack(margins)), codes[:, None] == present, weight, l2=1e-4, max_steps=50)


def _others(rows: int) -> list[NDArray[np.bool_]]:
    """For each block of rows, which rows are in the others."""
    block = np.arange(rows) * BLOCKS // max(rows, 1)
    return [block != number for number in range(BLOCKS)]


def _with_ones(margins: Array) -> Array:
    return np.column_stack([margins, np.ones(len(margins))])


def _similarity(design: Array, centers: Array, gamma: float) -> Array:
    square = (design**2).sum(axis=1)[:, None] + (centers**2).sum(axis=1) - 2 * design @ centers.T
    return np.asarray(np.exp(-gamma * np.maximum(square, 0)))


def _exact(
    spec: SvmSpec, design: Array, target: NDArray[Any], weight: Array, gamma: Array, *, classes: bool
) -> _Machine:
    from sklearn.svm import SVC, SVR

    shared = {"kernel": "rbf", "C": spec.cost, "gamma": gamma[0], "cache_size": 500}
    machine = SVC(**shared) if classes else SVR(**shared, epsilon=spec.tolerance)
    machine.fit(design, target, weight)
    if not len(machine.support_vectors_):  # all values lie within the tolerance
        return _Machine(np.empty((0, 0)), gamma, np.zeros((design.shape[1], 1)), machine.intercept_)
    weights = _pair_weights(machine) if classes else machine.dual_coef_.T
    return _Machine(
        np.ascontiguousarray(machine.support_vectors_), gamma, np.ascontiguousarray(weights), machine.intercept_
    )


def _pair_weights(machine: Any) -> Array:
    """Weights of the support vectors in the margin of each pair of classes, from those of each class against others."""
    dual, counts = machine.dual_coef_, machine.n_support_
    if len(counts) == 2:
        return np.asarray(dual.T)
    owner = np.repeat(np.arange(len(counts)), counts)
    columns = [
        np.where(owner == first, dual[second - 1], np.where(owner == second, dual[first], 0.0))
        for first, second in combinations(range(len(counts)), 2)
    ]
    return np.column_stack(columns)


@one_thread()
def _approximate(
    spec: SvmSpec, seed: int, design: Array, target: NDArray[Any], weight: Array, gamma: Array, *, classes: bool
) -> _Machine:
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    centers, mix = np.empty((0, design.shape[1])), None
    if spec.kernel == "rbf":
        landmarks = min(spec.landmarks, len(design))
        found = Nystroem(kernel="rbf", gamma=gamma[0], n_components=landmarks, random_state=seed).fit(design)
        centers, mix = np.ascontiguousarray(found.components_), found.normalization_.T
        design = found.transform(design)
    shared = {
        "alpha": 1 / (spec.cost * len(design)),
        "max_iter": spec.epochs,
        "tol": None,
        "average": True,
        "random_state": seed,
    }
    if classes:
        machine = SGDClassifier(loss="hinge", **shared)
    else:
        machine = SGDRegressor(loss="epsilon_insensitive", epsilon=spec.tolerance, **shared)
    machine.fit(design, target, sample_weight=weight)
    slopes = np.atleast_2d(machine.coef_).T
    weights = slopes if mix is None else mix @ slopes
    return _Machine(centers, gamma, np.ascontiguousarray(weights), np.atleast_1d(machine.intercept_))
