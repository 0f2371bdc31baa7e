"""A regression on the members' out-of-sample forecasts, shrunk toward their plain pool."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.blender import Blender
from nightfold.ensemble.likelihood import Loss, pinball_loss, squared_loss
from nightfold.ensemble.newton import least
from nightfold.ensemble.rows import OutOfSample, gathered
from nightfold.models.contract import PROBABILITY_FLOOR, softmax
from nightfold.models.score import row_losses

Array = NDArray[np.float64]


class StackBlender(Blender):
    """Each column of the forecast from all members' columns that speak of it, by a line.

    Classes: multinomial logistic regression on all log probabilities of all members. Mean: a line through the members'
    means. Quantiles: for each level a line through the members' quantiles of that level.
    """

    method: Literal["stack"] = "stack"
    coefficients: list[list[float]]
    """One list per column of the forecast: what each input counts, members in order; of classes, each member's classes
    in order."""
    constants: list[float]
    """One per column of the forecast."""

    @classmethod
    def fit(cls, rows: OutOfSample, spec: EnsembleSpec) -> Self:
        """Find the coefficients of least loss, as far as the rows can tell them from the plain pool.

        Minimises ``mean loss in nats + (ridge / 2n) * sum of squared distances from the plain pool``, `n` being the
        number of independent rows, as of `WeightedBlender`. The plain pool is the geometric mean of probabilities, or
        the mean of values: each member's own column counts 1 / members and all else 0. Without evidence the stack says
        just that.
        """
        stacked = gathered(rows.objective, rows.members)
        pull = spec.ridge / rows.independent
        solved = _classes(rows, stacked, pull) if rows.objective.classes else _values(rows, stacked, pull)
        return cls(
            objective=rows.objective,
            members=list(rows.names),
            coefficients=solved[:, :-1].tolist(),
            constants=solved[:, -1].tolist(),
        )

    @property
    def weights(self) -> dict[str, float]:
        """What a member's column counts for the same column of the forecast, averaged over columns."""
        count, columns = len(self.members), len(self.constants)
        solved = np.asarray(self.coefficients)
        if self.objective.classes:
            own = solved.reshape(columns, count, columns)[np.arange(columns), :, np.arange(columns)]
            return dict(zip(self.members, own.mean(axis=0).tolist(), strict=True))
        return dict(zip(self.members, solved.mean(axis=0).tolist(), strict=True))

    def _blend(self, stacked: Array) -> Array:
        solved, constants = np.asarray(self.coefficients), np.asarray(self.constants)
        if self.objective.classes:
            return softmax(np.einsum("ni,ci->nc", _log_inputs(stacked), solved) + constants)
        return np.asarray(np.einsum("mnc,cm->nc", stacked, solved) + constants)


def _log_inputs(stacked: Array) -> Array:
    """Log probabilities: rows x (members x classes)."""
    logs = np.log(np.maximum(stacked, PROBABILITY_FLOOR))
    return np.moveaxis(logs, 0, 1).reshape(stacked.shape[1], -1)


def _classes(rows: OutOfSample, stacked: Array, pull: float) -> Array:
    """Coefficients and, last, the constant of each class."""
    members, size, classes = stacked.shape
    inputs = np.column_stack([_log_inputs(stacked), np.ones(size)])
    seen, shares = np.eye(classes)[rows.codes], rows.shares[:, None]
    pool = np.column_stack([np.tile(np.eye(classes) / members, members), np.zeros(classes)])
    width = inputs.shape[1]

    def derivatives(flat: Array) -> tuple[float, Array, Array]:
        off = flat.reshape(classes, width) - pool
        fitted = softmax(np.einsum("ni,ci->nc", inputs, off + pool))
        loss = -np.log(np.maximum((fitted * seen).sum(axis=1), 1e-300))
        gradient = np.einsum("nc,ni->ci", shares * (fitted - seen), inputs) + pull * off
        curvature = np.zeros((classes, width, classes, width))
        for one in range(classes):
            for other in range(classes):
                share = shares[:, 0] * fitted[:, one] * ((one == other) - fitted[:, other])
                curvature[one, :, other] = np.einsum("ni,nj->ij", share[:, None] * inputs, inputs)
        square = curvature.reshape(flat.size, flat.size) + pull * np.eye(flat.size)
        return float((shares[:, 0] * loss).sum() + pull / 2 * (off**2).sum()), gradient.ravel(), square

    return least(derivatives, pool.ravel()).reshape(classes, width)


def _values(rows: OutOfSample, stacked: Array, pull: float) -> Array:
    """Coefficients and, last, the constant of each column."""
    solved = []
    for column in range(stacked.shape[2]):
        inputs = stacked[:, :, column].T
        plain = inputs.mean(axis=1)[:, None]
        if rows.objective.task == "regression":
            square = float((rows.shares * row_losses(rows.objective, plain, rows.label)).sum()) or 1.0
            solved.append(_line(inputs, squared_loss(rows.label, square), rows.shares, pull, np.sqrt(square)))
        else:
            level = rows.objective.quantiles[column]
            miss = rows.label - plain[:, 0]
            unit = float((rows.shares * np.maximum(level * miss, (level - 1) * miss)).sum()) or 1.0
            solved.append(_line(inputs, pinball_loss(rows.label, level, unit), rows.shares, pull, unit))
    return np.array(solved)


def _line(inputs: Array, loss: Loss, shares: Array, pull: float, unit: float) -> Array:
    """Coefficients of the members, then the constant, which counts in units of a typical error."""
    members = inputs.shape[1]
    columns = np.column_stack([inputs, np.full(len(inputs), unit)])
    pool = np.append(np.full(members, 1 / members), 0.0)

    def derivatives(line: Array) -> tuple[float, Array, Array]:
        each, slope, curve = loss(np.einsum("nm,m->n", columns, line))
        off = line - pool
        return (
            float((shares * each).sum() + pull / 2 * (off**2).sum()),
            np.einsum("nm,n->m", columns, shares * slope) + pull * off,
            np.einsum("nm,nk->mk", columns, (shares * curve)[:, None] * columns) + pull * np.eye(len(off)),
        )

    line = least(derivatives, pool)
    return np.append(line[:-1], line[-1] * unit)
