"""Completeness by day, and clocks that differ."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.bars.clean import clean_bars
from nightfold.bars.quality import agreement_by_lag, completeness, time_shift
from nightfold.errors import BarsError
from nightfold.universe import Cleaning, Venues

Maker = Callable[..., pl.DataFrame]


def test_completeness_counts_each_day_of_the_range(flat: Maker, at: Callable[[int], datetime]) -> None:
    # Day 1: bars 10 and 11 missing (filled), 20 to 29 missing, bar 5 idle. Day 2: three bars. Day 3: none.
    volumes = [0.0 if position == 5 else 1.0 for position in range(291)]
    present = [p for p in range(291) if p not in (10, 11) and not 20 <= p <= 29]
    bars = clean_bars(flat([1.0] * 291, volume=volumes)[present], "5m", at(0), at(864), Cleaning(), Venues())
    assert completeness(bars, "5m", at(0), at(864)).rows() == [
        ("BTCUSDT", date(2024, 3, 1), 288, 278, 2, 3, 10),
        ("BTCUSDT", date(2024, 3, 2), 288, 3, 0, 0, 285),
        ("BTCUSDT", date(2024, 3, 3), 288, 0, 0, 0, 288),
    ]


def test_completeness_shows_symbols_without_any_bar_and_days_cut_by_the_range(
    flat: Maker, at: Callable[[int], datetime]
) -> None:
    bars = clean_bars(flat([1.0] * 20), "5m", at(0), at(20), Cleaning(), Venues())
    table = completeness(bars, "5m", at(10), at(16), symbols=["ETHUSDT", "BTCUSDT"])
    assert table.select("symbol", "expected", "present", "missing").rows() == [
        ("BTCUSDT", 6, 6, 0),
        ("ETHUSDT", 6, 0, 6),
    ]


def test_completeness_of_the_real_outage_shows_sixteen_missing_and_fourteen_idle_bars(recorded: Maker) -> None:
    raw = recorded("bars_5m/binance_spot_BTCUSDT_5m", "binance", "BTCUSDT")
    span = datetime(2023, 3, 24, tzinfo=UTC), datetime(2023, 3, 26, tzinfo=UTC)
    bars = clean_bars(raw.filter(pl.col("open_time").is_between(*span)), "5m", *span, Cleaning(), Venues())
    assert completeness(bars, "5m", *span).rows() == [
        ("BTCUSDT", date(2023, 3, 24), 288, 272, 0, 14, 16),
        ("BTCUSDT", date(2023, 3, 25), 288, 288, 0, 0, 0),
    ]


@given(st.integers(0, 2**32 - 1), st.integers(-30, 30))
@settings(max_examples=30)
def test_a_planted_shift_is_found_through_noise_and_holes(chance: Maker, seed: int, shift: int) -> None:
    raw = chance(seed, rows=400, venues=2).unique(["venue", "open_time"])
    reference, bars = (raw.filter(pl.col("venue") == venue) for venue in ("venue0", "venue1"))
    moved = bars.with_columns(pl.col("open_time") + shift * timedelta(minutes=5))
    assert time_shift(moved, reference, "5m", 40) == shift


def test_agreement_equals_a_plain_loop_over_lags(chance: Maker) -> None:
    raw = chance(11, rows=300, venues=2).unique(["venue", "open_time"])
    reference, bars = (raw.filter(pl.col("venue") == venue) for venue in ("venue0", "venue1"))
    found = agreement_by_lag(bars, reference, "5m", 6)
    ahead, base = _clipped_returns(bars), _clipped_returns(reference)
    for lag in range(-6, 7):
        pairs = [(ahead[at + lag], value) for at, value in base.items() if at + lag in ahead]
        left, right = np.array(pairs).T
        assert found[lag + 6] == pytest.approx(left @ right / np.sqrt(left @ left * (right @ right)), abs=1e-9)


def _clipped_returns(bars: pl.DataFrame) -> dict[int, float]:
    closes = {int(time.timestamp()) // 300: close for time, close in bars.select("open_time", "close").iter_rows()}
    returns = {at: float(np.log(close / closes[at - 1])) for at, close in closes.items() if at - 1 in closes}
    typical = float(np.median([abs(value) for value in returns.values() if value]))
    return {at: float(np.clip(value / typical, -5, 5)) for at, value in returns.items()}


def test_too_short_an_overlap_is_an_error_and_not_a_zero(flat: Maker) -> None:
    with pytest.raises(BarsError, match="under 100 returns"):
        time_shift(flat([1.0, 2.0] * 20), flat([1.0, 2.0] * 20), "5m", 3)
    with pytest.raises(BarsError, match="under 100 returns"):
        time_shift(flat([1.0]), flat([1.0]), "5m", 3)


def test_okx_and_binance_have_the_same_clock(recorded: Maker) -> None:
    okx = recorded("bars_5m/okx_perp_BTCUSDT_5m", "okx", "BTCUSDT.P")
    assert time_shift(okx, recorded("bars_5m/binance_spot_BTCUSDT_5m", "binance", "BTCUSDT"), "5m", 168) == 0
