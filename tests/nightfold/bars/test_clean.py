"""From raw rows to clean bars."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nightfold.bars.clean import clean_bars, cleaning_report, margin, settling
from nightfold.errors import BarsError, SchemaError
from nightfold.schema import BARS, PRICES, RAW_BARS
from nightfold.universe import Cleaning, Venues

Maker = Callable[..., pl.DataFrame]
At = Callable[[int], datetime]
CLEANING = Cleaning(outlier_deviations=30, outlier_window=12, max_fill_bars=3)
ORIGIN = datetime(2024, 3, 1, tzinfo=UTC)
COLLAPSE = datetime(2022, 11, 3, tzinfo=UTC), datetime(2022, 11, 13, tzinfo=UTC)
SEEDS = st.integers(0, 2**32 - 1)
RULES = st.sampled_from([Venues(), Venues(order=["venue1"]), Venues(merge="consolidated")])


def bar_time(position: int) -> datetime:
    return ORIGIN + position * timedelta(minutes=5)


def clean(raw: pl.DataFrame, first: int, last: int, venues: Venues | None = None) -> pl.DataFrame:
    return clean_bars(raw, "5m", bar_time(first), bar_time(last), CLEANING, venues or Venues())


def test_a_short_hole_becomes_flat_idle_bars_of_the_last_close(flat: Maker) -> None:
    raw = flat([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], quote_volume=9.0)[[0, 1, 5]]
    bars = clean(raw, 0, 6)
    assert bars["close"].to_list() == [1.0, 2.0, 2.0, 2.0, 2.0, 6.0]
    filled = bars.filter("gap_filled")
    assert filled.select("open_time", "open", "high", "low", "volume", "quote_volume", "trades", "source").rows() == [
        (bar_time(position), 2.0, 2.0, 2.0, 0.0, 0.0, None, "alpha") for position in (2, 3, 4)
    ]
    assert bars["zero_volume"].to_list() == bars["gap_filled"].to_list() == [False, False, True, True, True, False]


def test_a_hole_one_bar_too_long_stays(flat: Maker) -> None:
    bars = clean(flat([1.0] * 7)[[0, 1, 6]], 0, 7)
    assert bars["open_time"].to_list() == [bar_time(0), bar_time(1), bar_time(6)]


def test_a_hole_that_has_not_ended_is_not_filled(flat: Maker) -> None:
    bars = clean(flat([1.0, 2.0]), 0, 4)
    assert bars["open_time"].to_list() == [bar_time(0), bar_time(1)]


@pytest.mark.parametrize("border", range(1, 7))
def test_a_hole_across_a_border_is_filled_on_both_sides(flat: Maker, border: int) -> None:
    raw = flat([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])[[0, 1, 5, 6]]
    parts = pl.concat([clean(raw, 0, border), clean(raw, border, 7)])
    assert_frame_equal(parts, clean(raw, 0, 7))
    assert parts["gap_filled"].sum() == 3


def test_idle_bars_stay_and_are_flagged(flat: Maker) -> None:
    bars = clean(flat([1.0, 1.0, 2.0], volume=[1.0, 0.0, 1.0]), 0, 3)
    assert bars["zero_volume"].to_list() == [False, True, False]
    assert not bars["gap_filled"].any()


def test_repeats_are_dropped_and_flagged(flat: Maker) -> None:
    raw = flat([1.0, 2.0])
    bars = clean(pl.concat([raw, raw[1:], raw[1:]]), 0, 2)
    assert bars["duplicate_dropped"].to_list() == [False, True]


def test_the_primary_s_refuted_bar_is_replaced_and_both_symbols_stay_apart(flat: Maker) -> None:
    moving = {"open": [100.0] * 30, "low": [99.0] * 30, "high": [401.0] * 30}
    closes = [101.0] * 20 + [400.0] + [101.0] * 9
    alpha = flat(closes, "alpha", **{**moving, "high": [max(close, 101.0) for close in closes]})
    beta = flat([101.5] * 30, "beta", **{**moving, "high": [102.0] * 30})
    other = alpha.with_columns(pl.lit("BTCUSDT.P").alias("symbol"))
    bars = clean(pl.concat([alpha, beta, other]), 0, 30)
    assert bars.filter("outlier").select("symbol", "open_time", "close", "source").rows() == [
        ("BTCUSDT", bar_time(20), 101.5, "beta")
    ]
    assert bars.filter(pl.col("symbol") == "BTCUSDT.P")["close"].to_list() == closes


def test_an_error_comes_instead_of_bars_and_lists_faults_of_all_symbols(flat: Maker) -> None:
    other = flat([-1.0]).with_columns(pl.lit("ETHUSDT").alias("symbol"))
    with pytest.raises(BarsError, match=r"BTCUSDT alpha(.|\n)*ETHUSDT alpha"):
        clean(pl.concat([flat([0.0]), other]), 0, 1)
    with pytest.raises(SchemaError, match="lacks the columns venue"):
        clean(flat([1.0]).drop("venue"), 0, 1)


def test_no_rows_give_no_bars() -> None:
    assert_frame_equal(clean(RAW_BARS.empty(), 0, 9), BARS.empty())


def test_the_report_counts_each_repair(flat: Maker) -> None:
    raw = flat([1.0, 1.0, 1.0, 1.0, 1.0], volume=[1.0, 0.0, 1.0, 1.0, 1.0])
    report = cleaning_report(clean(pl.concat([raw[[0, 1, 2, 4]], raw[:1]]), 0, 5), "5m", CLEANING)
    assert (report.rows, report.gap_filled, report.duplicates_dropped, report.zero_volume) == (5, 1, 1, 2)
    assert (report.outliers, report.suspected_spikes) == (0, 0)


@given(SEEDS, RULES)
@settings(max_examples=25)
def test_clean_bars_keep_their_schema_and_inputs_stay(chance: Maker, seed: int, venues: Venues) -> None:
    raw = chance(seed, venues=2)
    before = raw.clone()
    BARS.validate(clean(raw, 0, 160, venues))
    assert_frame_equal(raw, before)


@given(SEEDS)
@settings(max_examples=25)
def test_cleaning_what_is_clean_changes_nothing(chance: Maker, seed: int) -> None:
    once = clean(chance(seed), 0, 160)
    again = clean(once.rename({"source": "venue"}), 0, 160)
    values = [name for name in once.columns if name in RAW_BARS.columns]
    assert_frame_equal(again.select(values), once.select(values))
    assert again.select(pl.col("gap_filled", "duplicate_dropped", "outlier").any()).row(0) == (False,) * 3


@given(SEEDS, RULES, st.integers(20, 140))
@settings(max_examples=25)
def test_cleaning_in_chunks_equals_cleaning_the_whole(chance: Maker, seed: int, venues: Venues, border: int) -> None:
    raw = chance(seed, venues=2)
    before, after = margin("5m", CLEANING), settling("5m", CLEANING)

    def chunk(first: int, last: int) -> pl.DataFrame:
        reach = pl.col("open_time").is_between(bar_time(first) - before, bar_time(last) + after, closed="left")
        return clean(raw.filter(reach), first, last, venues)

    assert_frame_equal(pl.concat([chunk(0, border), chunk(border, 160)]), clean(raw, 0, 160, venues))


@given(SEEDS, RULES, st.integers(20, 140))
@settings(max_examples=25)
def test_no_row_depends_on_later_bars(chance: Maker, seed: int, venues: Venues, cut: int) -> None:
    raw, future = chance(seed, venues=2), chance(seed + 1, venues=2)
    until = pl.col("open_time") < bar_time(cut)
    noisy = pl.concat([raw.filter(until), future.filter(~until)])
    seen = clean(raw.filter(until), 0, 160, venues)
    for world in (raw, noisy):
        later = clean(world, 0, 160, venues).filter(until)
        assert_frame_equal(later.join(seen, on="open_time", how="semi"), seen)
        assert later.join(seen, on="open_time", how="anti")["gap_filled"].all()


@given(SEEDS)
@settings(max_examples=20)
def test_the_order_of_raw_rows_does_not_matter(chance: Maker, seed: int) -> None:
    raw = chance(seed, venues=2)
    assert_frame_equal(clean(raw.reverse(), 0, 160), clean(raw, 0, 160))


def test_the_real_outage_is_fourteen_idle_bars_and_a_hole_that_stays(recorded: Maker) -> None:
    raw = recorded("bars_5m/binance_spot_BTCUSDT_5m", "binance", "BTCUSDT")
    span = datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC)
    bars = clean_bars(raw, "5m", *span, Cleaning(), Venues())
    report = cleaning_report(bars, "5m", Cleaning())
    assert (report.rows, report.gap_filled, report.outliers, report.zero_volume) == (31 * 288 - 16, 0, 0, 14)
    assert bars.filter("zero_volume").select((pl.col("high") == pl.col("low")).all()).item()


def test_real_minutes_of_the_outage_agree(recorded: Maker) -> None:
    raw = recorded("bars_1m/binance_spot_BTCUSDT_1m_2023-03", "binance", "BTCUSDT")
    span = datetime(2023, 3, 24, tzinfo=UTC), datetime(2023, 3, 25, tzinfo=UTC)
    report = cleaning_report(clean_bars(raw, "1m", *span, Cleaning(), Venues()), "1m", Cleaning())
    assert (report.rows, report.gap_filled, report.zero_volume) == (1440 - 80, 0, 72)


def test_real_repeated_blocks_become_one_row_each(recorded_json: Maker) -> None:
    raw = recorded_json("binance_BTC_RUB_5m_duplicates.json", "binance", "BTCRUB")
    span = datetime(2019, 12, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    bars = clean_bars(raw, "5m", *span, Cleaning(), Venues())
    assert (len(raw), raw["open_time"].n_unique()) == (8640, 3269)
    assert bars.filter(~pl.col("gap_filled"))["open_time"].to_list() == sorted(set(raw["open_time"]))
    repeated = raw.group_by("open_time").len().filter(pl.col("len") > 1)
    assert cleaning_report(bars, "5m", Cleaning()).duplicates_dropped == len(repeated)


def test_the_real_stress_file_keeps_its_four_long_holes_and_loses_its_one_repeat(recorded: Maker) -> None:
    raw = recorded("stress/binance_spot_BTCUSDT_5m_2019-11_2020-03", "binance", "BTCUSDT")
    span = datetime(2019, 11, 1, tzinfo=UTC), datetime(2020, 4, 1, tzinfo=UTC)
    bars = clean_bars(raw, "5m", *span, Cleaning(), Venues())
    report = cleaning_report(bars, "5m", Cleaning())
    assert (report.rows, report.duplicates_dropped, report.outliers) == (33_958, 1, 0)
    assert bars.filter(pl.col("open_time").diff() > timedelta(minutes=5)).height == 4


def test_real_bars_month_by_month_equal_the_whole_range(recorded: Maker) -> None:
    raw = recorded("stress/binance_spot_BTCUSDT_5m_2019-11_2020-03", "binance", "BTCUSDT")
    months = [datetime(2019, 11, 1, tzinfo=UTC), datetime(2019, 12, 1, tzinfo=UTC)]
    months += [datetime(2020, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4)]
    before, after = margin("5m", Cleaning()), settling("5m", Cleaning())
    parts = [
        clean_bars(
            raw.filter(pl.col("open_time").is_between(start - before, end + after, closed="left")),
            *("5m", start, end, Cleaning(), Venues()),
        )
        for start, end in pairwise(months)
    ]
    whole = clean_bars(raw, "5m", months[0], months[-1], Cleaning(), Venues())
    assert_frame_equal(pl.concat(parts), whole)


@pytest.mark.parametrize(("merge", "joined"), [("primary", 0), ("consolidated", 9_938)])
def test_the_real_depeg_is_whole_with_two_venues(recorded: Maker, merge: str, joined: int) -> None:
    venues = ("kraken", "binanceus")
    raw = pl.concat([recorded(f"bars_1m/{venue}_spot_BTCUSDC_1m_2023-03", venue, "BTCUSDC") for venue in venues])
    span = datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 3, 22, tzinfo=UTC)
    rule = Venues.model_validate({"order": list(venues), "merge": merge})
    bars = clean_bars(raw, "1m", *span, Cleaning(), rule)
    BARS.validate(bars)
    assert len(bars) == 21 * 1440
    assert bars["source"].str.contains("+", literal=True).sum() == joined
    assert bars["outlier"].sum() < 0.001 * len(bars)


@pytest.fixture(scope="module")
def collapse(recorded: Maker) -> pl.DataFrame:
    """Ten days of November 2022, OKX's perpetual beside Binance's spot market put under its name."""
    rows = [
        recorded("bars_5m/okx_perp_BTCUSDT_5m", "okx", "BTCUSDT.P"),
        recorded("bars_5m/binance_spot_BTCUSDT_5m", "binance", "BTCUSDT.P"),
    ]
    return pl.concat(rows).filter(pl.col("open_time").is_between(*COLLAPSE, closed="left"))


def test_okx_confirms_the_real_collapse_on_binance_and_fills_its_holes(collapse: pl.DataFrame) -> None:
    outage = pl.col("open_time").is_between(
        datetime(2022, 11, 9, 18, tzinfo=UTC), datetime(2022, 11, 9, 20, tzinfo=UTC), closed="left"
    )
    raw = collapse.filter(~(outage & (pl.col("venue") == "binance")))
    bars = clean_bars(raw, "5m", *COLLAPSE, Cleaning(), Venues(order=["binance"]))
    assert len(bars) == 10 * 288
    assert bars["outlier"].sum() == bars["gap_filled"].sum() == 0
    for source, where in (("okx", outage), ("binance", ~outage)):
        rows = collapse.filter(pl.col("venue") == source).filter(where).sort("open_time")
        assert_frame_equal(bars.filter(pl.col("source") == source).select(PRICES), rows.select(PRICES))


def test_okx_refutes_a_print_on_binance_that_nobody_else_saw(collapse: pl.DataFrame) -> None:
    moment = datetime(2022, 11, 4, 12, tzinfo=UTC)
    wrong = (pl.col("open_time") == moment) & (pl.col("venue") == "binance")
    raw = collapse.with_columns(pl.when(wrong).then(pl.col("low") / 2).otherwise("low").alias("low"))
    bars = clean_bars(raw, "5m", *COLLAPSE, Cleaning(), Venues(order=["binance"]))
    theirs = collapse.filter((pl.col("open_time") == moment) & (pl.col("venue") == "okx"))
    assert bars.filter("outlier").select("open_time", "source", "low").rows() == [(moment, "okx", theirs["low"][0])]


def test_okx_and_binance_consolidated_weigh_closes_by_volume(collapse: pl.DataFrame) -> None:
    bars = clean_bars(collapse, "5m", *COLLAPSE, Cleaning(), Venues(merge="consolidated"))
    okx, binance = (collapse.filter(pl.col("venue") == name).sort("open_time") for name in ("okx", "binance"))
    volumes = okx["volume"] + binance["volume"]
    weighed = (okx["close"] * okx["volume"] + binance["close"] * binance["volume"]) / volumes
    np.testing.assert_allclose(bars["close"], weighed, rtol=1e-12)
    idle = (okx["volume"] == 0).to_numpy()  # OKX stood still there, and takes no part
    assert idle.sum() == 14
    assert binance["volume"].min() > 0
    highs = np.where(idle, binance["high"], np.maximum(okx["high"], binance["high"]))
    lows = np.where(idle, binance["low"], np.minimum(okx["low"], binance["low"]))
    assert (bars["high"].to_list(), bars["low"].to_list()) == (highs.tolist(), lows.tolist())
    assert bars["volume"].to_list() == volumes.to_list()


def test_okx_s_perpetual_and_binance_s_spot_market_stay_apart_under_their_own_names(collapse: pl.DataFrame) -> None:
    spot = pl.when(pl.col("venue") == "binance").then(pl.lit("BTCUSDT")).otherwise("symbol").alias("symbol")
    bars = clean_bars(collapse.with_columns(spot), "5m", *COLLAPSE, Cleaning(), Venues(merge="consolidated"))
    assert bars.group_by("symbol", "source").len().sort("symbol").rows() == [
        ("BTCUSDT", "binance", 2_880),
        ("BTCUSDT.P", "okx", 2_880),
    ]
