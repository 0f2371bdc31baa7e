"""Direction calibrated apart from touching, so that a forecast without skill says the base rate."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from nightfold.errors import SchemaError
from nightfold.models.contract import PROBABILITY_FLOOR, Probabilities
from nightfold.models.metrics import Labels, Weights, up_share
from nightfold.spec import Spec

Array = NDArray[np.float64]


class DirectionCalibrator(Spec):
    """Line through the log odds of up among touched rows: `intercept + slope * logit(p_up / (p_up + p_down))`.

    How likely a barrier is touched, `p_up + p_down`, stays as it is.
    """

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
        up, odds, share = label[used] == 1, _logit(up_share(probabilities[used])), share[used]
        if not 0 < np.count_nonzero(up) < len(up):
            raise SchemaError(
                f"{np.count_nonzero(up)} of {len(up)} touched rows went up; calibration needs rows of both directions."
            )
        slope, intercept = _likeliest(odds, up, share / share.sum())
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
        up = _sigmoid(self.intercept + self.slope * _logit(up_share(probabilities)))
        touch = probabilities[:, 0] + probabilities[:, 2]
        return np.column_stack([touch * (1 - up), probabilities[:, 1], touch * up])


def _likeliest(odds: Array, up: NDArray[np.bool_], share: Array) -> tuple[float, float]:
    """Slope and intercept of the highest likelihood, in standard units of the odds while they are searched."""
    center = float((share * odds).sum())
    spread = float(np.sqrt((share * (odds - center) ** 2).sum()))
    base = float(_logit((share * up).sum()))
    if spread < 1e-9:  # the same direction for every row: nothing to have a slope
        return 0.0, base
    slope, intercept = _within((odds - center) / spread, up, share, base, spread)
    slope = min(max(slope / spread, 0.0), 1.0)
    return slope, intercept - slope * center


def _within(unit: Array, up: NDArray[np.bool_], share: Array, base: float, steepest: float) -> tuple[float, float]:
    """Stay at a bound where likelihood still rises beyond it; it has one peak."""
    if (share * unit * up).sum() <= 0:
        return 0.0, base
    _, intercept = _newton(unit, up, share, (steepest, base), fixed_slope=True)
    if (share * unit * (up - _sigmoid(intercept + steepest * unit))).sum() >= 0:
        return steepest, intercept
    return _newton(unit, up, share, (0.0, base))


def _newton(
    unit: Array, up: NDArray[np.bool_], share: Array, start: tuple[float, float], fixed_slope: bool = False
) -> tuple[float, float]:
    slope, intercept = start
    for _ in range(100):
        fitted = _sigmoid(intercept + slope * unit)
        miss, curve = share * (up - fitted), share * fitted * (1 - fitted)
        gradient = np.array([0.0 if fixed_slope else (miss * unit).sum(), miss.sum()])
        if np.abs(gradient).max() < 1e-12:
            break
        tilt = 0.0 if fixed_slope else (curve * unit).sum()
        steps = np.linalg.solve([[(curve * unit**2).sum(), tilt], [tilt, curve.sum()]], gradient)
        slope, intercept = slope + np.clip(steps[0], -1, 1), intercept + np.clip(steps[1], -1, 1)
    return float(slope), float(intercept)


def _sigmoid(odds: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(odds / 2)))


def _logit(share: Array | float) -> Array:
    inside = np.clip(share, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.asarray(np.log(inside) - np.log1p(-inside))
