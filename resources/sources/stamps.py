"""Time stamps of foreign tables: numbers of any unit, ISO text, dates, times with or without a zone."""

import polars as pl

from nightfold.errors import SourceError
from nightfold.schema import TIME

_EARLIEST, _LATEST = 631_152_000, 4_102_444_800  # 1990 to 2100 in seconds: so narrow that units cannot be mistaken
_UNITS = {"s": 1, "ms": 1_000, "µs": 1_000_000, "ns": 1_000_000_000}
_WHOLE_NUMBER, _NUMBER, _ISO_TIME = r"^\d+$", r"^\d+(\.\d*)?$", r"^\d{4}-\d{2}-\d{2}"


def time_expression(frame: pl.LazyFrame, name: str, where: str) -> pl.Expr:
    """Build the expression that reads a column of stamps as UTC times in ms.

    Parameters
    ----------
    frame
        The table; of it only the column of stamps is read, to tell how they are written.
    name
        The column: numbers in s, ms, µs or ns since 1970, told apart by their size; ISO text; dates; times. What has no
        zone is UTC. Parts of a millisecond are cut off.
    where
        What to call the table in an error.

    Raises
    ------
    SourceError
        If a stamp is missing, units are mixed, or text is no ISO time.
    """
    column, dtype = pl.col(name), frame.collect_schema()[name]
    if missing := frame.select(column.null_count()).collect().item():
        raise SourceError(f"{where}: {missing} rows have no `{name}`; remove them or complete the file.")
    if dtype == pl.String:
        column, dtype = _text(frame, name, where)
    if isinstance(dtype, pl.Datetime):
        return (
            (column if dtype.time_zone else column.dt.replace_time_zone("UTC")).dt.convert_time_zone("UTC").cast(TIME)
        )
    if dtype == pl.Date:
        return column.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    if dtype.is_numeric():
        return _number(frame, column, dtype, where)
    raise SourceError(f"{where}: `{name}` is of type {dtype}; it must hold times, dates, numbers or ISO text.")


def _text(frame: pl.LazyFrame, name: str, where: str) -> tuple[pl.Expr, pl.DataType]:
    """Read text as whole numbers, broken numbers or times, whichever all of it is."""
    column = pl.col(name).str.strip_chars()
    forms = [column.str.contains(form).all().alias(form) for form in (_WHOLE_NUMBER, _NUMBER, _ISO_TIME)]
    whole, number, iso = frame.select(forms).collect().row(0)
    if whole:
        return column.cast(pl.Int64), pl.Int64()
    if number:
        return column.cast(pl.Float64), pl.Float64()
    if iso:
        times = column.str.strip_suffix(" UTC").str.to_datetime(time_unit="ms", time_zone="UTC")
        return times, pl.Datetime("ms", "UTC")
    odd = frame.select(column.filter(~column.str.contains(_ISO_TIME)).first()).collect().item()
    raise SourceError(
        f"{where}: `{name}` holds {odd!r} (and maybe other forms); write times as 2024-01-31T23:55:00Z or as "
        "numbers of one unit since 1970."
    )


def _number(frame: pl.LazyFrame, column: pl.Expr, dtype: pl.DataType, where: str) -> pl.Expr:
    low, high = frame.select(column.min().alias("low"), column.max().alias("high")).collect().row(0)
    per_second = 1 if low is None else _per_second(low, high, where)
    if dtype.is_float():
        milliseconds = (column * (1_000 / per_second)).round().cast(pl.Int64)
    elif per_second >= 1_000:
        milliseconds = column.cast(pl.Int64) // (per_second // 1_000)
    else:
        milliseconds = column.cast(pl.Int64) * 1_000
    return milliseconds.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")


def _per_second(low: float, high: float, where: str) -> int:
    for per_second in _UNITS.values():
        if _EARLIEST * per_second <= low and high < _LATEST * per_second:
            return per_second
    raise SourceError(
        f"{where}: stamps run from {low} to {high}; no one unit ({', '.join(_UNITS)} since 1970) puts all of them "
        "between 1990 and 2100. Split the file or write one unit."
    )
