"""Moments of windows over a series whose means are not far beyond its deviations, such as returns and volumes.

They come from plain sums of powers, which take a third of the time that squares about means do. Where the deviation is
under a hundredth of the mean, and so where a window is flat, the slower way decides.
"""

from functools import cached_property

import numpy as np

from nightfold.features.compiled import compiled
from nightfold.features.rolling import Windows, total
from nightfold.features.segment import Array

STEADY = 1e-4
"""Share of the variance in the mean square under which too much cancels."""


class AboutZero(Windows):
    """Windows over such a series."""

    def __init__(self, values: Array, squares: Windows | None = None) -> None:
        super().__init__(values)
        self._squares = squares or Windows(values * values)
        self._variances: dict[int, tuple[Array, bool]] = {}
        self._products: dict[int, Windows] = {}
        self._covariances: dict[tuple[int, int], Array] = {}

    @cached_property
    def _cubes(self) -> Windows:
        return Windows(self._squares.values * self.values)

    @cached_property
    def _fourths(self) -> Windows:
        return Windows(self._squares.values * self._squares.values)

    def products(self, lags: int) -> Windows:
        """Windows over the products with the values ``lags`` rows before."""
        if lags not in self._products:
            self._products[lags] = Windows(_with_earlier(self.values, lags))
        return self._products[lags]

    def centre(self, window: int) -> Array:
        """Mean over the window."""
        return self.mean(window)

    def variance(self, window: int) -> Array:
        """Variance of the window, population; exactly 0 where it is flat."""
        return self._variance(window)[0]

    def _variance(self, window: int) -> tuple[Array, bool]:
        """Variance, and whether there are windows in which too much cancels."""
        if window not in self._variances:
            variance, steady = _variance(self.total(window), self._squares.total(window), 1 / window)
            if steady:
                variance = np.where(np.isnan(variance), super().variance(window), variance)
            self._variances[window] = variance, steady
        return self._variances[window]

    def skewness(self, window: int) -> Array:
        """Third moment of the window in units of its deviation, population; NaN where it is flat."""
        variance, steady = self._variance(window)
        result = _skewness(self.total(window), variance, self._cubes.total(window), 1 / window)
        if steady:
            _look_closer(self.values, self.total(window), variance, window, 3, 0.0, result)
        return result

    def kurtosis(self, window: int) -> Array:
        """Fourth moment of the window in units of its deviation less 3, population; NaN where it is flat."""
        variance, steady = self._variance(window)
        cubes, fourths = self._cubes.total(window), self._fourths.total(window)
        result = _kurtosis(self.total(window), variance, cubes, fourths, 1 / window)
        if steady:
            _look_closer(self.values, self.total(window), variance, window, 4, 3.0, result)
        return result

    def correlation(self, other: Windows, window: int) -> Array:
        """Pearson correlation with another such series; NaN where one of them is flat."""
        products = total(self.values * other.values, window)
        together = _covariance(products, self.total(window), other.total(window), 0, 1 / window)
        return _share(together, self.variance(window), other.variance(window), 0)

    def autocovariance(self, window: int, lags: int) -> Array:
        """Covariance of the window with the one ``lags`` rows before."""
        key = window, lags
        if key not in self._covariances:
            sums, products = self.total(window), self.products(lags).total(window)
            self._covariances[key] = _covariance(products, sums, sums, lags, 1 / window)
        return self._covariances[key]

    def autocorrelation(self, window: int, lags: int) -> Array:
        """Correlation of the window with the one ``lags`` rows before."""
        variance = self.variance(window)
        return _share(self.autocovariance(window, lags), variance, variance, lags)


@compiled
def _variance(totals: Array, squares: Array, share: float) -> tuple[Array, bool]:
    """Mean square less squared mean; NaN where rounding would be felt, and whether it would be anywhere."""
    variance, steady = np.empty(len(totals)), False
    for i in range(len(totals)):
        mean, square = totals[i] * share, squares[i] * share
        spread = square - mean * mean
        is_steady = spread < STEADY * square
        variance[i] = np.nan if is_steady else spread
        steady |= is_steady
    return variance, steady


@compiled
def _skewness(totals: Array, variances: Array, cubes: Array, share: float) -> Array:
    """Skewness from sums of powers and the variance."""
    result = np.empty(len(totals))
    for i in range(len(totals)):
        mean, second = totals[i] * share, variances[i]
        third = cubes[i] * share - mean * (3 * second + mean * mean)
        result[i] = third / (second * np.sqrt(second))
    return result


@compiled
def _kurtosis(totals: Array, variances: Array, cubes: Array, fourths: Array, share: float) -> Array:
    """Excess kurtosis from sums of powers and the variance."""
    result = np.empty(len(totals))
    for i in range(len(totals)):
        mean, second = totals[i] * share, variances[i]
        third = cubes[i] * share - mean * (3 * second + mean * mean)
        fourth = fourths[i] * share - mean * (4 * third + mean * (6 * second + mean * mean))
        result[i] = fourth / (second * second) - 3
    return result


@compiled
def _look_closer(
    values: Array, totals: Array, variances: Array, window: int, power: int, less: float, result: Array
) -> None:
    """Correct a standardized moment in windows in which too much cancels, from distances from their means."""
    for i in range(window - 1, len(values)):
        mean = totals[i] / window
        if variances[i] == 0:
            result[i] = np.nan
        elif variances[i] < STEADY * (variances[i] + mean * mean):
            moment = 0.0
            for value in values[i - window + 1 : i + 1]:
                moment += (value - mean) ** power
            result[i] = moment / window / variances[i] ** (power / 2) - less


@compiled
def _with_earlier(values: Array, lags: int) -> Array:
    """Multiply each value with the one ``lags`` rows before."""
    result = np.full(len(values), np.nan)
    late, out = values[lags:], result[lags:]
    for i in range(len(late)):
        out[i] = late[i] * values[i]
    return result


@compiled
def _covariance(products: Array, x: Array, y: Array, lags: int, share: float) -> Array:
    """Mean product less the product of the means, from sums; those of ``y`` are taken ``lags`` rows before."""
    result = np.full(len(products), np.nan)
    products, x, out = products[lags:], x[lags:], result[lags:]
    for i in range(len(out)):
        out[i] = products[i] * share - (x[i] * share) * (y[i] * share)
    return result


@compiled
def _share(covariance: Array, one: Array, other: Array, lags: int) -> Array:
    """Covariance over the root of the product of two variances, the other ``lags`` rows before; NaN where one is 0."""
    result = np.full(len(covariance), np.nan)
    covariance, one, out = covariance[lags:], one[lags:], result[lags:]
    for i in range(len(out)):
        variances = one[i] * other[i]
        part = covariance[i] / np.sqrt(variances)
        part = 1.0 if part > 1 else -1.0 if part < -1 else part  # a NaN stays one
        out[i] = part if variances > 0 else np.nan
    return result
