"""The likeliest line through log odds, its slope within 0 and 1."""

import numpy as np
from numpy.typing import NDArray

from nightfold.models.contract import PROBABILITY_FLOOR

Array = NDArray[np.float64]


def likeliest_line(odds: Array, came: NDArray[np.bool_], share: Array) -> tuple[float, float]:
    """Slope and intercept of the highest likelihood, in standard units of the odds while they are searched.

    Parameters
    ----------
    odds
        Log odds that were forecast.
    came
        What came; some rows must and some must not have.
    share
        Weights that sum to 1.

    References
    ----------
    Platt (1999), Probabilistic Outputs for Support Vector Machines; with a bounded slope.
    """
    center = float((share * odds).sum())
    spread = float(np.sqrt((share * (odds - center) ** 2).sum()))
    base = float(logit((share * came).sum()))
    if spread < 1e-9:  # the same forecast for every row: nothing to have a slope
        return 0.0, base
    slope, intercept = _within((odds - center) / spread, came, share, base, spread)
    slope = min(max(slope / spread, 0.0), 1.0)
    return slope, intercept - slope * center


def sigmoid(odds: Array) -> Array:
    """Probabilities of log odds."""
    return np.asarray(0.5 * (1 + np.tanh(odds / 2)))


def logit(share: Array | float) -> Array:
    """Log odds of probabilities, which are first held `PROBABILITY_FLOOR` away from 0 and 1."""
    inside = np.clip(share, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _within(unit: Array, came: NDArray[np.bool_], share: Array, base: float, steepest: float) -> tuple[float, float]:
    """Stay at a bound where likelihood still rises beyond it; it has one peak."""
    if (share * unit * came).sum() <= 0:
        return 0.0, base
    _, intercept = _newton(unit, came, share, (steepest, base), fixed_slope=True)
    if (share * unit * (came - sigmoid(intercept + steepest * unit))).sum() >= 0:
        return steepest, intercept
    return _newton(unit, came, share, (0.0, base))


def _newton(
    unit: Array, came: NDArray[np.bool_], share: Array, start: tuple[float, float], fixed_slope: bool = False
) -> tuple[float, float]:
    slope, intercept = start
    for _ in range(100):
        fitted = sigmoid(intercept + slope * unit)
        miss, curve = share * (came - fitted), share * fitted * (1 - fitted)
        gradient = np.array([0.0 if fixed_slope else (miss * unit).sum(), miss.sum()])
        if np.abs(gradient).max() < 1e-12:
            break
        tilt = 0.0 if fixed_slope else (curve * unit).sum()
        steps = np.linalg.solve([[(curve * unit**2).sum(), tilt], [tilt, curve.sum()]], gradient)
        slope, intercept = slope + np.clip(steps[0], -1, 1), intercept + np.clip(steps[1], -1, 1)
    return float(slope), float(intercept)
