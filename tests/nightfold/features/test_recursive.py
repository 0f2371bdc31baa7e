"""Averages with a finite memory against TA-Lib started where the memory starts."""

import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from nightfold.features import recursive

Array = NDArray[np.float64]


@pytest.fixture
def prices() -> Array:
    steps = np.random.default_rng(5).normal(0, 0.01, 700)
    return 100 * np.exp(np.cumsum(steps))


def from_the_start_of_memory(function: object, prices: Array, memory: int) -> Array:
    """Last value of TA-Lib on each stretch of memory + 1 prices."""
    result = np.full(len(prices), np.nan)
    for i in range(memory, len(prices)):
        result[i] = function(prices[i - memory : i + 1])[-1]  # type: ignore[operator]
    return result


@pytest.mark.parametrize(("window", "memory"), [(2, 2), (12, 30), (12, 100), (26, 240)])
def test_exponential_average_is_talib_started_afresh_for_each_row(prices: Array, window: int, memory: int) -> None:
    twin = from_the_start_of_memory(lambda x: talib.EMA(x, window), prices, memory)
    np.testing.assert_allclose(recursive.exponential(prices, window, memory), twin, rtol=1e-12)


def test_wilder_average_is_talib_started_afresh_for_each_row(prices: Array) -> None:
    twin = from_the_start_of_memory(lambda x: talib.RMA(x, 14), prices, 60)
    np.testing.assert_allclose(recursive.wilder(prices, 14, 60), twin, rtol=1e-12)


def test_adaptive_average_is_talib_started_afresh_for_each_row(prices: Array) -> None:
    twin = from_the_start_of_memory(lambda x: talib.KAMA(x, 10), prices, 60)
    np.testing.assert_allclose(recursive.adaptive(prices, 10, 60), twin, rtol=1e-12)


def test_convergence_forgets_what_lies_before_its_memory(prices: Array) -> None:
    whole = recursive.convergence(prices, 12, 26, 9, 60)
    for i in (60, 61, 200, 699):
        alone = recursive.convergence(prices[i - 60 : i + 1], 12, 26, 9, 60)
        for one, other in zip(whole, alone, strict=True):
            assert one[i] == pytest.approx(other[-1], abs=1e-11)


def test_convergence_is_talib_to_rounding_with_a_long_memory(prices: Array) -> None:
    line, _, histogram = talib.MACD(prices, 12, 26, 9)
    ours = recursive.convergence(prices, 12, 26, 9, 600)
    np.testing.assert_allclose(ours[0][600:], line[600:], atol=1e-11)
    np.testing.assert_allclose(ours[1][600:], histogram[600:], atol=1e-11)


def test_a_million_fold_spike_is_gone_when_the_memory_is_over(prices: Array) -> None:
    spiked = prices.copy()
    spiked[300] *= 1e6
    for average in (
        recursive.exponential(spiked, 12, 100) / recursive.exponential(prices, 12, 100),
        recursive.wilder(spiked, 14, 100) / recursive.wilder(prices, 14, 100),
        recursive.adaptive(spiked, 10, 100) / recursive.adaptive(prices, 10, 100),
    ):
        np.testing.assert_allclose(average[401:], 1, rtol=1e-9)


def test_a_memory_of_zeros_gives_exactly_zero(prices: Array) -> None:
    silent = prices.copy()
    silent[300:] = 0
    average = recursive.wilder(silent, 14, 50)
    assert average[349] > 0
    assert set(average[350:]) == {0.0}


def test_an_unknown_value_spoils_just_the_memories_it_lies_in(prices: Array) -> None:
    holed = prices.copy()
    holed[[0, 300]] = np.nan
    unknown = np.isnan(recursive.exponential(holed, 12, 50))
    assert np.flatnonzero(unknown).tolist() == [*range(51), *range(300, 351)]
