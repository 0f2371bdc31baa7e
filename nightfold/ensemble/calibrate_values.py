"""Means and quantiles calibrated so that a forecast without skill moves nobody, and quantiles cover what they say.

Values that are traded lie around zero, and over a few days their average is chance. So `toward` says what a forecast
without skill falls back to: ``zero`` for returns; ``constant``, the level of the rows fitted on, for values that have
one, such as excursions.
"""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from nightfold.ensemble.track import Pace, track
from nightfold.errors import SchemaError
from nightfold.models.contract import Prediction
from nightfold.spec import Spec

Array = NDArray[np.float64]
Weights = Array | None
Toward = Literal["zero", "constant"]

CAUTION = 1.0
"""Standard errors taken off a slope, and off a drift, before they are believed."""


class MeanCalibrator(Spec):
    """A line through the forecast mean: `intercept + slope * mean`."""

    kind: Literal["mean"] = "mean"
    slope: float = Field(ge=0, le=1)
    """1 takes the forecast as it is, 0 takes none of it."""
    intercept: float
    """What is added: 0 toward zero, else what keeps the mean of the rows fitted on."""
    rows: PositiveInt
    """Rows it was fitted on."""

    @classmethod
    def fit(
        cls,
        prediction: Prediction,
        label: Array,
        weight: Weights = None,
        *,
        toward: Toward = "zero",
        independent: float | None = None,
    ) -> Self:
        """Fit the slope by least squares, take its standard error off, and hold it within 0 and 1.

        Parameters
        ----------
        prediction
            Forecasts of rows that the model had not seen: the mean in the first column; others are left alone.
        label, weight
            What came, and how much each row counts; each 1 where it is left out.
        toward
            What a forecast without skill says: zero, or the mean of these labels.
        independent
            How many rows without overlap these are worth; as many as there are where left out.

        Raises
        ------
        SchemaError
            If no row has weight.
        """
        forecast, label, share = _weighted(prediction, label, weight)
        return cls._fit(forecast[:, 0], label, share, toward, independent)

    @classmethod
    def _fit(cls, forecast: Array, label: Array, share: Array, toward: Toward, independent: float | None) -> Self:
        center, level = ((share * forecast).sum(), (share * label).sum()) if toward == "constant" else (0.0, 0.0)
        slope = _safe_slope(forecast - center, label - level, share, independent)
        return cls(slope=slope, intercept=float(level - slope * center), rows=len(label))

    def apply(self, prediction: Prediction) -> Prediction:
        """Calibrate each row.

        Examples
        --------
        >>> MeanCalibrator(slope=0.5, intercept=0.0, rows=100).apply(np.array([[0.02]])).tolist()
        [[0.01]]
        """
        calibrated = np.array(prediction, np.float64)
        calibrated[:, 0] = self.intercept + self.slope * calibrated[:, 0]
        return calibrated


class QuantileCalibrator(Spec):
    """Each level shifted until as many rows fall under it as it says, and its centre held to what it is worth.

    The centre of a row is the mean of its quantiles, laid out as a policy reads them: linear between levels, flat
    beyond the outer ones. Of it, `1 - slope` goes; then each level moves by its shift.
    """

    kind: Literal["quantile"] = "quantile"
    levels: list[float]
    slope: float = Field(ge=0, le=1)
    """1 takes the centres as they are, 0 makes them all alike."""
    shifts: list[float]
    """Added to each level."""
    rows: PositiveInt
    """Rows it was fitted on."""

    @classmethod
    def fit(
        cls,
        prediction: Prediction,
        label: Array,
        levels: list[float],
        weight: Weights = None,
        *,
        toward: Toward = "zero",
        independent: float | None = None,
        pace: Pace | None = None,
    ) -> Self:
        """Fit the slope as of `MeanCalibrator`, then take shifts from the misses: conformal quantiles.

        A level's shift is the miss at the level itself, one row of `n + 1` further out, so that a new row falls outside
        no more often than stated. Toward ``constant`` the centres stay, and that is all. Toward ``zero`` a drift common
        to all levels, the change of the centre, is kept only as far as it exceeds its standard error.

        Parameters
        ----------
        prediction
            Forecasts of rows that the model had not seen: one column per level.
        label, weight, toward, independent
            As of `MeanCalibrator`.
        levels
            Of the columns, ascending.
        pace
            How shifts follow what came lately: they are taken from the rows of the earlier half of the moments, and
            tracked through the later half. None: from all rows alike.

        Raises
        ------
        SchemaError
            If no row has weight.

        References
        ----------
        Romano, Patterson and Candès (2019), Conformalized Quantile Regression, *NeurIPS*; each tail by itself.
        """
        forecast, label, share = _weighted(prediction, label, weight)
        center = _center(forecast, levels)
        slope = 1.0 if toward == "constant" else _safe_slope(center, label, share, independent)
        misses = label[:, None] - forecast + (1 - slope) * center[:, None]
        if pace is None:
            shifts = _shifts(misses, share, levels)
        else:
            start = pace.start if weight is None else pace.start[weight > 0]
            shifts = _adapted(misses, share, levels, Pace(pace.rate, start), independent)
        if toward == "zero":
            drift = float(_center(shifts[None], levels)[0])
            error = np.sqrt((share * (label - slope * center) ** 2).sum() / (independent or len(label)))
            shifts -= np.clip(drift, -CAUTION * error, CAUTION * error)
        return cls(levels=levels, slope=slope, shifts=shifts.tolist(), rows=len(label))

    def apply(self, prediction: Prediction) -> Prediction:
        """Calibrate each row; levels that would cross change places."""
        center = _center(prediction, self.levels)
        return np.sort(prediction - (1 - self.slope) * center[:, None] + np.asarray(self.shifts), axis=1)


def conformal(misses: Array, share: Array, level: float) -> float:
    """Miss that a share of `level` of rows, and of one row more, lie at or under; further out of the two that qualify.

    Parameters
    ----------
    misses
        What came less what was forecast.
    share
        Weights that sum to 1.
    level
        From 0 to 1. Under a half, at most this share lies under it; else at least this share at or under it. Where
        rows are too few to tell, the outermost miss.

    Examples
    --------
    >>> misses, share = np.arange(1.0, 20.0), np.full(19, 1 / 19)
    >>> conformal(misses, share, 0.9), conformal(misses, share, 0.1)
    (18.0, 2.0)
    """
    order = np.argsort(misses, kind="stable")
    rows = len(misses)
    reached = np.cumsum(share[order]) * rows / (rows + 1)
    if level < 0.5:
        place = max(int(np.searchsorted(reached, level + 1e-12, side="right")) - 1, 0)
    else:
        place = min(int(np.searchsorted(reached, level - 1e-12)), rows - 1)
    return float(misses[order][place])


def _shifts(misses: Array, share: Array, levels: list[float]) -> Array:
    return np.array([conformal(miss, share, level) for miss, level in zip(misses.T, levels, strict=True)])


def _adapted(misses: Array, share: Array, levels: list[float], pace: Pace, independent: float | None) -> Array:
    """Track shifts through the later half of the moments; labels that overlap tell one thing, and move one step."""
    moments = np.unique(pace.start)
    is_early = pace.start <= moments[(moments.size - 1) // 2]
    early, weight = misses[is_early], share[is_early] / share[is_early].sum()
    spread = np.sqrt(weight @ (early - weight @ early) ** 2)
    step = pace.rate * spread * min((independent or moments.size) / moments.size, 1.0)
    begin = _shifts(early, weight, levels)
    return track(misses[~is_early], share[~is_early], pace.start[~is_early], levels, begin, step)


def _safe_slope(forecast: Array, label: Array, share: Array, independent: float | None) -> float:
    square = float((share * forecast**2).sum())
    if square <= 0:
        return 0.0
    slope = float((share * forecast * label).sum()) / square
    error = np.sqrt((share * (label - slope * forecast) ** 2).sum() / square / (independent or len(label)))
    return float(min(max(slope - CAUTION * error, 0.0), 1.0))


def _center(quantiles: Array, levels: list[float]) -> Array:
    """Mean of the distribution that is linear between quantiles and flat beyond them."""
    edges = np.array([0.0, *(np.diff(levels) / 2 + levels[:-1]), 1.0])
    return np.asarray((quantiles * np.diff(edges)).sum(axis=1))


def _weighted(prediction: Prediction, label: Array, weight: Weights) -> tuple[Prediction, Array, Array]:
    share = np.ones(len(label)) if weight is None else weight
    used = share > 0
    if not used.any():
        raise SchemaError(f"None of {len(label)} rows has a weight over 0; calibration needs some.")
    return prediction[used], np.asarray(label[used], np.float64), share[used] / share[used].sum()
