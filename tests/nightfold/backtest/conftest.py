"""Small hand-made markets."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

START = datetime(2024, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)


@pytest.fixture(scope="session")
def at() -> Callable[[int], datetime]:
    """Open time of the bar with a number."""
    return lambda number: START + number * STEP


@pytest.fixture(scope="session")
def candles() -> Callable[..., pl.DataFrame]:
    """Bars of one symbol from (open, high, low, close[, volume]); None is a missing bar."""

    def build(rows: Sequence[tuple[float, ...] | None], symbol: str = "BTCUSDT") -> pl.DataFrame:
        return pl.DataFrame(
            [
                (symbol, START + number * STEP, *map(float, (*row, 1.0)[:5]))
                for number, row in enumerate(rows)
                if row is not None
            ],
            schema={
                "symbol": pl.String,
                "open_time": pl.Datetime("ms", "UTC"),
                **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64),
            },
            orient="row",
        )

    return build


@pytest.fixture(scope="session")
def wanted() -> Callable[..., pl.DataFrame]:
    """Targets of one symbol by bar number: a target, or (target, stop, take-profit)."""

    def build(decisions: Mapping[int, object], symbol: str = "BTCUSDT") -> pl.DataFrame:
        rows = [
            (symbol, START + number * STEP, *(value if isinstance(value, tuple) else (value, None, None)))
            for number, value in decisions.items()
        ]
        prices = dict.fromkeys(("target", "stop", "take_profit"), pl.Float64)
        return pl.DataFrame(
            rows, schema={"symbol": pl.String, "open_time": pl.Datetime("ms", "UTC"), **prices}, orient="row"
        )

    return build
