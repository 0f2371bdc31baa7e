"""Walks through many trees, row by row."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def forest_means(
    features: NDArray[np.float32],
    roots: NDArray[np.int32],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    feature: NDArray[np.int32],
    threshold: NDArray[np.float64],
    value: NDArray[np.float64],
) -> NDArray[np.float64]:  # pragma: no cover
    """Average over trees what the leaf of each row says.

    Parameters
    ----------
    features
        (rows, features).
    roots
        Node at which each tree begins.
    left, right
        Node that follows where a feature is at most the threshold, and where it is more; -1 in leaves.
    feature, threshold
        What each inner node asks.
    value
        What each node says: (nodes, outputs).

    Returns
    -------
    NDArray
        (rows, outputs), trees added in their order.
    """
    total = np.zeros((len(features), value.shape[1]))
    for row in range(len(features)):
        for node in roots:
            while left[node] >= 0:
                node = left[node] if features[row, feature[node]] <= threshold[node] else right[node]
            for output in range(value.shape[1]):
                total[row, output] += value[node, output]
    return total / len(roots)
