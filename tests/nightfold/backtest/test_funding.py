"""Funding stamps and the bars they fall into."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.funding import align_funding, constant_funding, funding_of
from nightfold.errors import ConfigError, SchemaError

HOUR = 3_600_000
START = datetime(2024, 1, 1, tzinfo=UTC)


def stamps(hours: list[float], rate: float = 0.0001) -> pl.DataFrame:
    times = [START + timedelta(hours=hour) for hour in hours]
    return pl.DataFrame({"symbol": "BTCUSDT", "funding_time": times, "funding_rate": rate}).with_columns(
        pl.col("funding_time").cast(pl.Datetime("ms", "UTC"))
    )


def hourly(hours: list[int]) -> np.ndarray:
    return np.array([int(START.timestamp()) * 1_000 + hour * HOUR for hour in hours])


def test_a_stamp_belongs_to_the_bar_that_ends_at_it() -> None:
    before, at_close = align_funding(hourly([6, 7, 8]), HOUR, stamps([8]))
    assert before.tolist() == [0, 0, 0]
    assert at_close.tolist() == [0, 0.0001, 0]


def test_a_stamp_a_few_milliseconds_late_still_belongs_to_it() -> None:
    late = stamps([8]).with_columns(pl.col("funding_time") + pl.duration(milliseconds=5))
    assert align_funding(hourly([6, 7, 8]), HOUR, late)[1].tolist() == [0, 0.0001, 0]


def test_stamps_are_rounded_to_the_nearest_second() -> None:
    for late, row in ((400, 1), (600, 2)):
        moved = stamps([8]).with_columns(pl.col("funding_time") + pl.duration(milliseconds=late))
        assert align_funding(hourly([6, 7, 8]), HOUR, moved)[1][row] == 0.0001


def test_stamps_in_a_hole_wait_for_the_bar_behind_it() -> None:
    before, at_close = align_funding(hourly([5, 17, 18]), HOUR, stamps([8, 16]))
    assert before.tolist() == [0, 0.0002, 0]
    assert at_close.tolist() == [0, 0, 0]


def test_a_long_bar_holds_all_its_stamps() -> None:
    days = hourly([0, 24])
    before, at_close = align_funding(days, 24 * HOUR, stamps([0, 8, 16, 24, 32]))
    assert before.tolist() == [0, 0]
    assert at_close.tolist() == pytest.approx([0.0003, 0.0001])


def test_stamps_outside_the_bars_are_nobodys() -> None:
    before, at_close = align_funding(hourly([9, 10]), HOUR, stamps([0, 8, 9, 12, 16]))
    assert before.sum() + at_close.sum() == 0


def test_a_constant_rate_is_charged_three_times_a_day() -> None:
    times = hourly(list(range(48)))
    funding = constant_funding("BTCUSDT", int(times[0]), int(times[-1]) + HOUR, 0.0002)
    expected = [START + timedelta(hours=hour) for hour in (8, 16, 24, 32, 40, 48)]
    assert funding["funding_time"].to_list() == expected


def test_a_perpetual_without_funding_is_refused_unless_a_rate_is_set() -> None:
    times = hourly([0, 1])
    with pytest.raises(ConfigError, match=r"costs\.funding_rate"):
        funding_of("BTCUSDT", times, HOUR, Costs(), None)
    with pytest.raises(ConfigError, match="ETHUSDT"):
        funding_of("ETHUSDT", times, HOUR, Costs(), stamps([8]))
    assert funding_of("BTCUSDT", times, HOUR, Costs(funding_rate=0), None).is_empty()


def test_funding_that_ends_before_the_bars_is_refused() -> None:
    times = hourly(list(range(48)))
    with pytest.raises(SchemaError, match=r"2024-01-01 16:00:00.*8 hours"):
        funding_of("BTCUSDT", times, HOUR, Costs(), stamps([8, 16]))
    whole = stamps([8, 16, 24, 32, 40, 48])
    assert funding_of("BTCUSDT", times, HOUR, Costs(), whole).height == 6


def test_a_null_rate_is_refused() -> None:
    with pytest.raises(SchemaError, match="nulls"):
        funding_of("BTCUSDT", hourly([0, 1]), HOUR, Costs(), stamps([8]).with_columns(funding_rate=None))


@pytest.mark.parametrize("late", [0, 5, 499])
def test_two_stamps_of_one_second_are_refused_since_both_would_be_paid(late: int) -> None:
    again = stamps([16, 24]).with_columns(pl.col("funding_time") + pl.duration(milliseconds=late))
    with pytest.raises(
        SchemaError, match=r"BTCUSDT has 2 stamps of a second .* the first at 2024-01-01 16:00:00\+00:00"
    ):
        funding_of("BTCUSDT", hourly(list(range(24))), HOUR, Costs(), pl.concat([stamps([8, 16, 24]), again]))


def test_stamps_a_second_apart_and_those_of_other_symbols_are_no_duplicates() -> None:
    other = stamps([8, 16, 24]).with_columns(symbol=pl.lit("ETHUSDT"))
    apart = stamps([8]).with_columns(pl.col("funding_time") + pl.duration(seconds=1))
    both = pl.concat([stamps([8, 16, 24]), other, apart])
    assert funding_of("BTCUSDT", hourly(list(range(24))), HOUR, Costs(), both).height == 4


def test_recorded_funding_covers_the_bars_it_belongs_to(market_data: Path) -> None:
    funding = pl.read_parquet(market_data / "derivatives/binance_um_BTCUSDT_funding.parquet")
    funding = funding.with_columns(symbol=pl.lit("BTCUSDT.P"))
    bars = pl.read_parquet(market_data / "bars_5m/okx_perp_BTCUSDT_5m.parquet")
    times = bars["open_time"].to_physical().to_numpy()
    own = funding_of("BTCUSDT.P", times, HOUR // 12, Costs(), funding)
    before, at_close = align_funding(times, HOUR // 12, own)
    within = funding.filter(
        pl.col("funding_time").is_between(bars["open_time"][0], bars["open_time"][-1], closed="right")
    )
    assert before.sum() == 0
    assert at_close.sum() == pytest.approx(within["funding_rate"].sum())
