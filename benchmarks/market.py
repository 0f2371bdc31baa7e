"""Bars to measure on: recorded ones where they lie beside the project, else the simulated market."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from benchmarks.measure import PROJECT
from nightfold.bars.simulate import simulate_bars
from nightfold.source import SimulatedSource

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
COLUMNS = ("symbol", "open_time", "open", "high", "low", "close", "volume")

_RECORDED = PROJECT.parent / "shared" / "data" / "bars_5m"
_MILLION = 1_000_000
_SEED_SCALE = 124_277


@dataclass(frozen=True)
class Market:
    """Where bars come from."""

    folder: Path | None
    """Files `binance_spot_<symbol>_5m.parquet`; None: the simulated market."""

    @classmethod
    def find(cls) -> "Market":
        """Take recorded bars where they are."""
        return cls(_RECORDED if _RECORDED.is_dir() else None)

    @property
    def name(self) -> str:
        """What a report says of it."""
        return "simulated market" if self.folder is None else "recorded 5-minute bars of Binance spot"

    @cached_property
    def million(self) -> pl.DataFrame:
        """A million bars of several symbols."""
        if self.folder is None:
            frames = [self._simulated(symbol) for symbol in SYMBOLS]
        else:
            files = sorted(self.folder.glob("binance_spot_*_5m.parquet"))
            frames = [self._recorded(file) for file in files]
        return pl.concat(frames).head(_MILLION)

    @cached_property
    def seed_scale(self) -> pl.DataFrame:
        """As many bars of one symbol as the user's own system had."""
        return self.million.filter(symbol="BTCUSDT").tail(_SEED_SCALE)

    def _recorded(self, file: Path) -> pl.DataFrame:
        symbol = file.name.removeprefix("binance_spot_").removesuffix("_5m.parquet")
        time = pl.col("open_time").cast(pl.Datetime("ms", "UTC"))
        return pl.read_parquet(file).with_columns(time, symbol=pl.lit(symbol)).select(COLUMNS)

    def _simulated(self, symbol: str) -> pl.DataFrame:
        start = datetime(2021, 1, 1, tzinfo=UTC)
        end = start + timedelta(minutes=5 * (_MILLION // len(SYMBOLS) + 1))
        return simulate_bars([symbol], "5m", start, end, SimulatedSource()).select(COLUMNS)
