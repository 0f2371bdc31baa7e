"""What is refused, and how it is said."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nightfold.bars.door import check_raw_bars
from nightfold.bars.quality import time_shift
from nightfold.errors import BarsError
from nightfold.schema import RAW_BARS

Maker = Callable[..., pl.DataFrame]


def refusal(raw: pl.DataFrame, interval: str = "5m", now: datetime | None = None) -> str:
    with pytest.raises(BarsError) as caught:
        check_raw_bars(raw, interval, now)
    return str(caught.value)


def test_sound_bars_pass(flat: Maker, at: Callable[[int], datetime]) -> None:
    check_raw_bars(flat([1.0, 2.0, 3.0], trades=5), "5m", now=at(3))
    check_raw_bars(RAW_BARS.empty(), "5m")


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("open", 0.0, "`open` is no price"),
        ("close", -1.0, "`close` is no price"),
        ("high", float("inf"), "`high` is no price"),
        ("low", float("nan"), "`low` is no price"),
        ("close", None, "`close` is no price"),
        ("volume", -1.0, "`volume` is no amount"),
        ("volume", float("nan"), "`volume` is no amount"),
        ("volume", None, "`volume` is no amount"),
        ("quote_volume", -1.0, "`quote_volume` is no amount"),
        ("trades", -1, "`trades` is no amount"),
        ("high", 2.5, "`high` is not the highest price"),
        ("low", 3.5, "`low` is not the lowest price"),
    ],
)
def test_a_broken_value_is_named_with_its_row_and_what_is_allowed(
    flat: Maker, column: str, value: float | None, found: str
) -> None:
    sound = 3 if column == "trades" else 3.0
    raw = flat([3.0, 3.0], **{column: [sound, value]})
    message = refusal(raw)
    assert f"{found} in 1 of 2 rows; allowed: " in message
    assert "BTCUSDT alpha 2024-03-01 00:05:00 (open " in message


def test_every_fault_is_listed_in_one_error(flat: Maker, at: Callable[[int], datetime]) -> None:
    raw = flat([3.0, -3.0, 3.0], volume=[1.0, 1.0, -1.0]).with_columns(
        pl.when(pl.col("volume") < 0)
        .then(pl.lit(at(2) + timedelta(seconds=7)))
        .otherwise("open_time")
        .alias("open_time")
    )
    message = refusal(RAW_BARS.conform(raw), now=at(2))
    assert "faults found: 7" in message
    for fault in ("`open` is no price", "`volume` is no amount", "off the 5m grid", "the bar is not over"):
        assert fault in message


def test_a_bar_that_is_not_over_is_refused(flat: Maker, at: Callable[[int], datetime]) -> None:
    raw = flat([1.0, 2.0, 3.0])
    check_raw_bars(raw, "5m", at(3))
    assert "the bar is not over in 1 of 3 rows; allowed: closed bars up to now, 2024-03-01 00:14:59" in refusal(
        raw, now=at(3) - timedelta(seconds=1)
    )


def test_rows_without_a_key_are_refused(flat: Maker) -> None:
    raw = flat([1.0, 2.0]).with_columns(pl.lit(None, pl.String).alias("venue"))
    assert "`venue` is null in 2 of 2 rows" in refusal(raw)


@pytest.mark.parametrize(
    ("symbol", "found"), [("BTC/USDT", "is spelled 'BTCUSDT' inside"), ("BTC", "no known quote currency")]
)
def test_symbols_must_be_spelled_as_inside(flat: Maker, symbol: str, found: str) -> None:
    assert found in refusal(flat([1.0]).with_columns(pl.lit(symbol).alias("symbol")))


def test_a_few_conflicting_repeats_pass_and_many_are_refused(flat: Maker) -> None:
    raw = flat([float(price) for price in range(1, 11)])
    others = flat([price + 0.5 for price in range(1, 11)])
    check_raw_bars(pl.concat([raw, others[:3]]), "5m")
    check_raw_bars(pl.concat([raw, raw]), "5m")
    assert "4 bars come more than once with different values" in refusal(pl.concat([raw, others[:4]]))


NAMES = ["open", "high", "low", "close"]


@pytest.mark.parametrize(
    "order", [["low", "high", "open", "close"], ["open", "close", "high", "low"], ["close", "open", "low", "high"]]
)
def test_misordered_columns_are_told_apart_by_how_they_behave(chance: Maker, order: list[str]) -> None:
    sound = chance(5)
    check_raw_bars(sound, "5m")
    swapped = sound.with_columns(sound[true].alias(name) for name, true in zip(NAMES, order, strict=True))
    message = refusal(swapped)
    for name, true in zip(NAMES, order, strict=True):
        assert (f"`{name}` behaves as the {true}" in message) == (name != true)


@pytest.mark.parametrize(("hours", "words"), [(8, "beta is stamped 8 hours ahead of alpha"), (-3, "3 hours behind")])
def test_a_venue_with_another_clock_is_refused(chance: Maker, hours: int, words: str) -> None:
    alpha = chance(3, rows=600).with_columns(pl.lit("alpha").alias("venue"))
    beta = alpha.with_columns(pl.col("open_time") + timedelta(hours=hours), pl.lit("beta").alias("venue"))
    check_raw_bars(pl.concat([alpha, alpha.with_columns(pl.lit("beta").alias("venue"))]), "5m")
    assert words in refusal(pl.concat([alpha, beta]))


def test_the_real_newest_first_file_is_refused_then_repaired_by_names_and_clock(
    recorded: Maker, recorded_json: Maker
) -> None:
    as_is = recorded_json("coinbase_BTC-USD_1h_newest_first.json", "elsewhere", "BTCUSD")
    message = refusal(as_is, "1h")
    assert "`low` behaves as the open, `open` behaves as the low" in message
    assert "2990 of 3000 rows" in message

    named = RAW_BARS.conform(as_is.rename({"open": "low", "low": "open"}))
    check_raw_bars(named, "1h")
    reference = recorded("bars_1h_long/coinbase_spot_BTCUSD_1h", "coinbase", "BTCUSD")
    assert "elsewhere is stamped 8 hours ahead of coinbase" in refusal(pl.concat([named, reference]), "1h")

    shift = time_shift(named, reference, "1h", 14)
    repaired = named.with_columns(pl.col("open_time") - shift * timedelta(hours=1))
    check_raw_bars(pl.concat([repaired, reference]), "1h")
    prices = ["open_time", "open", "high", "low", "close"]
    overlap = repaired.filter(pl.col("open_time") <= reference["open_time"].max()).sort("open_time")
    assert_frame_equal(
        overlap.select(prices), reference.join(overlap, on="open_time", how="semi").select(prices), rel_tol=1e-3
    )


def test_real_venues_of_the_depeg_pass_the_door_together(recorded: Maker) -> None:
    venues = ("kraken", "binanceus")
    raw = pl.concat([recorded(f"bars_1m/{venue}_spot_BTCUSDC_1m_2023-03", venue, "BTCUSDC") for venue in venues])
    check_raw_bars(raw, "1m", datetime(2023, 3, 22, tzinfo=UTC))
