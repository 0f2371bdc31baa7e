"""Binance's public archive of bars: one zip file a month, and one a day where the month has none yet."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl

from nightfold.bars.symbol import parse_symbol
from nightfold.schema import RAW_BARS
from nightfold.source import ArchiveSource
from resources.sources.download import Downloader
from resources.sources.retry import Patience
from resources.sources.table import read_bars

_DAY = timedelta(days=1)
_TIMEOUT_S = 30.0


class BinanceArchive:
    """Spot bars, and perpetuals as USD-M futures; every zip file is fetched once and kept in ``cache``."""

    slug = "binance_archive"

    def __init__(
        self,
        spec: ArchiveSource,
        now: Callable[[], datetime],
        cache: Path,
        patience: Patience = Patience(),  # noqa: B008  # frozen
    ) -> None:
        self._address = spec.url.rstrip("/")
        self._now = now
        self._cache = cache / "binance_archive"
        client = httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True)
        self._downloader = Downloader(client, patience, now)

    def fetch(self, symbol: str, interval: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Fetch what is published of the range; days without a file give no rows. See `MarketDataSource.fetch`."""
        frames = [
            RAW_BARS.conform(read_bars(path, start, end).with_columns(symbol=pl.lit(symbol), venue=pl.lit("binance")))
            for path in self._zip_files(symbol, interval, start, end)
        ]
        return pl.concat([RAW_BARS.empty(), *frames]).sort("open_time", maintain_order=True)

    def coverage(self, symbol: str, interval: str) -> tuple[datetime, datetime] | None:
        """Unknown: the archive has no list that is cheap to read."""
        return None

    def symbols(self, interval: str) -> list[str] | None:
        """Unknown, for the same reason."""
        return None

    def _zip_files(self, symbol: str, interval: str, start: datetime, end: datetime) -> Iterator[Path]:
        """Whole past months as one file, the rest day by day."""
        end = min(end, self._now())
        month = datetime(start.year, start.month, 1, tzinfo=UTC)
        while month < end:
            following = (month + 31 * _DAY).replace(day=1)
            whole = self._zip_file(symbol, interval, "monthly", f"{month:%Y-%m}") if following <= self._now() else None
            if whole:
                yield whole
            else:
                yield from self._daily_files(symbol, interval, max(start, month), min(end, following))
            month = following

    def _daily_files(self, symbol: str, interval: str, start: datetime, end: datetime) -> Iterator[Path]:
        day = datetime(start.year, start.month, start.day, tzinfo=UTC)
        while day < end and day + _DAY <= self._now():
            if path := self._zip_file(symbol, interval, "daily", f"{day:%Y-%m-%d}"):
                yield path
            day += _DAY

    def _zip_file(self, symbol: str, interval: str, grain: str, date: str) -> Path | None:
        instrument = parse_symbol(symbol)
        market = "futures/um" if instrument.perpetual else "spot"
        name = f"{instrument.pair}-{interval}-{date}.zip"
        place = f"data/{market}/{grain}/klines/{instrument.pair}/{interval}/{name}"
        return self._downloader.zip_file(f"{self._address}/{place}", self._cache / place)
