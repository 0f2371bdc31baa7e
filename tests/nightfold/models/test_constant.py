"""The best forecasts without features."""

import numpy as np
import pytest

from nightfold.models.constant import weighted_quantiles, with_absent_classes


def test_weighted_quantiles_are_those_of_repeated_values() -> None:
    random = np.random.default_rng(0)
    values, times = random.normal(size=200), random.integers(1, 6, 200)
    levels = [0.01, 0.05, 0.3, 0.5, 0.77, 0.95, 0.99]
    expected = np.quantile(np.repeat(values, times), levels, method="inverted_cdf")
    np.testing.assert_array_equal(weighted_quantiles(values, times.astype(float), levels), expected)


@pytest.mark.parametrize("scale", [1e-12, 0.3, 1e12])
def test_only_ratios_of_weights_matter(scale: float) -> None:
    values = np.random.default_rng(1).normal(size=100)
    plain = weighted_quantiles(values, np.ones(100), [0.05, 0.5, 0.95])
    np.testing.assert_array_equal(weighted_quantiles(values, np.full(100, scale), [0.05, 0.5, 0.95]), plain)


def test_absent_classes_are_unlikely_and_possible() -> None:
    found = with_absent_classes(np.array([[0.25, 0.75], [0.0, 1.0]]), np.array([0, 2]), 3)
    np.testing.assert_allclose(found, [[0.25, 1e-6, 0.75], [1e-6, 1e-6, 1]], rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-15)
