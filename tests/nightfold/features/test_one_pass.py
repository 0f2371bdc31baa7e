"""Oscillators of several windows against TA-Lib, over more rows than are worked on together."""

import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from nightfold.features import one_pass, recursive
from nightfold.features.rolling import run_lengths

Array = NDArray[np.float64]
ROWS, LATER = 10_000, 1_234


@pytest.fixture(scope="module")
def prices() -> tuple[Array, Array, Array]:
    """High, low and close, in two decimals, with ties."""
    random = np.random.default_rng(8)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.001, ROWS))), 2)
    reach = np.round(np.abs(random.normal(0, 0.1, (2, ROWS))), 2)
    return close + reach[0], close - reach[1], close


def test_relative_strength_is_talib_with_a_long_memory(prices: tuple[Array, Array, Array]) -> None:
    close = prices[2]
    ours = one_pass.relative_strength(close, run_lengths(close), 14, 600)
    np.testing.assert_allclose(ours[601:], talib.RSI(close, 14)[601:], rtol=1e-9)
    assert np.isnan(ours[:601]).all()


def test_relative_strength_is_made_of_averages_of_rises_and_falls(prices: tuple[Array, Array, Array]) -> None:
    close = prices[2]
    change = np.diff(close, prepend=np.nan)
    rise, fall = (recursive.wilder(np.maximum(side, 0), 7, 100) for side in (change, -change))
    ours = one_pass.relative_strength(close, run_lengths(close), 7, 100)
    np.testing.assert_allclose(ours, 100 * rise / (rise + fall), rtol=1e-12)


def test_the_strength_of_closes_that_stand_still_is_unknown(prices: tuple[Array, Array, Array]) -> None:
    close = prices[2].copy()
    close[5_000:5_020] = close[5_000]
    close[4_999] = close[5_020] = close[5_000] + 1
    ours = one_pass.relative_strength(close, run_lengths(close), 7, 100)
    assert np.flatnonzero(np.isnan(ours[4_990:5_030])).tolist() == list(range(17, 30))


def test_the_ultimate_oscillator_is_talib(prices: tuple[Array, Array, Array]) -> None:
    np.testing.assert_allclose(one_pass.ultimate(*prices, (7, 14, 28)), talib.ULTOSC(*prices, 7, 14, 28), rtol=1e-8)


def test_aroon_is_talib(prices: tuple[Array, Array, Array]) -> None:
    high, low, _ = prices
    np.testing.assert_allclose(one_pass.aroon(high, low, 25), talib.AROONOSC(high, low, 25), atol=1e-12)


def test_of_equal_extremes_aroon_counts_the_newest() -> None:
    high, low = np.random.default_rng(4).integers(0, 9, (2, ROWS)).astype(float)
    ours = one_pass.aroon(high, low, 30)
    for i in range(30, ROWS, 89):
        newest_first = high[i - 30 : i + 1][::-1].argmax(), low[i - 30 : i + 1][::-1].argmin()
        assert ours[i] == pytest.approx(100 / 30 * (newest_first[1] - newest_first[0]))


def test_aroon_is_unknown_where_neither_highs_nor_lows_move() -> None:
    high, low = np.arange(20.0) + 2, np.arange(20.0)
    high[5:15], low[5:15] = 9, 3
    assert np.flatnonzero(np.isnan(one_pass.aroon(high, low, 4))).tolist() == [0, 1, 2, 3, 9, 10, 11, 12, 13, 14]
    low[7] = 2
    assert np.flatnonzero(np.isnan(one_pass.aroon(high, low, 4))).tolist() == [0, 1, 2, 3, 12, 13, 14]


def test_rows_do_not_know_where_their_blocks_begin(prices: tuple[Array, Array, Array]) -> None:
    high, low, close = prices
    later_high, later_low, later = high[LATER:], low[LATER:], close[LATER:]
    sizes = 7, 14, 28
    for whole, late, warm in (
        (one_pass.ultimate(*prices, sizes), one_pass.ultimate(later_high, later_low, later, sizes), 28),
        (one_pass.aroon(high, low, 25), one_pass.aroon(later_high, later_low, 25), 25),
        (recursive.wilder(close, 14, 100), recursive.wilder(later, 14, 100), 100),
        (recursive.adaptive(close, 10, 100), recursive.adaptive(later, 10, 100), 100),
        (recursive.convergence(close, 12, 26, 9, 100)[1], recursive.convergence(later, 12, 26, 9, 100)[1], 100),
    ):
        assert np.isnan(whole[:warm]).all()
        np.testing.assert_array_equal(late[warm:], whole[LATER + warm :])


def test_fewer_rows_than_a_window_give_nothing(prices: tuple[Array, Array, Array]) -> None:
    high, low, close = (x[:9] for x in prices)
    assert np.isnan(one_pass.aroon(high, low, 25)).all()
    assert np.isnan(one_pass.ultimate(high, low, close, (7, 14, 28))).all()
    assert np.isnan(one_pass.relative_strength(close, run_lengths(close), 14, 100)).all()
    assert np.isnan(recursive.adaptive(close, 10, 100)).all()
    assert np.isnan(recursive.convergence(close, 12, 26, 9, 100)).all()
