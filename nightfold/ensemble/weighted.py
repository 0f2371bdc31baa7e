"""Weights of least out-of-sample loss, held on the positive side and shrunk toward equal."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.blender import Blender
from nightfold.ensemble.likelihood import Loss, log_loss, pinball_loss, squared_loss
from nightfold.ensemble.newton import least
from nightfold.ensemble.rows import OutOfSample, gathered
from nightfold.models.score import row_losses

Array = NDArray[np.float64]


class WeightedBlender(Blender):
    """A weighted mean: of probabilities, of means, or of each quantile."""

    method: Literal["weighted"] = "weighted"
    shares: list[float] = Field(min_length=1)
    """Positive, summing to 1; one per member."""

    @classmethod
    def fit(cls, rows: OutOfSample, spec: EnsembleSpec) -> Self:
        r"""Find the weights of least loss, as far as the rows can tell them apart.

        Minimises, over positive weights that sum to 1, ``mean loss in nats + (c / n) * KL(equal || weights)``: `c` is
        ``spec.shrinkage``, and `n` the number of independent rows, labels that overlap and symbols of one moment
        counted once. That is the likeliest blend under a prior worth `c` rows of equal weights, so few rows leave the
        weights equal, many let them go, and none ever reaches 0. The function is convex: there is one answer.
        """
        values, loss, shares = _linear(rows)
        members = len(rows.names)
        prior = spec.shrinkage / (rows.independent * members)

        def derivatives(weights: Array) -> tuple[float, Array, Array]:
            if (weights <= 0).any():
                return np.inf, weights, np.eye(members)
            each, slope, curve = loss(np.einsum("nm,m->n", values, weights))
            return (
                float((shares * each).sum() - prior * np.log(weights).sum()),
                np.einsum("nm,n->m", values, shares * slope) - prior / weights,
                np.einsum("nm,nk->mk", values, (shares * curve)[:, None] * values) + np.diag(prior / weights**2),
            )

        weights = least(derivatives, np.full(members, 1 / members), keeps_sum=True)
        return cls(objective=rows.objective, members=list(rows.names), shares=(weights / weights.sum()).tolist())

    @property
    def weights(self) -> dict[str, float]:
        """Positive, summing to 1."""
        return dict(zip(self.members, self.shares, strict=True))

    def _blend(self, stacked: Array) -> Array:
        return np.asarray(np.einsum("mnc,m->nc", stacked, np.asarray(self.shares)))


def _linear(rows: OutOfSample) -> tuple[Array, Loss, Array]:
    """Members' values that the loss looks at (values x members), the loss of their mixture, and each value's share."""
    stacked = gathered(rows.objective, rows.members)
    if rows.objective.classes:
        given = stacked[:, np.arange(len(rows)), rows.codes]
        return np.maximum(given, 1e-15).T, log_loss, rows.shares
    plain = float((rows.shares * row_losses(rows.objective, stacked.mean(axis=0), rows.label)).sum())
    plain = plain or 1.0  # a plain mean that never errs: any unit will do
    if rows.objective.task == "regression":
        return stacked[:, :, 0].T, squared_loss(rows.label, plain), rows.shares
    columns = stacked.shape[2]
    level = np.tile(rows.objective.quantiles, len(rows))
    flat = np.moveaxis(stacked, 0, 2).reshape(-1, len(stacked))
    return flat, pinball_loss(np.repeat(rows.label, columns), level, plain), np.repeat(rows.shares, columns) / columns
