"""Recorded funding rates of perpetual futures on disk."""

from collections.abc import Mapping

import polars as pl

from nightfold.backtest.funding import FUNDING_COLUMNS
from nightfold.errors import SourceError
from nightfold.schema import TIME
from resources.project import in_project


def read_funding(files: Mapping[str, str]) -> pl.DataFrame | None:
    """Read the rates of all symbols that have a file.

    Parameters
    ----------
    files
        File by symbol: Parquet, or CSV by its ending; columns ``funding_time`` (a time, or milliseconds since 1970) and
        ``funding_rate``.

    Returns
    -------
    DataFrame or None
        ``symbol``, ``funding_time``, ``funding_rate``, as `nightfold.backtest.engine.simulate` takes it; None without
        files.

    Raises
    ------
    SourceError
        If a file cannot be read or lacks a column.
    """
    frames = [_read(symbol, file) for symbol, file in sorted(files.items())]
    return pl.concat(frames) if frames else None


def _read(symbol: str, file: str) -> pl.DataFrame:
    path = in_project(file)
    try:
        found = pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
        absent = [name for name in FUNDING_COLUMNS[1:] if name not in found.columns]
        if absent:
            raise SourceError(f"{path} lacks {', '.join(absent)}; it has {', '.join(found.columns)}.")
        time = pl.col("funding_time")
        if found.schema["funding_time"] == pl.String:
            time = time.str.to_datetime(time_zone="UTC")
        return found.select(pl.lit(symbol).alias("symbol"), time.cast(TIME), pl.col("funding_rate").cast(pl.Float64))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"the funding rates of {symbol} cannot be read from {path}: {error}") from error
