"""Classes that weigh the same in a fit, however rare they are: by the rows of that very fit, never by others."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightfold.models.dataset import Dataset


def weighed(rows: Dataset, train: Dataset) -> Dataset:
    """Return rows with the weights they have beside the training rows of a fit, or in it.

    Parameters
    ----------
    rows
        Those of the fit, or those that stop it.
    train
        Those of the fit; where they are not ``balanced``, rows stay as they are.
    """
    if not train.balanced:
        return rows
    scale = balance(rows.label, train.label, train.weight, train.objective.classes)
    return replace(rows, weight=rows.weight * scale, balanced=False)


def balance(
    label: NDArray[Any], train_label: NDArray[Any], train_weight: NDArray[np.float64], classes: tuple[int, ...]
) -> NDArray[np.float64]:
    """Scale rows so that every class that the training rows show has the same weight among them, of unchanged sum.

    Parameters
    ----------
    label
        Of the rows to be scaled; a class that the training rows lack stays as it is.
    train_label, train_weight
        Of the training rows.
    classes
        All there are.

    Examples
    --------
    >>> labels, weights = np.array([0, 0, 0, 1]), np.array([1.0, 1.0, 2.0, 1.0])
    >>> balance(labels, labels, weights, (0, 1)).tolist()
    [0.625, 0.625, 0.625, 2.5]
    """
    sums = {each: float(train_weight[train_label == each].sum()) for each in classes}
    known = {each: total for each, total in sums.items() if total > 0}
    scale = np.ones(len(label))
    for each, total in known.items():
        scale[label == each] = sum(known.values()) / len(known) / total
    return scale
