"""Windows against a loop that looks at each of them by itself."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from nightfold.features import rolling
from nightfold.features.about_zero import AboutZero

Array = NDArray[np.float64]


def each_window(values: Array, window: int, function: Callable[[Array], float]) -> Array:
    result = np.full(len(values), np.nan)
    for i in range(window - 1, len(values)):
        result[i] = function(values[i - window + 1 : i + 1])
    return result


@pytest.fixture(params=[1, 2, 7, 20, 99, 100])
def window(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def values() -> Array:
    """Small steps far from zero, with repeats, and one value a million times the others."""
    random = np.random.default_rng(3)
    walk = 30_000 + np.round(random.normal(0, 2, 100).cumsum(), 1)
    walk[31] *= 1e6
    return walk


@pytest.mark.parametrize(
    ("ours", "slow"),
    [
        (rolling.total, np.sum),
        (rolling.mean, np.mean),
        (rolling.highest, np.max),
        (rolling.lowest, np.min),
        (rolling.variance, np.var),
        (lambda x, n: AboutZero(x).variance(n), np.var),
    ],
    ids=["total", "mean", "highest", "lowest", "variance", "variance of a series said to be about zero"],
)
def test_every_window_equals_a_slow_look_at_it_also_beside_a_million_fold_spike(
    values: Array, window: int, ours: Callable[[Array, int], Array], slow: Callable[[Array], float]
) -> None:
    for series in (values, values[:60], values[40:]):
        result, twin = ours(series, window), each_window(series, window, slow)
        scale = each_window(series, window, lambda x: np.abs(slow(x - x.mean())) + np.var(x) ** 1.5)
        np.testing.assert_array_equal(np.isnan(result), np.isnan(twin))
        known = ~np.isnan(twin)
        assert (np.abs(result - twin)[known] <= 1e-9 * np.abs(twin[known]) + 1e-7 * scale[known]).all()


def test_a_spike_leaves_with_its_window(values: Array) -> None:
    calm = values.copy()
    calm[31] = 30_000
    for function in (rolling.total, rolling.variance):
        np.testing.assert_allclose(function(values, 20)[51:], function(calm, 20)[51:], rtol=1e-9)


def test_an_unknown_value_spoils_just_the_windows_it_lies_in() -> None:
    values = np.arange(50.0) % 7
    values[23] = np.nan
    spoiled = np.zeros(50, dtype=bool)
    spoiled[:4] = True
    spoiled[23:28] = True
    for function in (rolling.total, rolling.highest, rolling.lowest, rolling.variance, rolling.deviation):
        np.testing.assert_array_equal(np.isnan(function(values, 5)), spoiled)
    for part in rolling.comoment(values, values, 5):
        np.testing.assert_array_equal(np.isnan(part), spoiled)


def test_comoments_equal_the_covariance_of_each_window(values: Array, window: int) -> None:
    other = np.sin(np.arange(100.0)) + 5
    xx, yy, xy = rolling.comoment(values, other, window)
    for i in range(window - 1, 100):
        x, y = values[i - window + 1 : i + 1], other[i - window + 1 : i + 1]
        assert xx[i] == pytest.approx(np.sum((x - x.mean()) ** 2), rel=1e-9, abs=1e-9)
        assert yy[i] == pytest.approx(np.sum((y - y.mean()) ** 2), rel=1e-9, abs=1e-9)
        assert xy[i] == pytest.approx(np.sum((x - x.mean()) * (y - y.mean())), rel=1e-9, abs=1e-9 * np.sqrt(xx[i]))


def test_flat_means_that_highest_and_lowest_are_equal(values: Array) -> None:
    steps = np.repeat(values[:12], [1, 5, 3, 1, 1, 9, 2, 2, 8, 1, 1, 4])
    for window in (1, 2, 5, 9):
        flat = each_window(steps, window, np.max) == each_window(steps, window, np.min)
        np.testing.assert_array_equal(rolling.is_flat(steps, window), flat)


def test_variance_of_equal_values_is_exactly_zero() -> None:
    assert set(rolling.variance(np.full(30, 0.1), 7)[6:]) == {0.0}


def test_correlation_with_a_flat_series_is_unknown() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(rolling.correlation(np.arange(9.0), np.ones(9), 4)).all()
