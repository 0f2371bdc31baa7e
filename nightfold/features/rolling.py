"""Trailing windows: row ``i`` stands for the window ``i - window + 1 ... i``; rows before the first whole one are NaN.

See `doubling` for how windows are put together, and why none ever feels what has left it.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nightfold.features.compiled import compiled
from nightfold.features.doubling import COMMON, HIGHEST, PEAK, SPREAD, TOTAL, over
from nightfold.features.segment import Array, lag

_STEADY = 1e-8
"""Share of the variance in the mean square under which too much cancels."""


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
    def _negative(self) -> "Windows":
        return Windows(-self.values)

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
        return -self._negative.highest(window)

    def centre(self, window: int) -> Array:
        """Mean over the window, exactly the value itself where it is flat."""
        return np.asarray(self._over(SPREAD, window)[0])

    def bars_since_highest(self, window: int) -> Array:
        """Age in rows of the window's maximum, of the newest where there are several."""
        return np.asarray(over(PEAK, self.values, self.values, window, 1.0)[1])

    def bars_since_lowest(self, window: int) -> Array:
        """Age in rows of the window's minimum, of the newest where there are several."""
        return self._negative.bars_since_highest(window)

    def variance(self, window: int) -> Array:
        """Variance of the window, population; exactly 0 where it is flat, and just there."""
        return np.asarray(self._over(SPREAD, window)[1] * (1 / window))

    def deviation(self, window: int) -> Array:
        """Sample standard deviation (ddof 1) of the window."""
        return _root(self.variance(window), window / (window - 1))

    def z_score(self, window: int) -> Array:
        """Distance from the window's mean in its population standard deviations; NaN where it is flat."""
        mean, squares = self._over(SPREAD, window)
        return np.asarray((self.values - mean) / _root(squares, 1 / window))

    def is_flat(self, window: int) -> NDArray[np.bool_]:
        """Whether maximum and minimum of the window are equal; false before the first whole window."""
        return self._runs >= window


class AboutZero(Windows):
    """Windows over a series whose means are not far beyond its deviations, such as returns: moments from plain sums.

    Sums take a third of the time that means and squares about them do.
    """

    def __init__(self, values: Array, squares: Windows | None = None) -> None:
        super().__init__(values)
        self._squares = squares or Windows(values * values)
        self._variances: dict[int, Array] = {}

    @cached_property
    def _cubes(self) -> Windows:
        return Windows(self._squares.values * self.values)

    @cached_property
    def _fourths(self) -> Windows:
        return Windows(self._squares.values * self._squares.values)

    def variance(self, window: int) -> Array:
        """Variance of the window, population; exactly 0 where it is flat."""
        if window not in self._variances:
            variance, steady = _variance(self.total(window), self._squares.total(window), 1 / window)
            if steady:
                variance = np.where(np.isnan(variance), super().variance(window), variance)
            self._variances[window] = variance
        return self._variances[window]

    def moments(self, window: int) -> tuple[Array, Array, Array]:
        """Second, third and fourth population moment about the mean of the window."""
        mean, second = self.mean(window), self.variance(window)
        third = self._cubes.mean(window) - mean * (3 * second + mean * mean)
        return second, third, self._fourths.mean(window) - mean * (4 * third + mean * (6 * second + mean * mean))

    def correlation(self, other: Windows, window: int) -> Array:
        """Pearson correlation with another such series; NaN where one of them is flat."""
        together = total(self.values * other.values, window) * (1 / window) - self.mean(window) * other.mean(window)
        return _share(together, self.variance(window) * other.variance(window))

    def autocovariance(self, window: int, lags: int) -> Array:
        """Covariance of the window with the one ``lags`` rows before."""
        mean = self.mean(window)
        return total(self.values * lag(self.values, lags), window) * (1 / window) - mean * lag(mean, lags)

    def autocorrelation(self, window: int, lags: int) -> Array:
        """Correlation of the window with the one ``lags`` rows before."""
        variance = self.variance(window)
        return _share(self.autocovariance(window, lags), variance * lag(variance, lags))


@compiled
def _root(values: Array, share: float) -> Array:
    """Root of a share of the values; faster than NumPy's, which takes two at a time."""
    root = np.empty(len(values))
    for i in range(len(values)):
        root[i] = np.sqrt(values[i] * share)
    return root


@compiled
def _variance(totals: Array, squares: Array, share: float) -> tuple[Array, bool]:
    """Mean square less squared mean; NaN where rounding would be felt, and whether it would be anywhere."""
    variance, steady = np.empty(len(totals)), False
    for i in range(len(totals)):
        mean, square = totals[i] * share, squares[i] * share
        spread = square - mean * mean
        is_steady = spread < _STEADY * square
        variance[i] = np.nan if is_steady else spread
        steady |= is_steady
    return variance, steady


@compiled
def _share(covariance: Array, variances: Array) -> Array:
    """Covariance over the root of the product of the variances; NaN where one of these is 0."""
    share = np.empty(len(covariance))
    for i in range(len(covariance)):
        part = covariance[i] / np.sqrt(variances[i])
        part = 1.0 if part > 1 else -1.0 if part < -1 else part  # a NaN stays one
        share[i] = part if variances[i] > 0 else np.nan
    return share


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
    """Second, third and fourth population moment about the mean of the window, for series as in `AboutZero`."""
    return AboutZero(values).moments(window)


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
