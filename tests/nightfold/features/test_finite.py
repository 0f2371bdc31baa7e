"""Stops and swings against machines begun afresh for every row."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
import talib
from numpy.typing import NDArray

from nightfold.features.finite import parabolic_stop, swings

Array = NDArray[np.float64]


@dataclass
class Structure:
    """Swings of one stretch of bars, found by going through it once."""

    high: float | None = None
    low: float | None = None
    high_is_fresh: bool = False
    low_is_fresh: bool = False
    direction: int = 0
    broke: int = 0
    turned: int = 0

    def judge(self, close: float) -> None:
        self.broke = self.turned = 0
        side = 0
        if self.high_is_fresh and self.high is not None and close > self.high:
            side, self.high_is_fresh = 1, False
        elif self.low_is_fresh and self.low is not None and close < self.low:
            side, self.low_is_fresh = -1, False
        if side and self.direction:
            self.broke, self.turned = (side, 0) if side == self.direction else (0, side)
        self.direction = side or self.direction


def structure_of(bars: Array, distance: Array) -> Structure:
    """Go through rows of open, high, low, close; a leg is a list of bars whose extreme is not yet confirmed."""
    found, leg, rows = Structure(), 0, [0]
    for i in range(1, len(bars)):
        open_, high, low, close = bars[i]
        top, bottom = max(bars[k, 1] for k in rows), min(bars[k, 2] for k in rows)
        falls, rises = top - low >= distance[i], high - bottom >= distance[i]
        if leg == 1:
            turn = -1 if high <= top and falls else 0
        elif leg == -1:
            turn = 1 if low >= bottom and rises else 0
        elif falls and rises:
            turn = 1 if close >= open_ else -1
        else:
            turn = -1 if falls else 1 if rises else 0
        if turn == -1:
            found.high, found.high_is_fresh, leg, rows = top, True, -1, [i]
        elif turn == 1:
            found.low, found.low_is_fresh, leg, rows = bottom, True, 1, [i]
        else:
            rows.append(i)
        found.judge(close)
    return found


@pytest.mark.parametrize(("memory", "multiple"), [(350, 3), (60, 2), (20, 5)])
def test_swings_equal_a_walk_begun_afresh_for_each_row(lively: pl.DataFrame, memory: int, multiple: int) -> None:
    bars = lively.select("open", "high", "low", "close")[:700].to_numpy()
    open_, high, low, close = (np.ascontiguousarray(column) for column in bars.T)
    distance = multiple * np.full(700, 0.002) * close
    ours = swings(open_, high, low, close, distance, memory)
    for row in range(memory, 700, 3):
        window = slice(row - memory, row + 1)
        slow = structure_of(bars[window], distance[window])
        known = [slow.high, slow.low, *([slow.broke, slow.turned] if slow.direction else [None, None])]
        assert [None if np.isnan(values[row]) else values[row] for values in ours] == known


def test_swings_of_a_small_market_by_hand() -> None:
    close = np.array([10, 11, 13, 15, 13, 11, 10, 12, 14, 16, 15, 12, 9.0])
    high, low = close + 0.5, close - 0.5
    ours = swings(close, high, low, close, np.full(13, 3.0), 12)
    # Highs are .5 above, lows .5 under the closes. At close 13 the high is 4 over the low 9.5: swing low. At the next
    # 13 the low is 3 under the high 15.5: swing high. At 12 the high is 3 over the low 9.5: swing low. Close 16 is over
    # 15.5, the first close beyond a swing: the structure rises. At 12 the low is 5 under the high 16.5: swing high.
    # Close 9 is under 9.5, against the structure: a turn.
    assert [values[12] for values in ours] == [16.5, 9.5, 0, -1]
    assert all(np.isnan(values[:12]).all() for values in ours)


def test_a_swing_belongs_to_the_bar_that_confirms_it() -> None:
    close = np.array([10.0, 10, 10, 14, 14, 14, 13, 10, 10])
    for end, high in [(6, None), (7, 14.0)]:
        part = close[: end + 1]
        swing_high = swings(part, part, part, part, np.full(end + 1, 3.0), end)[0][end]
        assert (None if np.isnan(swing_high) else swing_high) == high


@pytest.mark.parametrize(("close", "expected"), [(13.0, (None, 10.0)), (7.0, (10.0, None))])
def test_a_first_bar_that_confirms_both_sides_goes_with_its_body(
    close: float, expected: tuple[float | None, float | None]
) -> None:
    open_, high, low = np.array([10.0, 10]), np.array([10.0, 14]), np.array([10.0, 6])
    found = swings(open_, high, low, np.array([10.0, close]), np.full(2, 3.0), 1)[:2]
    assert tuple(None if np.isnan(values[1]) else values[1] for values in found) == expected


def test_swings_after_a_calm_longer_than_the_memory() -> None:
    calm = 2_000 - np.arange(2_000) / 1_000  # a high of its own for each start, and no leg for any of them
    close = np.append(calm, [1_990.0, 2_010.0])
    bars = np.array([close, close, close, close]).T
    high, low, broke, turned = swings(close, close, close, close, np.full(2_002, 5.0), 100)
    for row in (1_999, 2_000, 2_001):
        slow = structure_of(bars[row - 100 : row + 1], np.full(101, 5.0))
        known = [slow.high, slow.low, *([slow.broke, slow.turned] if slow.direction else [None, None])]
        assert [None if np.isnan(values[row]) else values[row] for values in (high, low, broke, turned)] == known


def test_a_memory_beyond_the_room_for_lanes_is_refused() -> None:
    prices = np.ones(10)
    with pytest.raises(ValueError, match="`memory` is too long; it must be 992 bars or less"):
        parabolic_stop(prices, prices, 0.02, 0.2, 993)


def test_a_market_without_range_confirms_no_swing() -> None:
    flat = np.full(40, 5.0)
    assert all(np.isnan(values).all() for values in swings(flat, flat, flat, flat, np.zeros(40), 10))


@pytest.mark.parametrize("memory", [2, 40, 350])
def test_parabolic_stop_is_talib_started_afresh_for_each_row(lively: pl.DataFrame, memory: int) -> None:
    high, low = (lively[name].to_numpy(writable=True) for name in ("high", "low"))
    ours = parabolic_stop(high, low, 0.02, 0.2, memory)
    assert np.isnan(ours[:memory]).all()
    for row in range(memory, 2_000, 7):
        window = slice(row - memory, row + 1)
        assert ours[row] == pytest.approx(talib.SAR(high[window], low[window], 0.02, 0.2)[-1], rel=1e-12)
