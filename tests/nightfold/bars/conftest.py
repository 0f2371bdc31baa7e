"""Bars for tests: small ones made by hand or by chance, and recorded ones."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.interval import duration
from nightfold.schema import RAW_BARS

ORIGIN = datetime(2024, 3, 1, tzinfo=UTC)


def flat_raw(closes: list[float], venue: str = "alpha", interval: str = "5m", **columns: Any) -> pl.DataFrame:
    """Raw bars of one venue whose prices all equal the given closes; columns can be replaced."""
    times = [ORIGIN + position * duration(interval) for position in range(len(closes))]
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    frame = {"symbol": "BTCUSDT", "open_time": times, "venue": venue, **prices, "volume": 1.0, **columns}
    return RAW_BARS.conform(pl.DataFrame(frame))


def chance_raw(seed: int, rows: int = 160, venues: int = 1) -> pl.DataFrame:
    """Raw bars full of holes, repeats, idle bars, wicks and jumps; venues follow one market."""
    rng = np.random.default_rng(seed)
    market = 100 * np.exp(np.cumsum(0.001 * rng.standard_normal(rows + 1)))
    return pl.concat([_recording(rng, market, f"venue{number}") for number in range(venues)]).sample(
        fraction=1.0, shuffle=True, seed=seed % 1000
    )


def _recording(rng: np.random.Generator, market: np.ndarray, venue: str) -> pl.DataFrame:
    rows = len(market) - 1
    opened, closed = market[:-1] * 1.0, market[1:] * 1.0
    closed[rng.random(rows) < 0.02] *= 1.1
    high, low = np.maximum(opened, closed) * 1.0005, np.minimum(opened, closed) * 0.9995
    high[rng.random(rows) < 0.03] *= 1.2
    low[rng.random(rows) < 0.03] /= 1.2
    volume = np.where(rng.random(rows) < 0.1, 0.0, rng.uniform(0.5, 2.0, rows))
    frame = flat_raw(list(closed), venue, open=opened, high=high, low=low, volume=volume, trades=3)
    kept = np.flatnonzero(rng.random(rows) > 0.12)
    holes = [frame[start : start + 1 + int(rng.integers(0, 3))] for start in rng.integers(0, rows, 2)]
    return pl.concat([frame[kept.tolist()], *holes])


@pytest.fixture
def flat() -> Callable[..., pl.DataFrame]:
    """Maker of flat raw bars from closes."""
    return flat_raw


@pytest.fixture(scope="session")
def chance() -> Callable[..., pl.DataFrame]:
    """Maker of defective raw bars from a seed."""
    return chance_raw


@pytest.fixture(scope="session")
def recorded(market_data: Path) -> Callable[..., pl.DataFrame]:
    """Reader of recorded bars as raw bars: file, venue, symbol."""

    def read(file: str, venue: str, symbol: str) -> pl.DataFrame:
        frame = pl.read_parquet(market_data / f"{file}.parquet")
        return RAW_BARS.conform(frame.with_columns(pl.lit(symbol).alias("symbol"), pl.lit(venue).alias("venue")))

    return read


@pytest.fixture(scope="session")
def recorded_json(market_data: Path) -> Callable[..., pl.DataFrame]:
    """Reader of the defective JSON samples, under the column names they claim to have."""

    def read(file: str, venue: str, symbol: str) -> pl.DataFrame:
        rows = json.loads((market_data / "raw_samples" / "defects" / file).read_text())
        names = ["open_time", "open", "high", "low", "close", "volume"]
        frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(
            pl.from_epoch("open_time", "ms").dt.replace_time_zone("UTC"),
            pl.lit(symbol).alias("symbol"),
            pl.lit(venue).alias("venue"),
        )
        return RAW_BARS.conform(frame)

    return read


@pytest.fixture
def at() -> Callable[[int], datetime]:
    """Open time of the five-minute bar at a position of the made frames."""
    return lambda position: ORIGIN + position * timedelta(minutes=5)
