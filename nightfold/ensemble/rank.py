"""Members blended by rank: how unusual each finds a row, whatever the scale it speaks in."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.blender import Blender
from nightfold.ensemble.rows import OutOfSample, gathered
from nightfold.models.contract import Prediction
from nightfold.models.metrics import up_share
from nightfold.models.objective import Objective

Array = NDArray[np.float64]

KNOTS = 257
"""Points that a distribution is kept as: its quantiles at 0, 1/256, ..., 1."""
_LEVELS = np.linspace(0, 1, KNOTS)


class RankBlender(Blender):
    """The mean of each forecast's place in its member's out-of-sample distribution, as a forecast again.

    Places are looked up in distributions frozen at the fit, never among the rows being forecast. What is ranked: up
    given a touch and the touch, each apart, of three classes; the probability of yes; the mean; each quantile level.
    """

    method: Literal["rank"] = "rank"
    places: list[list[list[float]]] = Field(min_length=1)
    """Distribution of each member's forecasts: members x what is ranked x knots."""
    middle: list[list[float]]
    """Distribution of the mean place: what is ranked x knots."""
    blended: list[list[float]]
    """Distribution of the members' plain mean, which the blend is given: what is ranked x knots."""

    @classmethod
    def fit(cls, rows: OutOfSample, spec: EnsembleSpec) -> Self:
        """Freeze the distributions of these rows; each row counts once."""
        stacked = gathered(rows.objective, rows.members)
        ranked = np.stack([_ranked(rows.objective, forecast) for forecast in stacked])
        places = np.quantile(ranked, _LEVELS, axis=1).transpose(1, 2, 0)
        middle = np.quantile(_mean_place(ranked, places), _LEVELS, axis=0).T
        blended = np.quantile(_ranked(rows.objective, stacked.mean(axis=0)), _LEVELS, axis=0).T
        return cls(
            objective=rows.objective,
            members=list(rows.names),
            places=places.tolist(),
            middle=middle.tolist(),
            blended=blended.tolist(),
        )

    @property
    def weights(self) -> dict[str, float]:
        """The same for each, summing to 1."""
        return dict.fromkeys(self.members, 1 / len(self.members))

    def _blend(self, stacked: Array) -> Array:
        ranked = np.stack([_ranked(self.objective, forecast) for forecast in stacked])
        mean = _mean_place(ranked, np.asarray(self.places))
        return _forecast(
            self.objective,
            np.column_stack(
                [
                    np.interp(place_in(column, np.asarray(middle)), _LEVELS, blended)
                    for column, middle, blended in zip(mean.T, self.middle, self.blended, strict=True)
                ]
            ),
        )


def place_in(values: Array, knots: Array) -> Array:
    """Place of values within a distribution, 0 to 1; a value that many share has the middle of their places.

    Examples
    --------
    >>> place_in(np.array([-1.0, 64.0, 512.0]), np.linspace(0, 256, 257)).tolist()
    [0.0, 0.25, 1.0]
    """
    distinct, first, count = np.unique(knots, return_index=True, return_counts=True)
    return np.asarray(np.interp(values, distinct, (_LEVELS[first] + _LEVELS[first + count - 1]) / 2))


def _mean_place(ranked: Array, places: Array) -> Array:
    """Mean over members: rows x what is ranked."""
    columns = range(ranked.shape[2])
    by_member = [
        np.column_stack([place_in(values[:, column], knots[column]) for column in columns])
        for values, knots in zip(ranked, places, strict=True)
    ]
    return np.asarray(np.mean(by_member, axis=0))


def _ranked(objective: Objective, prediction: Prediction) -> Array:
    if objective.task == "three_class":
        return np.column_stack([up_share(prediction), prediction[:, 0] + prediction[:, 2]])
    return prediction[:, 1:] if objective.task == "binary" else prediction


def _forecast(objective: Objective, values: Array) -> Prediction:
    if objective.task == "three_class":
        up, touch = values.T
        return np.column_stack([touch * (1 - up), 1 - touch, touch * up])
    return np.column_stack([1 - values, values]) if objective.task == "binary" else values
