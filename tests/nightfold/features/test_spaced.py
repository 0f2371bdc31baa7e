"""Variance of differences over several rows against NumPy, over more rows than are worked on together."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from nightfold.features.spaced import spaced_variance

ROWS = 10_000


def plainly(values: np.ndarray, spacing: int, window: int) -> np.ndarray:
    result = np.full(len(values), np.nan)
    changes = values[spacing:] - values[:-spacing]
    result[window:] = sliding_window_view(changes, window - spacing + 1).var(1)
    return result


@pytest.mark.parametrize("spacing", [1, 2, 8, 32])
@pytest.mark.parametrize("window", [33, 40, 288, 5_000])
def test_each_window_is_as_numpy_sees_it(spacing: int, window: int) -> None:
    values = np.cumsum(np.random.default_rng(4).normal(0, 0.01, ROWS))
    ours = spaced_variance(values, spacing, window)
    np.testing.assert_allclose(ours, plainly(values, spacing, window), rtol=1e-9, atol=1e-12)


def test_a_window_whose_differences_hardly_differ_is_looked_at_closely() -> None:
    values = np.arange(ROWS) * 0.01 + np.random.default_rng(5).normal(0, 1e-8, ROWS)
    np.testing.assert_allclose(spaced_variance(values, 4, 60), plainly(values, 4, 60), rtol=1e-6)


def test_a_flat_window_has_no_variance() -> None:
    values = np.cumsum(np.random.default_rng(6).normal(0, 0.01, ROWS))
    values[4_000:4_300] = values[4_000]
    np.testing.assert_array_equal(spaced_variance(values, 4, 60)[4_060:4_300], 0)


def test_a_row_does_not_know_where_its_block_begins() -> None:
    values = np.cumsum(np.random.default_rng(7).normal(0, 0.01, ROWS))
    whole, late = spaced_variance(values, 4, 60), spaced_variance(values[1_234:], 4, 60)
    np.testing.assert_array_equal(late[60:], whole[1_294:])


def test_fewer_rows_than_a_window_have_no_variance() -> None:
    assert np.isnan(spaced_variance(np.ones(20), 4, 60)).all()
