"""A linear read-out of numbers: a mean by ridge regression, quantiles by smoothed quantile regression."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nightfold.models.constant import weighted_quantiles
from nightfold.models.dataset import Dataset
from nightfold.models.scaling import Scaling, one_thread

Array = NDArray[np.float64]

_MAX_STEPS = 50
_NARROWEST = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class ReadOut:
    """Slopes on standardised, clipped numbers, one column per column of the objective.

    Parameters
    ----------
    mean, scale
        Of the training rows, per number.
    slopes, intercept
        (numbers, columns) and (columns,), in units of the label.
    """

    mean: Array
    scale: Array
    slopes: Array
    intercept: Array

    @classmethod
    def of(cls, rows: Dataset, l2: float, reach: float) -> Self:
        """Fit training rows of the task regression or quantile, each by its weight.

        Parameters
        ----------
        rows
            Numbers as features, one row per label.
        l2
            Penalty on slopes, in standard deviations of numbers and labels.
        reach
            Standard deviations beyond which a number counts as that many.
        """
        scaling, share = Scaling.of(rows), rows.weight / rows.weight.sum()
        center = float(share @ rows.label)
        unit = float(np.sqrt(share @ (rows.label - center) ** 2)) or 1.0
        target = (rows.label - center) / unit
        with one_thread():
            design = scaling.apply(rows.table, reach)
            design -= (middle := share @ design)
            if rows.objective.task == "quantile":
                lines = [quantile_line(design, target, share, level, l2) for level in rows.objective.quantiles]
            else:
                lines = [(_ridge(design, target, share, l2), 0.0)]
        slopes = unit * np.column_stack([line[0] for line in lines])
        intercept = center + unit * np.array([line[1] for line in lines]) - middle @ slopes
        return cls(scaling.mean, scaling.scale, slopes, intercept)

    def forecast(self, numbers: NDArray[np.float32], reach: float) -> Array:
        """Read numbers out: (rows, columns)."""
        design = Scaling(self.mean, self.scale).apply(numbers, reach)
        return np.asarray(np.einsum("nf,fk->nk", design, self.slopes) + self.intercept)


def quantile_line(design: Array, target: Array, share: Array, level: float, l2: float) -> tuple[Array, float]:
    """Find the line of lowest penalised pinball loss, smoothed so that Newton steps find it.

    The loss is rounded off by a logistic kernel over a bandwidth that shrinks as rows become many; the intercept is
    then set without smoothing, so that the wanted share of the training weight lies at or under the line.

    Parameters
    ----------
    design
        Standardised numbers of mean 0, a row per label.
    target
        Labels in standard deviations from their mean.
    share
        What each row counts, summing to 1.
    level
        Between 0 and 1.
    l2
        Penalty on the slopes; it counts ``level (1 - level)`` times, as flat as the loss is there.

    Returns
    -------
    tuple
        Slopes, and intercept.

    References
    ----------
    He, Pan, Tan and Zhou (2023), Smoothed quantile regression with large-scale inference, *Journal of Econometrics*
    232.
    """
    rows, width = design.shape
    band = float(np.clip(((width + np.log(rows)) / rows) ** 0.4, _NARROWEST, 1.0))
    line = np.column_stack([design, np.ones(rows)])
    penalty = np.append(np.full(width, l2 * level * (1 - level)), 0.0)
    slopes = np.append(np.zeros(width), weighted_quantiles(target, share, [level]))

    def loss(slopes: Array) -> float:
        away = target - line @ slopes
        return float(share @ (level * away + band * np.logaddexp(0, -away / band)) + 0.5 * penalty @ slopes**2)

    lowest = loss(slopes)
    for _ in range(_MAX_STEPS):
        under = 0.5 * (1 - np.tanh((target - line @ slopes) / (2 * band)))
        gradient = line.T @ (share * (under - level)) + penalty * slopes
        if np.abs(gradient).max() < 1e-9:
            break
        curve = (line.T * (share * under * (1 - under) / band)) @ line + np.diag(penalty + 1e-9)
        step, fraction = np.linalg.solve(curve, gradient), 1.0
        while (lower := loss(slopes - fraction * step)) > lowest and fraction > 1e-6:
            fraction /= 2
        if lower >= lowest:
            break
        slopes, lowest = slopes - fraction * step, lower
    left = target - design @ slopes[:-1]
    return slopes[:-1], float(weighted_quantiles(left, share, [level])[0])


def _ridge(design: Array, target: Array, share: Array, l2: float) -> Array:
    curve = (design.T * share) @ design + np.diag(np.full(design.shape[1], l2 + 1e-9))
    return np.asarray(np.linalg.solve(curve, design.T @ (share * target)))
