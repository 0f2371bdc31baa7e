"""Recorded bars, and what it means that two series agree."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray

from nightfold.features.compute import compute_features
from nightfold.features.segment import Segment
from nightfold.schema import FLOW, PRICES

Array = NDArray[np.float64]


def _bars(folder: Path, symbol: str, start: datetime, rows: int) -> pl.DataFrame:
    return (
        pl.scan_parquet(folder / f"bars_5m/binance_spot_{symbol}_5m.parquet")
        .filter(pl.col("open_time") >= start)
        .head(rows)
        .select(
            pl.lit(symbol).alias("symbol"),
            pl.col("open_time").cast(pl.Datetime("ms", "UTC")),
            pl.col("open", "high", "low", "close", "volume").cast(pl.Float64),
        )
        .collect()
    )


@pytest.fixture(scope="session")
def lively(market_data: Path) -> pl.DataFrame:
    """Solana through the collapse of FTX: no hole, no bar without a trade."""
    return _bars(market_data, "SOLUSDT", datetime(2022, 11, 6, tzinfo=UTC), 2_000)


@pytest.fixture(scope="session")
def outage(market_data: Path) -> pl.DataFrame:
    """Bitcoin around the exchange outage of 24 March 2023: flat bars without volume, then a hole."""
    return _bars(market_data, "BTCUSDT", datetime(2023, 3, 21, tzinfo=UTC), 2_000)


@pytest.fixture(scope="session")
def three(market_data: Path) -> pl.DataFrame:
    """Bitcoin, Ether and Solana through the collapse of FTX, with order flow: no hole, no bar without a trade."""
    frames = [
        pl.scan_parquet(market_data / f"bars_5m/binance_spot_{symbol}_5m.parquet")
        .filter(pl.col("open_time") >= datetime(2022, 11, 6, tzinfo=UTC))
        .head(1_200)
        .select(
            pl.lit(symbol).alias("symbol"),
            pl.col("open_time").cast(pl.Datetime("ms", "UTC")),
            pl.col(*PRICES, "volume", *FLOW).cast(pl.Float64),
        )
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    ]
    return pl.concat(pl.collect_all(frames))


@pytest.fixture(scope="session")
def market(lively: pl.DataFrame) -> pd.DataFrame:
    """The lively bars for twins in pandas and TA-Lib."""
    return lively.drop("symbol", "open_time").to_pandas()


@pytest.fixture(scope="session")
def ours(lively: pl.DataFrame) -> pl.DataFrame:
    """All features of the lively bars."""
    return compute_features(lively)


@pytest.fixture(scope="session")
def assert_agree() -> Callable[..., None]:
    """Compare as DEFINITIONS.md asks: within a share of the value plus that share of the standard deviation."""

    def compare(left: Array | pl.Series, right: Array | pd.Series, tolerance: float = 1e-6) -> None:
        one, other = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
        known = ~np.isnan(one)
        assert known.any()
        assert not np.isnan(other[known]).any()
        allowed = tolerance * (np.abs(other) + np.nanstd(other[known]))
        worst = np.nanmax(np.abs(one - other)[known] - allowed[known])
        assert worst <= 0, f"apart by {worst} more than allowed"

    return compare


@pytest.fixture(scope="session")
def segment() -> Callable[[pl.DataFrame], Segment]:
    """Make a segment of bars that have no hole."""

    def make(bars: pl.DataFrame) -> Segment:
        numbers = (bars[name].to_numpy(writable=True) for name in ("open", "high", "low", "close", "volume"))
        return Segment(bars["open_time"].dt.epoch("ms").to_numpy(), *numbers)

    return make
