"""Trailing windows: row ``i`` stands for the window ``i - window + 1 ... i``; rows before the first whole one are NaN.

See `doubling` for how windows are put together, and why none ever feels what has left it.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled
from nightfold.features.doubling import COMMON, HIGHEST, PEAK, SHAPE, SPREAD, TOTAL, over
from nightfold.features.segment import Array, lag


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
    def _runs(self) -> NDArray[np.int64]:
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
        return np.asarray(-over(HIGHEST, -self.values, self.values, window, 1.0)[0])

    def centre(self, window: int) -> Array:
        """Mean over the window, exactly the value itself where it is flat."""
        return np.asarray(self._over(SPREAD, window)[0])

    def bars_since_highest(self, window: int) -> Array:
        """Age in rows of the window's maximum, of the newest where there are several."""
        return np.asarray(over(PEAK, self.values, self.values, window, 1.0)[1])

    def bars_since_lowest(self, window: int) -> Array:
        """Age in rows of the window's minimum, of the newest where there are several."""
        return np.asarray(over(PEAK, -self.values, self.values, window, 1.0)[1])

    def variance(self, window: int) -> Array:
        """Variance of the window, population; exactly 0 where it is flat, and just there."""
        return np.asarray(self._over(SPREAD, window)[1] / window)

    def deviation(self, window: int) -> Array:
        """Sample standard deviation (ddof 1) of the window."""
        return np.asarray(np.sqrt(self._over(SPREAD, window)[1] / (window - 1)))

    def z_score(self, window: int) -> Array:
        """Distance from the window's mean in its population standard deviations; NaN where it is flat."""
        mean, squares = self._over(SPREAD, window)
        return np.asarray((self.values - mean) / np.sqrt(squares * (1 / window)))

    def moments(self, window: int) -> tuple[Array, Array, Array]:
        """Second, third and fourth population moment about the mean of the window."""
        _, second, third, fourth = self._over(SHAPE, window)
        return second / window, third / window, fourth / window

    def correlation(self, other: "Windows", window: int) -> Array:
        """Pearson correlation with another series; NaN where one of them is flat.

        Of products, not of distances from the means: for series whose means are not far beyond their deviations.
        """
        together = total(self.values * other.values, window) / window - self.centre(window) * other.centre(window)
        return _share(together, self.variance(window) * other.variance(window))

    def autocovariance(self, window: int, lags: int) -> Array:
        """Covariance of the window with the one ``lags`` rows before, for series as in `correlation`."""
        mean = self.centre(window)
        return total(self.values * lag(self.values, lags), window) / window - mean * lag(mean, lags)

    def autocorrelation(self, window: int, lags: int) -> Array:
        """Correlation of the window with the one ``lags`` rows before, for series as in `correlation`."""
        variance = self.variance(window)
        return _share(self.autocovariance(window, lags), variance * lag(variance, lags))

    def is_flat(self, window: int) -> NDArray[np.bool_]:
        """Whether maximum and minimum of the window are equal; false before the first whole window."""
        return self._runs >= window


def _share(covariance: Array, variances: Array) -> Array:
    """Covariance over the root of the product of the variances; NaN where one of these is 0."""
    return np.where(variances > 0, np.clip(covariance / np.sqrt(variances), -1, 1), np.nan)


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


def moments(values: Array, window: int) -> tuple[Array, Array, Array]:
    """Second, third and fourth population moment about the mean of the window."""
    return Windows(values).moments(window)


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
