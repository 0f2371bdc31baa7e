"""Rounding into the column of a feature."""

import numpy as np
import pytest

from nightfold.features.column import keep


def kept(values: np.ndarray) -> np.ndarray:
    column = np.full(len(values), 7, dtype=np.float32)
    keep(values, column)
    return column


def test_values_are_rounded_to_the_nearest_float32() -> None:
    values = np.random.default_rng(1).normal(size=10_007) * 10.0 ** np.random.default_rng(2).integers(-40, 38, 10_007)
    np.testing.assert_array_equal(kept(values), values.astype(np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39, -1e39, 3.4028236e38])
@pytest.mark.parametrize("row", [0, 15, 16, 5_000, 9_999])
def test_what_float32_cannot_hold_becomes_nan_in_its_own_row(value: float, row: int) -> None:
    values = np.linspace(-1, 1, 10_000)
    values[row] = value
    assert np.flatnonzero(np.isnan(kept(values))).tolist() == [row]


def test_the_largest_float32_and_what_vanishes_in_it_stay() -> None:
    largest = float(np.finfo(np.float32).max)
    np.testing.assert_array_equal(kept(np.array([largest, -largest, 1e-50, -0.0])), [largest, -largest, 0, 0])
