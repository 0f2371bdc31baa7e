"""The best forecast that looks at no feature: where models begin, and what is left of them without an edge."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nightfold.models.contract import PROBABILITY_FLOOR, class_prior
from nightfold.models.dataset import Dataset

Array = NDArray[np.float64]


def best_constant(rows: Dataset) -> Array:
    """Return weighted class shares, the weighted mean, or weighted quantiles: one value per column of the objective."""
    objective = rows.objective
    if objective.classes:
        return class_prior(rows)
    if objective.task == "regression":
        return np.array([np.average(rows.label, weights=rows.weight)])
    return weighted_quantiles(rows.label, rows.weight, objective.quantiles)


def weighted_quantiles(values: Array, weight: Array, levels: Sequence[float]) -> Array:
    """Return for each level the lowest value with at least that share of the weight at or under it.

    It has the lowest pinball loss of all constants, and an integer weight is as many rows.

    Examples
    --------
    >>> weighted_quantiles(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]), [0.25, 0.5, 0.9]).tolist()
    [1.0, 2.0, 3.0]
    """
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order])
    places = np.searchsorted(share, np.asarray(levels) * share[-1] * (1 - 1e-12))
    return np.asarray(values[order][places])


def with_absent_classes(probabilities: Array, present: NDArray[np.int64], classes: int) -> Array:
    """Give the classes that training rows did not show a column, and every class at least `PROBABILITY_FLOOR`.

    Parameters
    ----------
    probabilities
        One column per entry of ``present``.
    present
        Positions of the classes that were seen.
    classes
        How many there are.
    """
    whole = np.zeros((len(probabilities), classes))
    whole[:, present] = probabilities
    floored = np.maximum(whole, PROBABILITY_FLOOR)
    return np.asarray(floored / floored.sum(axis=1, keepdims=True))
