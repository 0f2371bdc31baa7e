"""Formulas in one pass against NumPy, one operation after the other."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from nightfold.features import formula
from nightfold.features.segment import difference, growth, lag

Array = NDArray[np.float64]


@pytest.fixture
def series() -> Array:
    """Four series of whole numbers, with ties and zeros; more rows than any batch."""
    return np.random.default_rng(6).integers(0, 5, (4, 5_000)).astype(np.float64)


@pytest.mark.parametrize(
    ("ours", "numpy"),
    [
        (lambda a, b, c, _: formula.place(a, b, c, 2.0), lambda a, b, c, _: 2 * (a - b) / (c - b)),
        (lambda a, b, c, _: formula.distance(a, b, c, 2.0), lambda a, b, c, _: 2 * (a - b) / c),
        (lambda a, b, *_: formula.ratio(a, b, 2.0), lambda a, b, *_: 2 * a / b),
        (lambda a, b, *_: formula.percent(a, b), lambda a, b, *_: 100 * a / (a + b)),
        (lambda a, b, *_: formula.imbalance(a, b), lambda a, b, *_: 100 * np.abs(a - b) / (a + b)),
        (lambda a, b, *_: formula.excess(a, b, 2.0), lambda a, b, *_: np.maximum(1 - 2 * b / a, 0)),
        (lambda a, b, c, d: formula.growth_of_ratio(a, b, c, d), lambda a, b, c, d: a / b / (c / d)),
        (
            lambda a, b, c, d: formula.powers(a, 2**b, c, 2**d, d, 2**a),
            lambda a, b, c, d: (a / 2**b) ** 5 * (c / 2**d) ** 3 * (d / 2**a),
        ),
        (lambda a, b, *_: formula.is_above(a - b), lambda a, b, *_: (a > b).astype(float)),
        (lambda a, b, *_: formula.is_zero(a - b), lambda a, b, *_: (a == b).astype(float)),
        (lambda a, b, c, _: formula.signed(a, b - c), lambda a, b, c, _: a * np.sign(b - c)),
        (
            lambda a, b, c, _: formula.true_range(a, b, lag(c, 1)),
            lambda a, b, c, _: np.maximum(a, lag(c, 1)) - np.minimum(b, lag(c, 1)),
        ),
        (lambda a, *_: difference(a, 3), lambda a, *_: a - lag(a, 3)),
        (lambda a, *_: growth(a, 3), lambda a, *_: a / lag(a, 3)),
    ],
)
def test_a_formula_equals_numpy_also_where_it_divides_by_zero(
    series: Array, ours: Callable[..., Array], numpy: Callable[..., Array]
) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(ours(*series), numpy(*series))


def test_directions_count_just_the_larger_move() -> None:
    plus, minus = formula.directional_movement(np.array([5.0, 7, 7, 8]), np.array([3.0, 2, 1, 0]))
    np.testing.assert_array_equal(plus, [np.nan, 2, 0, 0])
    np.testing.assert_array_equal(minus, [np.nan, 0, 1, 0])
