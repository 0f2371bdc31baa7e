"""Joined windows against NumPy looking at each of them, over more rows than are worked on together."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nightfold.features.doubling import CHAIN, COMMON, HIGHEST, LOWEST, PEAK, SPREAD, TOTAL, over

Array = NDArray[np.float64]
ROWS = 10_000
SPIKE, UNKNOWN = 5_000, 7_777


@pytest.fixture(params=[1, 2, 3, 4, 5, 7, 16, 20, 59, 63, 64, 100, 287, 288, 4_097])
def window(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def x() -> Array:
    """Steps with repeats, in two decimals."""
    return np.round(np.random.default_rng(1).normal(0.1, 1, ROWS), 2)


@pytest.fixture(scope="module")
def y() -> Array:
    return np.round(np.random.default_rng(2).normal(-0.2, 2, ROWS), 2)


def total(x: Array, y: Array) -> list[Array]:
    return [x.sum(1)]


def highest(x: Array, y: Array) -> list[Array]:
    return [x.max(1)]


def lowest(x: Array, y: Array) -> list[Array]:
    return [x.min(1)]


def peak(x: Array, y: Array) -> list[Array]:
    return [x.max(1), x[:, ::-1].argmax(1).astype(float)]


def spread(x: Array, y: Array) -> list[Array]:
    return [x.mean(1), x.var(1) * x.shape[1]]


def common(x: Array, y: Array) -> list[Array]:
    d, e = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    return [x.mean(1), y.mean(1), (d * d).sum(1), (e * e).sum(1), (d * e).sum(1)]


TWINS = {TOTAL: total, HIGHEST: highest, LOWEST: lowest, PEAK: peak, SPREAD: spread, COMMON: common}


@pytest.mark.parametrize("kind", TWINS)
def test_every_window_equals_a_look_at_it(kind: int, window: int, x: Array, y: Array) -> None:
    ours = over(kind, x, y, window, 1.0)
    twin = TWINS[kind](sliding_window_view(x, window), sliding_window_view(y, window))
    assert np.isnan(ours[:, : window - 1]).all()
    for line, expected in zip(ours[:, window - 1 :], twin, strict=True):
        np.testing.assert_allclose(line, expected, rtol=1e-11, atol=1e-11 * window)


def test_values_fade_with_their_age(window: int, x: Array, y: Array) -> None:
    weights = 0.97 ** np.arange(window)[::-1]
    ours = over(TOTAL, x, y, window, 0.97)[0]
    np.testing.assert_allclose(ours[window - 1 :], sliding_window_view(x, window) @ weights, rtol=1e-11, atol=1e-11)


def test_a_chain_is_each_row_multiplying_and_adding_in_turn(window: int, x: Array, y: Array) -> None:
    factors = 1 - 0.3 * np.abs(np.sin(x))
    factor, addend = np.ones(ROWS - window + 1), np.zeros(ROWS - window + 1)
    for age in range(window - 1, -1, -1):
        row = slice(window - 1 - age, ROWS - age)
        factor, addend = factor * factors[row], addend * factors[row] + y[row]
    ours = over(CHAIN, factors, y, window, 1.0)
    np.testing.assert_allclose(ours[0, window - 1 :], factor, rtol=1e-11, atol=1e-290)
    np.testing.assert_allclose(ours[1, window - 1 :], addend, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", [TOTAL, HIGHEST, LOWEST, PEAK, SPREAD, COMMON, CHAIN])
def test_what_has_left_a_window_is_gone_to_the_last_bit(kind: int, window: int, x: Array, y: Array) -> None:
    spiked = x.copy()
    spiked[SPIKE] = -1e300 if kind == LOWEST else 1e300
    touched = np.flatnonzero(
        (over(kind, spiked, y, window, 0.9) != over(kind, x, y, window, 0.9))[:, window - 1 :].any(0)
    )
    assert touched.size
    assert touched.min() + window - 1 >= SPIKE
    assert touched.max() + window - 1 < SPIKE + window


@pytest.mark.parametrize("kind", [TOTAL, HIGHEST, LOWEST, SPREAD, COMMON, CHAIN])
def test_an_unknown_value_spoils_just_the_windows_it_lies_in(kind: int, window: int, x: Array, y: Array) -> None:
    holed = x.copy()
    holed[UNKNOWN] = np.nan
    spoiled = np.isnan(over(kind, holed, y, window, 0.9)).any(0)
    expected = [*range(window - 1), *range(max(UNKNOWN, window - 1), min(UNKNOWN + window, ROWS))]
    assert np.flatnonzero(spoiled).tolist() == expected


@pytest.mark.parametrize("kind", [TOTAL, HIGHEST, LOWEST, PEAK, SPREAD, COMMON, CHAIN])
@pytest.mark.parametrize("begin", [1, 777, 4_095, 9_000])
def test_a_row_is_the_same_to_the_last_bit_wherever_its_array_begins(
    kind: int, begin: int, window: int, x: Array, y: Array
) -> None:
    part = over(kind, x[begin:], y[begin:], window, 0.9)
    np.testing.assert_array_equal(part[:, window - 1 :], over(kind, x, y, window, 0.9)[:, begin + window - 1 :])


@pytest.mark.parametrize("kind", [TOTAL, HIGHEST, LOWEST, PEAK, SPREAD, COMMON, CHAIN])
@pytest.mark.parametrize("rows", [0, 1, 6])
def test_too_few_rows_give_nothing(kind: int, rows: int) -> None:
    assert np.isnan(over(kind, np.ones(rows), np.ones(rows), 7, 1.0)).all()


def test_flat_windows_have_exactly_no_spread(window: int) -> None:
    mean, squares = over(SPREAD, np.full(ROWS, 0.1), np.zeros(ROWS), window, 1.0)[:, window - 1 :]
    assert set(mean) == {0.1}
    assert set(squares) == {0.0}


def test_kernels_leave_their_input_alone(x: Array, y: Array) -> None:
    before: tuple[Callable[[], Array], ...] = (x.copy, y.copy)
    copies = [copy() for copy in before]
    for kind in (TOTAL, HIGHEST, LOWEST, PEAK, SPREAD, COMMON, CHAIN):
        over(kind, x, y, 60, 0.9)
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(y, copies[1])
