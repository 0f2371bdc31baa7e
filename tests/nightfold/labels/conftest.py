"""Bars for label tests: made by hand, made by chance, and recorded."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

START = datetime(2024, 1, 1, tzinfo=UTC)
BAR = timedelta(minutes=5)
PRICES = ("open", "high", "low", "close")


@pytest.fixture
def made_bars() -> Callable[..., pl.DataFrame]:
    """Bars of one symbol from rows of (open, high, low, close) at given steps of five minutes."""

    def make(
        rows: list[tuple[float, float, float, float]], steps: list[int] | None = None, symbol: str = "A"
    ) -> pl.DataFrame:
        times = [START + BAR * step for step in (steps or range(len(rows)))]
        prices = pl.DataFrame(rows, schema=dict.fromkeys(PRICES, pl.Float64), orient="row")
        return prices.select(
            pl.lit(symbol).alias("symbol"),
            pl.Series("open_time", times, dtype=pl.Datetime("ms", "UTC")),
            *PRICES,
            pl.lit(1.0).alias("volume"),
        )

    return make


@pytest.fixture
def random_bars(made_bars: Callable[..., pl.DataFrame]) -> Callable[..., pl.DataFrame]:
    """Bars of a seeded random walk whose prices are multiples of a coarse tick, so that ties and flat bars occur."""

    def make(count: int, seed: int, steps: list[int] | None = None, symbol: str = "A") -> pl.DataFrame:
        random = np.random.default_rng(seed)
        inner = np.round(1000 + np.cumsum(random.integers(-3, 4, (count, 8)).ravel())).reshape(count, 8) / 8
        rows = zip(inner[:, 0], inner.max(axis=1), inner.min(axis=1), inner[:, -1], strict=True)
        return made_bars(list(rows), steps, symbol)

    return make


@pytest.fixture(scope="session")
def recorded_bars(market_data: Path) -> Callable[..., pl.DataFrame]:
    """Read recorded five-minute bars of one symbol between two moments."""

    def read(symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        path = market_data / "bars_5m" / f"binance_spot_{symbol}_5m.parquet"
        bars = pl.read_parquet(path).with_columns(pl.col("open_time").cast(pl.Datetime("ms", "UTC")))
        return bars.filter(pl.col("open_time").is_between(start, end, closed="left")).select(
            pl.lit(symbol).alias("symbol"), "open_time", *PRICES, "volume"
        )

    return read
