"""One simple policy for all trials, so that a search can be held against its forecasts: what deflates Sharpe ratios.

Each forecast takes the side it leans to, with a stake of one part in ``horizon x symbols`` of the equity, and holds it
to the end of its label, without cost. What it earned is booked on the UTC day in which the label ended.
"""

import numpy as np
from numpy.typing import NDArray

from nightfold.models.contract import Prediction
from nightfold.models.objective import Objective

_DAY = 86_400_000

Days = dict[int, float]
"""Returns by day, counted from 1970."""


def sides(objective: Objective, prediction: Prediction) -> NDArray[np.float64]:
    """Side each forecast leans to: the sign of up less down, yes less no, the mean, or the level nearest the median.

    Examples
    --------
    >>> sides(Objective(), np.array([[0.2, 0.3, 0.5], [0.4, 0.2, 0.4]])).tolist()
    [1.0, 0.0]
    """
    if objective.classes:
        return np.sign(prediction[:, -1] - prediction[:, 0])
    middle = np.abs(np.array(objective.quantiles) - 0.5).argmin() if objective.task == "quantile" else 0
    return np.sign(prediction[:, middle])


def daily_returns(
    side: NDArray[np.float64], log_return: NDArray[np.float64], label_end: NDArray[np.int64], stake: float
) -> Days:
    """Sum what the policy earned by the day its positions ended; midnight belongs to the day before.

    Parameters
    ----------
    side, log_return, label_end
        Of each row: the side taken, the log return to the end of the label, and that end in milliseconds.
    stake
        Part of the equity behind each row.
    """
    days, place = np.unique((label_end - 1) // _DAY, return_inverse=True)
    earned = np.bincount(place, stake * side * np.expm1(log_return), minlength=len(days))
    return dict(zip(days.tolist(), earned.tolist(), strict=True))


def series(days: Days) -> tuple[int | None, list[float]]:
    """Put days in a row: the first, and a return for each day from it to the last, 0 where nothing ended.

    Examples
    --------
    >>> series({19000: 0.01, 19002: -0.02})
    (19000, [0.01, 0.0, -0.02])
    """
    if not days:
        return None, []
    first = min(days)
    return first, [days.get(day, 0.0) for day in range(first, max(days) + 1)]
