"""Moments from plain sums against each window by itself, where they are exact and where too much cancels."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nightfold.features.about_zero import AboutZero

Array = NDArray[np.float64]


@pytest.fixture
def returns() -> Array:
    """More than are worked on together: calm ones, one a million times the others, and a rise that hardly wavers."""
    random = np.random.default_rng(4)
    steps = random.standard_t(4, 9_000) * 1e-3
    steps[310] *= 1e6
    steps[5_000:6_000] = 0.01 + random.standard_t(4, 1_000) * 1e-8
    return steps


@pytest.mark.parametrize("window", [4, 20, 288])
def test_skewness_and_kurtosis_equal_those_of_each_window(returns: Array, window: int) -> None:
    series = AboutZero(returns)
    skewness, kurtosis = series.skewness(window), series.kurtosis(window)
    assert np.isnan(skewness[: window - 1]).all()
    for i in [*range(window - 1, 9_000, 53), *range(290, 330), *range(5_000, 6_300, 7)]:
        seen = returns[i - window + 1 : i + 1]
        assert skewness[i] == pytest.approx(stats.skew(seen), rel=1e-6, abs=1e-6)
        assert kurtosis[i] == pytest.approx(stats.kurtosis(seen), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("step", [0.0, 0.1, -0.003])
def test_windows_of_equal_values_have_no_shape(step: float) -> None:
    values = np.random.default_rng(2).normal(0, 0.1, 9_000)
    values[4_000:4_100] = step
    series = AboutZero(values)
    with np.errstate(invalid="ignore"):
        for moment in (series.skewness(60), series.kurtosis(60), series.z_score(60)):
            flat = ~np.isfinite(moment)
            assert np.flatnonzero(flat[59:]).tolist() == list(range(4_000, 4_041))


def test_a_spike_leaves_with_its_window(returns: Array) -> None:
    calm = returns.copy()
    calm[310] = 0
    for name in ("variance", "skewness", "kurtosis", "z_score"):
        spiked, clean = (getattr(AboutZero(values), name)(20) for values in (returns, calm))
        np.testing.assert_array_equal(spiked[330:], clean[330:])


def test_an_unknown_value_spoils_just_the_windows_it_lies_in() -> None:
    values = np.arange(50.0) % 7
    values[23] = np.nan
    spoiled = np.zeros(50, dtype=bool)
    spoiled[:4] = spoiled[23:28] = True
    for name in ("variance", "skewness", "kurtosis", "z_score"):
        np.testing.assert_array_equal(np.isnan(getattr(AboutZero(values), name)(5)), spoiled)


@pytest.mark.parametrize("step", [0.0, 0.1, -0.003])
def test_variance_of_equal_returns_is_exactly_zero(step: float) -> None:
    assert set(AboutZero(np.full(9_000, step)).variance(60)[59:]) == {0.0}


def test_correlations_of_series_about_zero_equal_those_of_each_window() -> None:
    random = np.random.default_rng(8)
    x, y = random.standard_t(3, 9_000), random.standard_t(3, 9_000)
    x[4_000:4_100] = 0
    ours, other = AboutZero(x), AboutZero(y)
    with np.errstate(invalid="ignore"):
        correlation, own = ours.correlation(other, 60), ours.autocorrelation(60, 2)
    covariance = ours.autocovariance(60, 2)
    for i in [*range(61, 9_000, 97), 4_050, 4_070]:
        a, b, before = x[i - 59 : i + 1], y[i - 59 : i + 1], x[i - 61 : i - 1]
        assert covariance[i] == pytest.approx(np.mean((a - a.mean()) * (before - before.mean())), abs=1e-12)
        for result, one, two in ((correlation[i], a, b), (own[i], a, before)):
            if one.std() and two.std():
                assert result == pytest.approx(np.corrcoef(one, two)[0, 1], abs=1e-12)
            else:
                assert np.isnan(result)
