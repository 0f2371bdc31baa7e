"""Features in standard deviations of the training rows, and products of matrices that are the same every time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nightfold.models.dataset import Dataset

Array = NDArray[np.float64]

_TURN = Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Mean and deviation of each feature, weighted, of training rows alone; a constant one has the deviation 1."""

    mean: Array
    scale: Array

    @classmethod
    def of(cls, rows: Dataset) -> Self:
        """Measure rows."""
        features, weight = rows.table.astype(np.float64), rows.weight
        mean = np.average(features, axis=0, weights=weight)
        deviation = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weight))
        constant = features.min(axis=0) == features.max(axis=0)
        return cls(mean, np.where(constant, 1.0, deviation))

    def apply(self, features: NDArray[np.float32], reach: float) -> Array:
        """Return features in deviations from the mean, cut to ``reach`` of them."""
        return np.clip((features - self.mean) / self.scale, -reach, reach)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep matrix products on one thread, since their last digits depend on how many there are.

    The limit holds for the whole process and is lifted at the end, so fits in several threads take turns.
    """
    from threadpoolctl import threadpool_limits

    with _TURN, threadpool_limits(1):
        yield
