"""Probabilities calibrated so that a forecast without skill says the base rate; of three classes, direction alone.

The base rate is that of the rows calibrated on, which no fit has seen, whatever the target. Not one half: uneven
barriers are not touched equally often, and a forecast of one half would then trade on a market without an edge. Not
that of training rows: these are older, and what a blend says of new rows need not average to it.

Rows that all went one way, or none of which went anywhere, cannot tell skill from chance, nor do they show a base rate:
it would be certainty. The slope is then 0 and the base rate what the rule of succession makes of them, `(n + 1) / (n +
2)` after `n` rows without overlap, one half after none; `one_sided` records it.

References
----------
Laplace (1774), Mémoire sur la probabilité des causes par les événements: the rule of succession.
"""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt

from nightfold.ensemble.platt import likeliest_line, logit, sigmoid
from nightfold.errors import SchemaError
from nightfold.models.contract import Probabilities
from nightfold.models.metrics import Labels, Weights, up_share
from nightfold.spec import Spec

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class DirectionCalibrator(Spec):
    """Line through the log odds of up among touched rows: `intercept + slope * logit(p_up / (p_up + p_down))`.

    How likely a barrier is touched, `p_up + p_down`, stays as it is.
    """

    kind: Literal["direction"] = "direction"
    slope: float = Field(ge=0, le=1)
    """1 takes the forecast's spread as it is, 0 takes none of it and leaves the base rate."""
    intercept: float
    """Log odds of up where the forecast says 1/2; at slope 0 the log odds of the base rate."""
    base_rate: float = Field(gt=0, lt=1)
    """Weighted share of up among the touched rows it was fitted on."""
    rows: NonNegativeInt
    """Touched rows it was fitted on."""
    one_sided: bool = False
    """Whether these did not show both directions, so that they say nothing of skill."""

    @classmethod
    def fit(
        cls,
        probabilities: Probabilities,
        label: Labels,
        weight: Weights = None,
        *,
        independent: float | None = None,
    ) -> Self:
        """Find the likeliest line with a slope between 0 and 1.

        The mean of the calibrated share of up on these rows is their base rate, whatever the slope.

        Parameters
        ----------
        probabilities
            Forecasts of rows that the model had not seen: down, flat, up.
        label
            What came, -1, 0 or +1; rows of 0 touched nothing and take no part.
        weight
            How much each row counts; each 1 where it is left out.
        independent
            How many rows without overlap these are worth; as many as there are where left out.

        Raises
        ------
        SchemaError
            If no row has weight.
        """
        return cls(**_line(logit(up_share(probabilities)), label == 1, label != 0, weight, independent))

    def apply(self, probabilities: Probabilities) -> Probabilities:
        """Give the touched part of each row its calibrated direction; the flat part stays.

        Examples
        --------
        >>> unskilled = DirectionCalibrator(slope=0, intercept=0, base_rate=0.5, rows=100)
        >>> unskilled.apply(np.array([[0.1, 0.5, 0.4]])).tolist()
        [[0.25, 0.5, 0.25]]
        """
        up = sigmoid(self.intercept + self.slope * logit(up_share(probabilities)))
        touch = probabilities[:, 0] + probabilities[:, 2]
        return np.column_stack([touch * (1 - up), probabilities[:, 1], touch * up])


class ProbabilityCalibrator(Spec):
    """Line through the log odds of yes: `intercept + slope * logit(p_yes)`."""

    kind: Literal["probability"] = "probability"
    slope: float = Field(ge=0, le=1)
    """1 takes the forecast's spread as it is, 0 takes none of it and leaves the base rate."""
    intercept: float
    """Log odds of yes where the forecast says 1/2; at slope 0 the log odds of the base rate."""
    base_rate: float = Field(gt=0, lt=1)
    """Weighted share of yes among the rows it was fitted on."""
    rows: NonNegativeInt
    """Rows it was fitted on."""
    one_sided: bool = False
    """Whether these did not show both answers, so that they say nothing of skill."""

    @classmethod
    def fit(
        cls,
        probabilities: Probabilities,
        label: Labels,
        weight: Weights = None,
        *,
        independent: float | None = None,
    ) -> Self:
        """Find the likeliest line with a slope between 0 and 1; parameters and errors as of `DirectionCalibrator`."""
        return cls(**_line(logit(probabilities[:, 1]), label == 1, np.ones(len(label), np.bool_), weight, independent))

    def apply(self, probabilities: Probabilities) -> Probabilities:
        """Calibrate each row.

        Examples
        --------
        >>> unskilled = ProbabilityCalibrator(slope=0, intercept=0, base_rate=0.5, rows=100)
        >>> unskilled.apply(np.array([[0.1, 0.9]])).tolist()
        [[0.5, 0.5]]
        """
        yes = sigmoid(self.intercept + self.slope * logit(probabilities[:, 1]))
        return np.column_stack([1 - yes, yes])


def _line(odds: Array, came: Flags, counted: Flags, weight: Weights, independent: float | None) -> dict[str, Any]:
    """Fit a calibrator's fields on the rows that are counted and have weight."""
    share = np.ones(len(odds)) if weight is None else weight
    if not (share > 0).any():
        raise SchemaError(f"None of {len(odds)} rows has a weight over 0; calibration needs some.")
    used = counted & (share > 0)
    odds, came, share = odds[used], came[used], share[used]
    if 0 < np.count_nonzero(came) < len(came):
        slope, intercept = likeliest_line(odds, came, share / share.sum())
        base = float(np.average(came, weights=share))
        return {"slope": slope, "intercept": intercept, "base_rate": base, "rows": len(came)}
    worth = float((independent or len(used)) * used.mean())
    base = (worth * bool(came.any()) + 1) / (worth + 2)
    return {"slope": 0.0, "intercept": float(logit(base)), "base_rate": base, "rows": len(came), "one_sided": True}
