"""Several forecasts of the same rows become one."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from nightfold.errors import SchemaError, UnknownNameError
from nightfold.models.contract import Probabilities
from nightfold.spec import Spec


class EnsembleSpec(Spec):
    """How the models of an experiment become one forecast."""

    method: Literal["mean"] = "mean"
    """`mean`: the average of the probabilities, each member counting the same."""
    members: list[str] = Field(default_factory=list)
    """Models that take part, by name. Empty: all of the experiment."""

    def chosen(self, models: Iterable[str]) -> tuple[str, ...]:
        """Names of the members among the models of an experiment, in the experiment's order.

        Raises
        ------
        UnknownNameError
            If a member is no model of the experiment.

        Examples
        --------
        >>> EnsembleSpec(members=["b"]).chosen(["a", "b"])
        ('b',)
        """
        known = tuple(models)
        for member in self.members:
            if member not in known:
                raise UnknownNameError("ensemble member", member, known)
        return tuple(name for name in known if not self.members or name in self.members)


def blend(forecasts: Sequence[Probabilities]) -> Probabilities:
    """Average the members' probabilities, row by row.

    Parameters
    ----------
    forecasts
        One array per member, all of the same rows and classes, without NaN.

    Returns
    -------
    Probabilities
        Rows sum to 1, as the members' do.

    Raises
    ------
    SchemaError
        If there is no member, shapes differ, or a value is NaN.

    Examples
    --------
    >>> blend([np.array([[0.2, 0.2, 0.6]]), np.array([[0.4, 0.4, 0.2]])]).round(2).tolist()
    [[0.3, 0.3, 0.4]]
    """
    shapes = {forecast.shape for forecast in forecasts}
    if len(shapes) != 1:
        found = ", ".join(map(str, sorted(shapes))) or "none"
        raise SchemaError(f"Forecasts to blend have the shapes {found}; all members forecast the same rows and task.")
    stacked = np.stack(forecasts)
    if not np.isfinite(stacked).all():
        raise SchemaError("Forecasts to blend hold NaN or infinity; blend only rows that every member forecast.")
    return np.asarray(stacked.mean(axis=0))
