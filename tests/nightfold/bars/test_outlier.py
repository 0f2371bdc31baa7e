"""Spikes: what the bars before and another venue say."""

import math
from collections.abc import Callable
from statistics import median

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.bars.merge import drop_duplicates
from nightfold.bars.outlier import judge_outliers, suspected_spikes, with_bounds
from nightfold.universe import Cleaning

Maker = Callable[..., pl.DataFrame]
CLEANING = Cleaning(outlier_deviations=10, outlier_window=8, max_fill_bars=2)
UP = math.exp(0.01)
# With moves of 1 % the bound is 10 * 1.4826 * .01 = .14826: a wick of 20 % lies beyond, one of 14 % does not.
BOUND = 0.14826


def zigzag(flat: Maker, venue: str = "alpha", rows: int = 12, **columns: list[float]) -> pl.DataFrame:
    """Bars that open at 100 and close one per cent higher."""
    raw = flat([100.0 * UP] * rows, venue, open=[100.0] * rows, low=[100.0] * rows)
    return raw.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


def with_value(column: list[float], position: int, value: float) -> list[float]:
    return [*column[:position], value, *column[position + 1 :]]


def test_a_wick_beyond_the_bound_is_cut_back_to_it_and_flagged(flat: Maker) -> None:
    highs, lows = [100.0 * UP] * 12, [100.0] * 12
    raw = zigzag(
        flat, high=with_value(highs, 9, 100 * UP * math.exp(0.2)), low=with_value(lows, 10, 100 * math.exp(-0.2))
    )
    judged = judge_outliers(raw, "5m", CLEANING)
    assert judged["outlier"].arg_true().to_list() == [9, 10]
    assert judged["high"][9] == pytest.approx(100 * UP * math.exp(BOUND))
    assert judged["low"][10] == pytest.approx(100 * math.exp(-BOUND))
    assert judged.drop("outlier", "refuted", "high", "low").equals(raw.drop("high", "low"))


def test_a_wick_within_the_bound_stays(flat: Maker) -> None:
    raw = zigzag(flat, high=with_value([100.0 * UP] * 12, 9, 100 * UP * math.exp(0.14)))
    judged = judge_outliers(raw, "5m", CLEANING)
    assert judged.select(raw.columns).equals(raw)
    assert not judged["outlier"].any()


def test_without_a_quarter_of_the_window_behind_it_nothing_is_judged(flat: Maker) -> None:
    wick = 100 * UP * math.exp(3)
    assert judge_outliers(zigzag(flat, high=with_value([100.0 * UP] * 12, 1, wick)), "5m", CLEANING)["high"][1] == wick
    assert judge_outliers(zigzag(flat, high=with_value([100.0 * UP] * 12, 2, wick)), "5m", CLEANING)["high"][2] < wick


def test_a_close_that_jumps_is_left_alone_by_one_venue_and_only_counted(flat: Maker) -> None:
    closes = with_value([100.0 * UP] * 12, 9, 130.0)
    raw = zigzag(flat, close=closes, high=closes)
    judged = judge_outliers(raw, "5m", CLEANING)
    assert judged.select(raw.columns).equals(raw)
    assert not judged["outlier"].any()
    assert suspected_spikes(raw, "5m", CLEANING) == 1


def test_a_jump_that_stays_is_no_suspected_spike(flat: Maker) -> None:
    closes = [100.0 * UP] * 9 + [130.0] * 3
    assert suspected_spikes(zigzag(flat, close=closes, high=closes), "5m", CLEANING) == 0


def test_another_venue_refutes_a_jump_it_did_not_make(flat: Maker) -> None:
    closes = with_value([100.0 * UP] * 12, 9, 130.0)
    raw = pl.concat([zigzag(flat, close=closes, high=closes), zigzag(flat, "beta")])
    judged = judge_outliers(raw, "5m", CLEANING)
    assert judged.filter("refuted").select("venue", "close").rows() == [("alpha", 130.0)]


@pytest.mark.parametrize(("other_close", "refuted"), [(130.0, 0), (116.0, 0), (113.0, 1)])
def test_another_venue_confirms_a_move_by_going_half_as_far(flat: Maker, other_close: float, refuted: int) -> None:
    # From the level 101.005: 130 is .2524 away, so that half is .1262 and lies at 114.59.
    closes, other = (with_value([100.0 * UP] * 12, 9, value) for value in (130.0, other_close))
    raw = pl.concat([zigzag(flat, close=closes, high=closes), zigzag(flat, "beta", close=other, high=other)])
    assert judge_outliers(raw, "5m", CLEANING)["refuted"].sum() == refuted


def test_a_crash_is_refuted_only_in_its_own_direction(flat: Maker) -> None:
    crash = with_value([100.0] * 12, 9, 70.0)
    rise = with_value([100.0 * UP] * 12, 9, 114.0)
    raw = pl.concat(
        [zigzag(flat, low=crash, close=with_value([100 * UP] * 12, 9, 70.0)), zigzag(flat, "beta", high=rise)]
    )
    assert judge_outliers(raw, "5m", CLEANING).filter("refuted")["low"].to_list() == [70.0]


def test_a_venue_that_did_not_trade_says_nothing(flat: Maker) -> None:
    closes = with_value([100.0 * UP] * 12, 9, 130.0)
    idle = zigzag(flat, "beta", volume=with_value([1.0] * 12, 9, 0.0))
    judged = judge_outliers(pl.concat([zigzag(flat, close=closes, high=closes), idle]), "5m", CLEANING)
    assert not judged["refuted"].any()


def test_of_three_venues_one_that_confirms_outweighs_one_that_refutes(flat: Maker) -> None:
    closes = with_value([100.0 * UP] * 12, 9, 130.0)
    jumping = [zigzag(flat, venue, close=closes, high=closes) for venue in ("alpha", "beta")]
    assert not judge_outliers(pl.concat([*jumping, zigzag(flat, "gamma")]), "5m", CLEANING)["refuted"].any()


def test_a_venue_that_is_suspect_itself_refutes_nothing(flat: Maker) -> None:
    up, down = with_value([100.0 * UP] * 12, 9, 130.0), with_value([100.0] * 12, 9, 75.0)
    judged = judge_outliers(pl.concat([zigzag(flat, high=up), zigzag(flat, "beta", low=down)]), "5m", CLEANING)
    assert not judged["refuted"].any()


def test_a_wick_is_not_cut_where_another_venue_traded_and_confirms_it(flat: Maker) -> None:
    highs = with_value([100.0 * UP] * 12, 9, 130.0)
    raw = pl.concat([zigzag(flat, high=highs), zigzag(flat, "beta", high=highs)])
    judged = judge_outliers(raw, "5m", CLEANING)
    assert not judged["outlier"].any()
    assert not judged["refuted"].any()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_level_and_bound_equal_a_plain_loop_over_earlier_bars(chance: Maker, seed: int) -> None:
    raw = drop_duplicates(chance(seed, rows=40))
    found = with_bounds(raw, "5m", CLEANING)
    rows = [
        (int(time.timestamp()) // 300, opened, close, volume)
        for time, opened, close, volume in raw.select("open_time", "open", "close", "volume").iter_rows()
    ]
    for position, (now, *_) in enumerate(rows):
        traded = [(at, opened, close) for at, opened, close, volume in rows[:position] if volume > 0]
        closes = [close for at, _, close in traded if now - at <= 5]
        moves = [abs(math.log(close / opened)) for at, opened, close in traded if now - at <= 8 and close != opened]
        assert found["level"][position] == (pytest.approx(median(closes)) if closes else None)
        bound = pytest.approx(14.826 * median(moves)) if len(moves) >= 2 else None
        assert found["bound"][position] == bound


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT"])
def test_nothing_is_touched_in_real_five_minute_bars(recorded: Maker, symbol: str) -> None:
    raw = recorded(f"bars_5m/binance_spot_{symbol}_5m", "binance", symbol)
    judged = judge_outliers(raw, "5m", Cleaning())
    assert judged.select(raw.columns).equals(raw)
    assert not judged["outlier"].any()


def test_the_real_ten_cent_ether_of_june_2017_is_cut_back(recorded: Maker) -> None:
    raw = recorded("bars_1h_long/coinbase_spot_ETHUSD_1h", "coinbase", "ETHUSD")
    cut = judge_outliers(raw, "1h", Cleaning()).filter("outlier")
    assert [f"{time:%Y-%m-%d %H}" for time in cut["open_time"]] == ["2017-06-21 19"]
    assert raw.join(cut, on="open_time", how="semi")["low"].item() < 1 < cut["low"].item()


def test_kraken_refutes_thin_prints_of_binance_us_and_not_the_reverse(recorded: Maker) -> None:
    venues = ("kraken", "binanceus")
    raw = pl.concat([recorded(f"bars_1m/{venue}_spot_BTCUSDC_1m_2023-03", venue, "BTCUSDC") for venue in venues])
    refuted = judge_outliers(raw, "1m", Cleaning()).filter("refuted")
    assert set(refuted["venue"]) == {"binanceus"}
    assert len(refuted) < 0.001 * len(raw)
