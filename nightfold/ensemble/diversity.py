"""How differently members see the same rows: what an ensemble lives on."""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.ensemble.rows import OutOfSample, gathered
from nightfold.models.score import row_losses

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Loss of the plain mean, in two parts: that of its members on average, less what their disagreement is worth."""

    member_loss: float
    ensemble_loss: float

    @property
    def gain(self) -> float:
        """Never negative, for all losses here are convex; of squared errors the members' spread around their mean."""
        return self.member_loss - self.ensemble_loss


def ambiguity(rows: OutOfSample) -> Ambiguity:
    """Split the loss of the plain mean into its members' loss and the gain of averaging.

    For squared errors the gain is the mean squared distance of members from their mean, exactly; for log loss and
    pinball loss it is the gap in Jensen's inequality.

    References
    ----------
    Krogh and Vedelsby (1995), Neural Network Ensembles, Cross Validation, and Active Learning, *NIPS* 7.
    """
    mean = gathered(rows.objective, rows.members).mean(axis=0)
    members = [float((rows.shares * loss).sum()) for loss in rows.losses.values()]
    blended = float((rows.shares * row_losses(rows.objective, mean, rows.label)).sum())
    return Ambiguity(float(np.mean(members)), blended)


def correlation(rows: OutOfSample, of: Literal["forecasts", "errors"] = "errors") -> Array:
    """Correlation between members, as a matrix in their order; NaN where one never varies.

    Parameters
    ----------
    rows
        Forecasts and what came.
    of
        ``forecasts``: of up less down, of yes, of the mean, or of quantiles, averaged over levels. ``errors``: of what
        came less those, or, of quantiles, of pinball losses.
    """
    objective = rows.objective
    stacked = gathered(objective, rows.members)
    if objective.task == "quantile" and of == "errors":
        values = np.stack(list(rows.losses.values()))[:, :, None]
    elif objective.task == "quantile":
        values = stacked
    else:
        told = {"three_class": stacked[..., -1] - stacked[..., 0], "binary": stacked[..., -1]}
        forecast = told.get(objective.task, stacked[..., 0])
        values = (rows.label - forecast if of == "errors" else forecast)[:, :, None]
    return np.asarray(
        np.mean([_correlation(values[:, :, column], rows.shares) for column in range(values.shape[2])], axis=0)
    )


def pairs(rows: OutOfSample) -> pl.DataFrame:
    """Compare every two members.

    Returns
    -------
    DataFrame
        ``first``, ``second``, ``forecast_correlation``, ``error_correlation``; for classes also, of whether the
        likeliest class came: ``q_statistic`` (Yule's Q, 0 where independent, 1 where they err together),
        ``disagreement`` (just one is right), ``double_fault`` (both are wrong). What cannot be told is null.

    References
    ----------
    Kuncheva and Whitaker (2003), Measures of Diversity in Classifier Ensembles, *Machine Learning* 51.
    """
    forecasts, errors = correlation(rows, "forecasts"), correlation(rows, "errors")
    right = (
        [forecast.argmax(axis=1) == rows.codes for forecast in rows.members.values()] if rows.objective.classes else []
    )
    found = [
        {
            "first": rows.names[one],
            "second": rows.names[other],
            "forecast_correlation": forecasts[one, other],
            "error_correlation": errors[one, other],
            **(faults(right[one], right[other], rows.shares) if right else {}),
        }
        for one, other in combinations(range(len(rows.names)), 2)
    ]
    return pl.DataFrame(found).with_columns(pl.selectors.float().fill_nan(None)) if found else pl.DataFrame()


def faults(first: NDArray[np.bool_], second: NDArray[np.bool_], share: Array) -> dict[str, float | None]:
    """Q statistic, disagreement and double fault of two members, given where each is right.

    Examples
    --------
    Of ten rows both are right on 4, the first alone on 2, the second alone on 1, neither on 3:
    Q = (4*3 - 2*1) / (4*3 + 2*1).

    >>> first, second = np.arange(10) < 6, np.isin(np.arange(10), [0, 1, 2, 3, 6])
    >>> {name: round(value, 4) for name, value in faults(first, second, np.full(10, 0.1)).items()}
    {'q_statistic': 0.7143, 'disagreement': 0.3, 'double_fault': 0.3}
    """
    both, neither = (float(share[mask].sum()) for mask in (first & second, ~first & ~second))
    one, other = (float(share[mask].sum()) for mask in (first & ~second, ~first & second))
    scale = both * neither + one * other
    return {
        "q_statistic": (both * neither - one * other) / scale if scale > 0 else None,
        "disagreement": one + other,
        "double_fault": neither,
    }


def _correlation(values: Array, share: Array) -> Array:
    """Weighted correlation of rows of a matrix: members x rows."""
    off = values - (values * share).sum(axis=1, keepdims=True)
    covariance = np.einsum("mn,kn->mk", off * share, off)
    spread = np.sqrt(np.diag(covariance))
    spread = np.where(spread > 1e-12 * np.abs(values).max(initial=1e-300), spread, np.nan)
    return np.asarray(covariance / spread[:, None] / spread)
