"""A feature as it is kept: float32, NaN where unknown."""

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled
from nightfold.features.segment import Array


@compiled
def keep(values: Array, column: NDArray[np.float32]) -> None:
    """Round values into a column; what float32 cannot hold and what is infinite becomes NaN."""
    for i in range(len(column)):
        number = np.float32(values[i])
        column[i] = number if abs(number) < np.inf else np.float32(np.nan)
