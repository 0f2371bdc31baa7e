"""Probabilities calibrated so that a forecast without skill says the base rate; of three classes, direction alone."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from nightfold.ensemble.platt import likeliest_line, logit, sigmoid
from nightfold.errors import SchemaError
from nightfold.models.contract import Probabilities
from nightfold.models.metrics import Labels, Weights, up_share
from nightfold.spec import Spec

Array = NDArray[np.float64]


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
    rows: PositiveInt
    """Touched rows it was fitted on."""

    @classmethod
    def fit(cls, probabilities: Probabilities, label: Labels, weight: Weights = None) -> Self:
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

        Raises
        ------
        SchemaError
            If the touched rows do not show both directions.
        """
        share = np.ones(len(label)) if weight is None else weight
        used = (label != 0) & (share > 0)
        up, odds, share = label[used] == 1, logit(up_share(probabilities[used])), share[used]
        if not 0 < np.count_nonzero(up) < len(up):
            raise SchemaError(
                f"{np.count_nonzero(up)} of {len(up)} touched rows went up; calibration needs rows of both directions."
            )
        slope, intercept = likeliest_line(odds, up, share / share.sum())
        return cls(
            slope=slope, intercept=intercept, base_rate=float(np.average(up, weights=share)), rows=int(used.sum())
        )

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
    rows: PositiveInt
    """Rows it was fitted on."""

    @classmethod
    def fit(cls, probabilities: Probabilities, label: Labels, weight: Weights = None) -> Self:
        """Find the likeliest line with a slope between 0 and 1; parameters and errors as of `DirectionCalibrator`."""
        share = np.ones(len(label)) if weight is None else weight
        used = share > 0
        yes, share = label[used] == 1, share[used]
        if not 0 < np.count_nonzero(yes) < len(yes):
            raise SchemaError(f"{np.count_nonzero(yes)} of {len(yes)} rows are yes; calibration needs rows of both.")
        slope, intercept = likeliest_line(logit(probabilities[used, 1]), yes, share / share.sum())
        base = float(np.average(yes, weights=share))
        return cls(slope=slope, intercept=intercept, base_rate=base, rows=int(used.sum()))

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
