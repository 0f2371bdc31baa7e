"""Coarser bars from finer ones."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nightfold.bars.clean import clean_bars
from nightfold.bars.resample import resample_bars
from nightfold.errors import BarsError, ConfigError
from nightfold.universe import Cleaning, Venues

Maker = Callable[..., pl.DataFrame]
VALUES = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote")


def test_a_coarse_bar_is_first_highest_lowest_last_and_sums(flat: Maker) -> None:
    fine = flat(
        [2.0, 4.0, 3.0], open=[1.0, 2.0, 4.0], high=[3.0, 5.0, 4.5], low=[0.5, 2.0, 2.5], volume=[1.0, 2.0, 4.0]
    )
    coarse = resample_bars(fine, "5m", "15m")
    assert coarse.select("open", "high", "low", "close", "volume").rows() == [(1.0, 5.0, 0.5, 3.0, 7.0)]
    assert coarse["trades"].to_list() == [None]


def test_an_unfinished_last_bar_is_not_emitted(flat: Maker, at: Callable[[int], datetime]) -> None:
    assert resample_bars(flat([1.0] * 5), "5m", "15m")["open_time"].to_list() == [at(0)]
    assert resample_bars(flat([1.0] * 6), "5m", "15m")["open_time"].to_list() == [at(0), at(3)]


def test_a_span_that_began_before_the_data_is_not_emitted(flat: Maker, at: Callable[[int], datetime]) -> None:
    assert resample_bars(flat([1.0] * 6)[1:], "5m", "15m")["open_time"].to_list() == [at(3)]


def test_a_stated_range_says_that_bars_absent_at_its_ends_do_not_exist(
    flat: Maker, at: Callable[[int], datetime]
) -> None:
    fine = flat([1.0] * 6)[1:5]
    assert resample_bars(fine, "5m", "15m", start=at(0), end=at(6))["open_time"].to_list() == [at(0), at(3)]


def test_holes_inside_are_no_obstacle_but_an_empty_span_gives_no_bar(
    flat: Maker, at: Callable[[int], datetime]
) -> None:
    fine = flat([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])[[0, 2, 6, 7, 8]]
    coarse = resample_bars(fine, "5m", "15m")
    assert coarse.select("open_time", "close", "volume").rows() == [(at(0), 3.0, 2.0), (at(6), 9.0, 3.0)]


def test_venues_and_symbols_stay_apart_and_end_by_their_own_data(flat: Maker) -> None:
    other = flat([7.0] * 5).with_columns(pl.lit("ETHUSDT").alias("symbol"))
    fine = pl.concat([flat([1.0] * 6, "beta"), flat([2.0] * 6, "alpha"), other])
    coarse = resample_bars(fine, "5m", "15m")
    assert coarse.select("symbol", "venue", "close").rows() == [
        ("BTCUSDT", "alpha", 2.0),
        ("BTCUSDT", "beta", 1.0),
        ("BTCUSDT", "alpha", 2.0),
        ("BTCUSDT", "beta", 1.0),
        ("ETHUSDT", "alpha", 7.0),
    ]


def test_a_repeated_raw_row_counts_once(flat: Maker) -> None:
    fine = flat([1.0] * 3)
    assert_frame_equal(resample_bars(pl.concat([fine, fine]), "5m", "15m"), resample_bars(fine, "5m", "15m"))


def test_broken_raw_rows_are_refused_before_they_can_hide_in_a_coarse_bar(flat: Maker) -> None:
    with pytest.raises(BarsError, match="`close` is no price"):
        resample_bars(flat([1.0, float("nan"), 1.0]), "5m", "15m")


def test_flags_of_clean_bars_carry_over(flat: Maker, at: Callable[[int], datetime]) -> None:
    raw = pl.concat([flat([1.0] * 9)[[0, 1, 6, 7, 8]], flat([1.0])])
    fine = clean_bars(raw, "5m", at(0), at(9), Cleaning(), Venues())
    coarse = resample_bars(fine, "5m", "15m")
    assert coarse["gap_filled"].to_list() == [False, True, False]
    assert coarse["zero_volume"].to_list() == [False, True, False]
    assert coarse["duplicate_dropped"].to_list() == [True, False, False]
    assert coarse["source"].to_list() == ["alpha"] * 3


def test_an_interval_that_does_not_divide_is_refused(flat: Maker) -> None:
    with pytest.raises(ConfigError, match="whole multiple"):
        resample_bars(flat([1.0]), "15m", "5m")


@given(st.integers(0, 2**32 - 1), st.integers(1, 159))
@settings(max_examples=30)
def test_later_bars_change_no_coarse_bar_and_inputs_stay(chance: Maker, seed: int, cut: int) -> None:
    fine = chance(seed, venues=2)
    before = fine.clone()
    seen = fine.filter(pl.col("open_time") < datetime(2024, 3, 1, tzinfo=UTC) + cut * timedelta(minutes=5))
    early, whole = (resample_bars(frame, "5m", "1h") for frame in (seen, fine))
    assert_frame_equal(early, whole.join(early, on=["venue", "open_time"], how="semi"))
    assert_frame_equal(fine, before)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
def test_real_minutes_give_the_published_five_minute_bars(recorded: Maker, symbol: str) -> None:
    minutes = recorded(f"bars_1m/binance_spot_{symbol}_1m_2022-11", "binance", symbol)
    published = recorded(f"bars_5m/binance_spot_{symbol}_5m", "binance", symbol).join(
        minutes.select("open_time"), on="open_time", how="semi"
    )
    assert_frame_equal(resample_bars(minutes, "1m", "5m"), published, rel_tol=1e-12)


def test_real_five_minute_bars_give_the_published_hours(recorded: Maker) -> None:
    hours = resample_bars(recorded("bars_5m/binance_spot_BTCUSDT_5m", "binance", "BTCUSDT"), "5m", "1h")
    published = recorded("bars_1h/binance_spot_BTCUSDT_1h", "binance", "BTCUSDT").filter(
        pl.col("open_time") <= hours["open_time"].max()
    )
    assert hours["open_time"].to_list() == published["open_time"].to_list()
    assert_frame_equal(hours.select(VALUES), published.select(VALUES), rel_tol=1e-12)


def test_real_outage_gives_no_hour_without_a_single_bar(recorded: Maker) -> None:
    hours = resample_bars(recorded("bars_5m/binance_spot_BTCUSDT_5m", "binance", "BTCUSDT"), "5m", "1h")
    outage = pl.datetime_range(
        datetime(2023, 3, 24, 12, tzinfo=UTC), datetime(2023, 3, 24, 14, tzinfo=UTC), "1h", time_unit="ms", eager=True
    )
    assert hours.filter(pl.col("open_time").is_in(outage.implode()))["open_time"].dt.hour().to_list() == [12, 14]
