"""What every way of blending keeps to: members' forecasts in, one forecast of the same task out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.rows import OutOfSample, gathered
from nightfold.errors import SchemaError
from nightfold.models.contract import Prediction
from nightfold.models.objective import Objective
from nightfold.spec import Spec

Array = NDArray[np.float64]


class Blender(Spec, ABC):
    """A fitted blend, plain enough to be stored as JSON."""

    objective: Objective
    """What members and blend forecast."""
    members: list[str] = Field(min_length=1)
    """Members in the order of their numbers below."""

    @classmethod
    @abstractmethod
    def fit(cls, rows: OutOfSample, spec: EnsembleSpec) -> Self:
        """Learn from forecasts of rows that no member had learnt from."""

    @property
    @abstractmethod
    def weights(self) -> dict[str, float]:
        """How much each member counts; of a stack they need not sum to 1, nor be positive."""

    def apply(self, members: Mapping[str, Prediction]) -> Prediction:
        """Blend forecasts; each row by itself.

        Parameters
        ----------
        members
            A forecast of the same rows by the name of each member, in any order.

        Raises
        ------
        SchemaError
            If a member is absent or unknown, or forecasts differ in rows or task, or hold NaN.
        """
        if set(members) != set(self.members):
            raise SchemaError(
                f"Forecasts come from {', '.join(sorted(members)) or 'nobody'}; this blend was fitted for "
                f"{', '.join(sorted(self.members))}."
            )
        stacked = gathered(self.objective, {name: members[name] for name in self.members})
        return finished(self.objective, self._blend(stacked))

    @abstractmethod
    def _blend(self, stacked: Array) -> Array:
        """Blend members x rows x columns."""


class MeanBlender(Blender):
    """Each member counts the same."""

    method: Literal["mean"] = "mean"

    @classmethod
    def fit(cls, rows: OutOfSample, spec: EnsembleSpec) -> Self:
        """Take the members' names; there is nothing to learn."""
        return cls(objective=rows.objective, members=list(rows.names))

    @property
    def weights(self) -> dict[str, float]:
        """The same for each, summing to 1."""
        return dict.fromkeys(self.members, 1 / len(self.members))

    def _blend(self, stacked: Array) -> Array:
        return np.asarray(stacked.mean(axis=0))


def finished(objective: Objective, values: Array) -> Prediction:
    """Put quantiles in order, so that none crosses another; all else stays.

    References
    ----------
    Chernozhukov, Fernández-Val and Galichon (2010), Quantile and Probability Curves Without Crossing,
    *Econometrica* 78.
    """
    return np.sort(values, axis=1) if objective.task == "quantile" else values
