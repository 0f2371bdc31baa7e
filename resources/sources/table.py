"""Foreign tables on disk or in memory, read as raw bars."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import polars as pl

from nightfold.errors import SourceError
from nightfold.schema import FLOW, PRICES
from resources.sources.columns import BINANCE_COLUMNS, match_columns
from resources.sources.stamps import time_expression

ENDINGS = (".parquet", ".csv", ".csv.gz", ".zip")
"""Files that can be read; a zip file holds one CSV file."""

_EMPTY_WORDS = ["", "null", "NULL", "None", "nan", "NaN"]
_UNREADABLE = (pl.exceptions.PolarsError, OSError, EOFError, zipfile.BadZipFile, UnicodeDecodeError)


def read_bars(path: Path, start: datetime, end: datetime) -> pl.DataFrame:
    """Read the bars of a file that open from ``start`` on and before ``end``.

    Parameters
    ----------
    path
        A file with one of the `ENDINGS`. A CSV file may have a header or not; without one its columns are those of
        Binance's archive, the first six or all. Of Parquet only the rows asked for are read.
    start, end
        The range, UTC.

    Returns
    -------
    DataFrame
        ``open_time``, prices, volume and the flow columns that the file has, in the file's order. What is no number
        (empty, NaN, infinite) is null.

    Raises
    ------
    SourceError
        If the file cannot be read, a column is missing or a value is of the wrong type.
    """
    with _readable(path):
        return _rows(_scan(path), str(path)).filter(pl.col("open_time").is_between(start, end, closed="left")).collect()


def time_range(path: Path) -> tuple[datetime, datetime] | None:
    """Get the first and the last open time of a file, or None if it has no rows."""
    with _readable(path):
        times = _rows(_scan(path), str(path)).select("open_time")
        first, last = times.select(first=pl.col("open_time").min(), last=pl.col("open_time").max()).collect().row(0)
    return None if first is None else (first, last)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except _UNREADABLE as error:
        raise SourceError(
            f"{path} cannot be read as bars: {str(error).splitlines()[0]} Fetch or write it anew, or move it away."
        ) from error


def _scan(path: Path) -> pl.LazyFrame:
    if path.name.endswith(".parquet"):
        return pl.scan_parquet(path)
    if path.name.endswith(".gz"):
        return _scan_csv(gzip.decompress(path.read_bytes()), str(path))
    if path.name.endswith(".zip"):
        return _scan_csv(_unzip(path), str(path))
    return _scan_csv(path.read_bytes(), str(path))


def _unzip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) != 1:
            raise SourceError(f"{path} holds {len(names)} files ({', '.join(names[:3])}); it must hold one CSV file.")
        return archive.read(names[0])


def _scan_csv(content: bytes, where: str) -> pl.LazyFrame:
    """Read CSV as text columns, named by its header or by their places."""
    line = content.split(b"\n", 1)[0].decode("utf-8-sig").strip()
    if not line:
        raise SourceError(f"{where} is empty or begins with an empty line; fetch or write it anew, or move it away.")
    separator = max(",;\t", key=line.count)
    cells = [cell.strip(' "') for cell in line.split(separator)]
    has_header = not any(_is_number(cell) for cell in cells)
    if not has_header and len(cells) not in (6, 11, 12):
        raise SourceError(
            f"{where} has {len(cells)} columns and no header (it begins with {line[:60]!r}); without one it must have "
            f"the first 6, 11 or all 12 of {', '.join(BINANCE_COLUMNS)}. Add a header line."
        )
    frame = pl.read_csv(
        io.BytesIO(content),
        separator=separator,
        has_header=has_header,
        new_columns=cells if has_header else BINANCE_COLUMNS[: len(cells)],
        infer_schema=False,
        null_values=_EMPTY_WORDS,
    )
    return frame.lazy()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rows(frame: pl.LazyFrame, where: str) -> pl.LazyFrame:
    """Bring a foreign table into our columns and types."""
    columns = match_columns(frame.collect_schema().names(), where)
    numbers = [_number(columns[name]).alias(name) for name in (*PRICES, "volume", *FLOW) if name in columns]
    time = time_expression(frame, columns["open_time"], where).alias("open_time")
    return frame.select(time, *numbers)


def _number(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_finite()).then(value)
