"""Trailing windows: row ``i`` stands for the window ``i - window + 1 ... i``; rows before the first whole one are NaN.

See `doubling` for how windows are put together, and why none ever feels what has left it.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled
from nightfold.features.doubling import COMMON, HIGHEST, LOWEST, SPREAD, TOTAL, over
from nightfold.features.formula import root
from nightfold.features.segment import Array


class Windows:
    """Windows over one series; what is asked for again is not computed again."""

    def __init__(self, values: Array) -> None:
        self.values = values
        self._known: dict[tuple[int, int], NDArray[np.float64]] = {}

    def _over(self, kind: int, window: int) -> NDArray[np.float64]:
        key = kind, window
        if key not in self._known:
            self._known[key] = over(kind, self.values, self.values, window, 1.0)
        return self._known[key]

    @cached_property
    def run_lengths(self) -> NDArray[np.int64]:
        """Equal values in a row, up to each row."""
        return run_lengths(self.values)

    def total(self, window: int) -> Array:
        """Sum over the window."""
        return np.asarray(self._over(TOTAL, window)[0])

    def mean(self, window: int) -> Array:
        """Mean over the window."""
        return self.total(window) * (1 / window)

    def highest(self, window: int) -> Array:
        """Maximum over the window."""
        return np.asarray(self._over(HIGHEST, window)[0])

    def lowest(self, window: int) -> Array:
        """Minimum over the window."""
        return np.asarray(self._over(LOWEST, window)[0])

    def centre(self, window: int) -> Array:
        """Mean over the window, exactly the value itself where it is flat."""
        return np.asarray(self._over(SPREAD, window)[0])

    def variance(self, window: int) -> Array:
        """Variance of the window, population; exactly 0 where it is flat, and just there."""
        return np.asarray(self._over(SPREAD, window)[1] * (1 / window))

    def deviation(self, window: int) -> Array:
        """Sample standard deviation (ddof 1) of the window."""
        return root(self.variance(window), window / (window - 1))

    def z_score(self, window: int) -> Array:
        """Distance from the window's mean in its population standard deviations; NaN where it is flat."""
        return _z_score(self.values, self.centre(window), self.variance(window))

    def is_flat(self, window: int) -> NDArray[np.bool_]:
        """Whether maximum and minimum of the window are equal; false before the first whole window."""
        return self.run_lengths >= window

    def unless_flat(self, window: int, values: Array) -> Array:
        """Values of the windows that are not flat, NaN for those that are."""
        return _under(self.run_lengths, window, values)


@compiled
def _under(runs: NDArray[np.int64], window: int, values: Array) -> Array:
    """Values where less than ``window`` rows were equal in a row, else NaN."""
    result = np.empty(len(values))
    for i in range(len(values)):
        result[i] = values[i] if runs[i] < window else np.nan
    return result


@compiled
def _z_score(values: Array, means: Array, variances: Array) -> Array:
    """Distance from the mean in roots of the variance; NaN where that is 0."""
    result = np.empty(len(values))
    for i in range(len(values)):
        result[i] = (values[i] - means[i]) / np.sqrt(variances[i] if variances[i] > 0 else np.nan)
    return result


@compiled
def run_lengths(values: Array) -> NDArray[np.int64]:
    """Count equal values in a row up to each row."""
    runs = np.ones(len(values), dtype=np.int64)
    for i in range(1, len(values)):
        if values[i] == values[i - 1]:
            runs[i] = runs[i - 1] + 1
    return runs


def total(values: Array, window: int) -> Array:
    """Sum over the window."""
    return Windows(values).total(window)


def mean(values: Array, window: int) -> Array:
    """Mean over the window."""
    return Windows(values).mean(window)


def highest(values: Array, window: int) -> Array:
    """Maximum over the window."""
    return Windows(values).highest(window)


def lowest(values: Array, window: int) -> Array:
    """Minimum over the window."""
    return Windows(values).lowest(window)


def variance(values: Array, window: int) -> Array:
    """Variance of the window, population; exactly 0 where it is flat."""
    return Windows(values).variance(window)


def deviation(values: Array, window: int) -> Array:
    """Sample standard deviation (ddof 1) of the window."""
    return Windows(values).deviation(window)


def z_score(values: Array, window: int) -> Array:
    """Distance from the window's mean in its population standard deviations; NaN where it is flat."""
    return Windows(values).z_score(window)


def is_flat(values: Array, window: int) -> NDArray[np.bool_]:
    """Whether maximum and minimum of the window are equal; false before the first whole window."""
    return Windows(values).is_flat(window)


def comoment(x: Array, y: Array, window: int) -> tuple[Array, Array, Array]:
    """Sum squares and products of two series about their means in the window.

    Returns
    -------
    tuple
        Sum of squares of ``x``, sum of squares of ``y``, sum of products.
    """
    _, _, xx, yy, xy = over(COMMON, x, y, window, 1.0)
    return xx, yy, xy


def correlation(x: Array, y: Array, window: int) -> Array:
    """Pearson correlation over the window; NaN where either is flat."""
    xx, yy, xy = comoment(x, y, window)
    flat = is_flat(x, window) | is_flat(y, window)
    return np.where(flat, np.nan, np.clip(xy / np.sqrt(xx * yy), -1, 1))
