"""Recorded funding rates: read from files, and paid by a perpetual account."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.errors import SourceError
from nightfold.universe import Universe
from resources.funding import read_funding

RATES = pl.DataFrame(
    {
        "funding_time": pl.Series(["2024-01-01T00:00:00.006", "2024-01-01T08:00:00"]).str.to_datetime(time_zone="UTC"),
        "funding_rate": [0.0001, -0.0002],
    }
)


def test_parquet_and_csv_are_read_alike(tmp_path: Path) -> None:
    RATES.write_parquet(tmp_path / "a.parquet")
    RATES.with_columns(pl.col("funding_time").dt.epoch("ms")).write_csv(tmp_path / "b.csv")
    found = read_funding({"BBBUSDT": str(tmp_path / "b.csv"), "AAAUSDT": str(tmp_path / "a.parquet")})
    assert found is not None
    assert found["symbol"].to_list() == ["AAAUSDT"] * 2 + ["BBBUSDT"] * 2
    one, other = (part.drop("symbol") for part in found.partition_by("symbol", maintain_order=True))
    assert one.equals(other)
    assert one["funding_rate"].to_list() == [0.0001, -0.0002]
    assert read_funding({}) is None


def test_a_file_that_is_not_there_or_lacks_a_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"AAAUSDT cannot be read from .*none\.parquet"):
        read_funding({"AAAUSDT": str(tmp_path / "none.parquet")})
    RATES.rename({"funding_rate": "rate"}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="lacks funding_rate; it has funding_time, rate"):
        read_funding({"AAAUSDT": str(tmp_path / "a.parquet")})


def test_only_symbols_of_the_universe_may_have_funding() -> None:
    given = {"source": "simulated", "symbols": ["BTCUSDT"], "start": "2024-01-01"}
    assert Universe.model_validate({**given, "funding": {"BTC/USDT": "f.csv"}}).funding == {"BTCUSDT": "f.csv"}
    with pytest.raises(ValueError, match="`funding` names ETHUSDT"):
        Universe.model_validate({**given, "funding": {"ETHUSDT": "f.csv"}})


def test_a_perpetual_pays_the_rates_that_were_recorded(market_data: Path) -> None:
    file = market_data / "derivatives" / "binance_um_BTCUSDT_funding.parquet"
    rates = read_funding({"BTCUSDT": str(file)})
    start, end = datetime(2022, 1, 3, tzinfo=UTC), datetime(2022, 1, 10, tzinfo=UTC)
    bars = pl.read_parquet(market_data / "bars_5m" / "binance_spot_BTCUSDT_5m.parquet").filter(
        pl.col("open_time").is_between(start, end, closed="left")
    )
    bars = bars.select(pl.lit("BTCUSDT").alias("symbol"), pl.all())
    held = bars.head(1).select("symbol", "open_time", target=pl.lit(-0.5))
    run = simulate(bars, held, Costs(), RiskLimits(instrument="perpetual"), funding=rates)
    stamps = pl.read_parquet(file).with_columns(pl.col("funding_time").dt.round("1s"))
    close = bars.select(funding_time=pl.col("open_time") + pl.duration(minutes=5), close="close")
    due = stamps.join(close, on="funding_time").filter(pl.col("funding_time") > start)
    expected = (run.fills["quantity"][0] * due["close"] * due["funding_rate"]).sum()
    assert due.height == 21
    assert run.funding["amount"].sum() == pytest.approx(expected)
    assert expected < 0  # the short was paid
