"""Rounding into the column of a feature."""

import numpy as np
import pytest

from nightfold.features.column import keep, known_bits


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


def test_whether_all_are_known_is_told() -> None:
    values, column = np.ones(100), np.empty(100, dtype=np.float32)
    assert keep(values, column)
    values[37] = 1e39
    assert not keep(values, column)


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 100])
def test_a_bit_is_off_where_a_doubtful_number_is_unknown(rows: int) -> None:
    numbers = np.random.default_rng(3).choice([1.0, np.nan], size=(3, rows)).astype(np.float32)
    doubtful = np.array([(0, 0, rows), (2, rows // 3, rows // 2), (2, rows // 2, rows)])
    known = np.unpackbits(known_bits(numbers, doubtful), axis=1, count=rows, bitorder="little")
    np.testing.assert_array_equal(known[0], ~np.isnan(numbers[0]))
    assert known[1].all()
    assert known[2, : rows // 3].all()
    np.testing.assert_array_equal(known[2, rows // 3 :], ~np.isnan(numbers[2, rows // 3 :]))
