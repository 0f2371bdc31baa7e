"""Parquet and CSV files on disk as a source; names tell what is in them."""

import glob
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from nightfold.bars.symbol import normalize_symbol
from nightfold.errors import ConfigError, SourceError
from nightfold.interval import INTERVALS, duration
from nightfold.schema import RAW_BARS
from nightfold.source import FolderSource
from resources.project import in_project
from resources.sources.table import ENDINGS, read_bars, time_range

_PERPETUAL_MARKETS = ("perp", "perpetual", "swap", "future", "futures", "um", "linear")
_PARTS = {
    "venue": "(?P<venue>.+?)",
    "market": f"(?P<market>spot|{'|'.join(_PERPETUAL_MARKETS)})",
    "symbol": "(?P<symbol>.+?)",
    "interval": f"(?P<interval>{'|'.join(INTERVALS)})",
    "any": ".+?",
}


@dataclass(frozen=True, slots=True)
class BarFile:
    """A file and what its name says."""

    path: Path
    venue: str
    symbol: str
    interval: str


class BarFolder:
    """A folder of bars; looked at anew at each question, so files may come and grow."""

    def __init__(self, spec: FolderSource) -> None:
        self._spec = spec
        self._name = _name_expression(spec.name_pattern)

    @property
    def slug(self) -> str:
        """``folder-``, the last part of the path, and a digest of path and pattern."""
        last = re.sub(r"[^A-Za-z0-9_]+", "-", Path(self._spec.path).name).strip("-_") or "files"
        return f"folder-{last}-{self._spec.fingerprint[:6]}"

    def fetch(self, symbol: str, interval: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Read the rows from all files of the symbol; see `MarketDataSource.fetch`."""
        files = self._files(symbol, interval)
        frames = [
            RAW_BARS.conform(
                read_bars(file.path, start, end).with_columns(symbol=pl.lit(symbol), venue=pl.lit(file.venue))
            )
            for file in files
        ]
        return pl.concat(frames).sort("open_time", maintain_order=True)

    def coverage(self, symbol: str, interval: str) -> tuple[datetime, datetime] | None:
        """From the first row of any file to the end of the last one; None if the files hold no rows."""
        ranges = [found for file in self._files(symbol, interval) if (found := time_range(file.path))]
        if not ranges:
            return None
        return min(first for first, _ in ranges), max(last for _, last in ranges) + duration(interval)

    def symbols(self, interval: str) -> list[str] | None:
        """Symbols that have a file of this interval, sorted."""
        return sorted({file.symbol for file in self._all_files() if file.interval == interval})

    def _files(self, symbol: str, interval: str) -> list[BarFile]:
        files = self._all_files()
        chosen = [file for file in files if (file.symbol, file.interval) == (symbol, interval)]
        if not chosen:
            intervals = sorted({file.interval for file in files if file.symbol == symbol})
            symbols = sorted({file.symbol for file in files if file.interval == interval})
            raise SourceError(
                f"`folder` {self._spec.path} has no {symbol} at {interval}. Of {symbol} it has "
                f"{', '.join(intervals) or 'nothing'}; at {interval} it has {', '.join(symbols) or 'nothing'}. Change "
                "`symbols`, or set `source_interval` to an interval that is there."
            )
        return chosen

    def _all_files(self) -> list[BarFile]:
        """All files whose names can be read, by name; an error if there is none."""
        paths = _list_paths(self._spec.path)
        files = [file for path in paths if (file := self._read_name(path))]
        if not files:
            found = f"found are {', '.join(path.name for path in paths[:3])}" if paths else "nothing is there"
            raise SourceError(
                f"`folder` {self._spec.path} has no file named {self._spec.name_pattern} with an ending "
                f"{', '.join(ENDINGS)}, a symbol such as BTCUSDT and an interval of {', '.join(INTERVALS)}; {found}. "
                "Change `path` or `name_pattern`."
            )
        return files

    def _read_name(self, path: Path) -> BarFile | None:
        ending = next((ending for ending in sorted(ENDINGS, key=len, reverse=True) if path.name.endswith(ending)), None)
        named = self._name.fullmatch(path.name.removesuffix(ending)) if ending else None
        if not named:
            return None
        parts = named.groupdict()
        try:
            symbol = normalize_symbol(parts["symbol"])
        except ConfigError:
            return None
        if parts.get("market") in _PERPETUAL_MARKETS:
            symbol = f"{symbol.removesuffix('.P')}.P"
        return BarFile(path, parts.get("venue", "folder"), symbol, parts["interval"])


def _list_paths(path: str) -> list[Path]:
    place = in_project(path)
    found = place.iterdir() if place.is_dir() else map(Path, glob.glob(str(place), recursive=True))  # noqa: PTH207  # the pattern may be absolute
    return sorted(path for path in found if path.is_file())


def _name_expression(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", pattern)
    return re.compile("".join(_PARTS[piece] if at % 2 else re.escape(piece) for at, piece in enumerate(pieces)))
