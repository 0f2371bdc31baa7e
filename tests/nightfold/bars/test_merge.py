"""Several recordings of one bar become one row."""

from collections.abc import Callable
from datetime import datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nightfold.bars.merge import drop_duplicates, merge_venues, venue_order
from nightfold.errors import BarsError
from nightfold.universe import Venues

Maker = Callable[..., pl.DataFrame]


def test_primary_takes_the_first_venue_and_fills_its_holes_from_the_next(flat: Maker) -> None:
    alpha, beta = flat([10.0, 11.0, 12.0], "alpha")[[0, 2]], flat([20.0, 21.0, 22.0], "beta")
    merged = merge_venues(pl.concat([beta, alpha]), Venues())
    assert merged["close"].to_list() == [10.0, 21.0, 12.0]
    assert merged["source"].to_list() == ["alpha", "beta", "alpha"]


def test_the_order_of_trust_decides_who_is_first_and_the_rest_follow_by_name(flat: Maker) -> None:
    rows = pl.concat([flat([10.0], "alpha"), flat([20.0], "beta"), flat([30.0], "gamma")])
    assert venue_order(rows, Venues(order=["gamma", "absent"])) == ["gamma", "alpha", "beta"]
    assert merge_venues(rows, Venues(order=["gamma"]))["source"].to_list() == ["gamma"]


def test_consolidated_weighs_open_and_close_by_volume(flat: Maker) -> None:
    # open (10*1 + 13*3)/4 = 12.25, close (11*1 + 15*3)/4 = 14
    alpha = flat([11.0], "alpha", open=[10.0], high=[12.0], low=[9.0], volume=[1.0], trades=[5])
    beta = flat([15.0], "beta", open=[13.0], high=[16.0], low=[12.5], volume=[3.0], trades=[7])
    merged = merge_venues(pl.concat([alpha, beta]), Venues(merge="consolidated"))
    assert merged.select("open", "high", "low", "close", "volume", "trades", "source").row(0) == (
        12.25,
        16.0,
        9.0,
        14.0,
        4.0,
        12,
        "alpha+beta",
    )


def test_consolidated_leaves_idle_rows_out_unless_all_are_idle(flat: Maker) -> None:
    alpha = flat([10.0, 10.0], "alpha", volume=[0.0, 0.0])
    beta = flat([20.0, 20.0], "beta", volume=[2.0, 0.0])
    merged = merge_venues(pl.concat([beta, alpha]), Venues(merge="consolidated"))
    assert merged["close"].to_list() == [20.0, 10.0]
    assert merged["source"].to_list() == ["beta", "alpha"]


def test_consolidated_sums_are_null_where_one_venue_does_not_know(flat: Maker) -> None:
    rows = pl.concat([flat([10.0], "alpha", trades=[5]), flat([10.0], "beta")])
    assert merge_venues(rows, Venues(merge="consolidated"))["trades"].to_list() == [None]


def test_a_weighted_mean_of_equal_prices_stays_between_low_and_high(flat: Maker) -> None:
    volumes = [0.1 * count for count in range(1, 60)]
    rows = pl.concat(
        [
            flat([price] * 59, venue, volume=volumes[:: 1 if venue == "alpha" else -1])
            for venue in ("alpha", "beta", "gamma")
            for price in (0.1,)
        ]
    )
    merged = merge_venues(rows, Venues(merge="consolidated"))
    assert merged.filter((pl.col("open") > pl.col("high")) | (pl.col("close") < pl.col("low"))).is_empty()


@pytest.mark.parametrize("merge", ["primary", "consolidated"])
def test_a_refuted_row_takes_no_part_and_its_stand_in_is_flagged(flat: Maker, merge: str) -> None:
    alpha = flat([99.0, 10.0], "alpha").with_columns(refuted=pl.Series([True, False]), outlier=pl.lit(False))
    beta = flat([10.5, 10.5], "beta").with_columns(refuted=pl.lit(False), outlier=pl.lit(False))
    merged = merge_venues(pl.concat([alpha, beta]), Venues.model_validate({"merge": merge}))
    assert merged["close"][0] == 10.5
    assert merged["outlier"].to_list() == [True, False]


def test_a_refuted_row_of_a_less_trusted_venue_leaves_no_mark_on_the_primary(flat: Maker) -> None:
    alpha = flat([10.0], "alpha").with_columns(refuted=pl.lit(False), outlier=pl.lit(False))
    beta = flat([99.0], "beta").with_columns(refuted=pl.lit(True), outlier=pl.lit(False))
    merged = merge_venues(pl.concat([alpha, beta]), Venues())
    assert merged.select("close", "outlier").row(0) == (10.0, False)


def test_spot_and_perpetual_are_never_merged(flat: Maker) -> None:
    perpetual = flat([10.0], "beta").with_columns(pl.lit("BTCUSDT.P").alias("symbol"))
    with pytest.raises(BarsError, match=r"BTCUSDT, BTCUSDT\.P"):
        merge_venues(pl.concat([flat([10.0]), perpetual]), Venues())


def test_a_stamp_twice_in_one_venue_is_refused(flat: Maker) -> None:
    with pytest.raises(BarsError, match="alpha 2024-03-01 00:00 more than once"):
        merge_venues(pl.concat([flat([10.0]), flat([10.0])]), Venues())


def test_of_rows_that_differ_the_most_complete_recording_stays(flat: Maker) -> None:
    early, late = flat([10.0], volume=[1.0]), flat([11.0], volume=[2.0])
    for rows in (pl.concat([early, late]), pl.concat([late, early])):
        kept = drop_duplicates(rows)
        assert kept.select("close", "duplicate_dropped").rows() == [(11.0, True)]


def test_where_volumes_are_equal_the_order_of_rows_still_does_not_decide(flat: Maker) -> None:
    one, two = flat([10.0, 5.0]), flat([11.0, 5.0])
    assert_frame_equal(drop_duplicates(pl.concat([one, two])), drop_duplicates(pl.concat([two, one])))


def test_every_stamp_of_kraken_and_binance_us_is_merged_once_by_either_rule(recorded: Maker) -> None:
    kraken = recorded("bars_1m/kraken_spot_BTCUSDC_1m_2023-03", "kraken", "BTCUSDC")
    binanceus = recorded("bars_1m/binanceus_spot_BTCUSDC_1m_2023-03", "binanceus", "BTCUSDC")
    rows = pl.concat([kraken, binanceus])
    primary = merge_venues(rows, Venues(order=["kraken"]))
    assert primary["source"].value_counts().sort("count").rows() == [("binanceus", 14_521), ("kraken", 15_719)]
    merged = merge_venues(rows, Venues(order=["kraken"], merge="consolidated"))
    assert merged["open_time"].to_list() == sorted(set(rows["open_time"]))
    assert merged["volume"].sum() == pytest.approx(rows["volume"].sum())
    assert_frame_equal(merged.select("open_time", "close"), _consolidated_closes(rows), rel_tol=1e-12)


def _consolidated_closes(rows: pl.DataFrame) -> pl.DataFrame:
    """Weigh closes by volume in a plain loop."""
    quotes: dict[datetime, list[tuple[float, float]]] = {}
    for stamp, close, volume in rows.sort("venue", descending=True).select("open_time", "close", "volume").iter_rows():
        quotes.setdefault(stamp, []).append((close, volume))
    closes = [
        sum(c * v for c, v in seen) / sum(v for _, v in seen) if any(v for _, v in seen) else seen[0][0]
        for _, seen in sorted(quotes.items())
    ]
    return pl.DataFrame(
        {"open_time": sorted(quotes), "close": closes}, schema_overrides={"open_time": rows["open_time"].dtype}
    )
