"""From raw rows to clean bars: refused at the door, or repaired and flagged, never with later bars' help."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from nightfold.bars.door import check_raw_bars
from nightfold.bars.merge import drop_duplicates, merge_venues
from nightfold.bars.outlier import LEVEL_BARS, judge_outliers, suspected_spikes
from nightfold.interval import duration, milliseconds
from nightfold.schema import BARS, FLOW, PRICES, RAW_BARS
from nightfold.universe import Cleaning, Venues


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """How many bars there are, how many of them were repaired, and how."""

    rows: int
    gap_filled: int
    outliers: int
    duplicates_dropped: int
    zero_volume: int
    suspected_spikes: int
    """Closes that jumped and came back at the next bar: counted with hindsight, never changed."""


def margin(interval: str, cleaning: Cleaning) -> timedelta:
    """Raw history before `start` that settles every clean bar from `start` on.

    Examples
    --------
    >>> margin("5m", Cleaning())
    datetime.timedelta(days=1, seconds=2100)
    """
    return duration(interval) * (max(cleaning.outlier_window, LEVEL_BARS) + cleaning.max_fill_bars + 1)


def settling(interval: str, cleaning: Cleaning) -> timedelta:
    """Raw bars from `end` on that tell whether a hole which reaches `end` is short.

    Examples
    --------
    >>> settling("5m", Cleaning())
    datetime.timedelta(seconds=1800)
    """
    return duration(interval) * cleaning.max_fill_bars


def clean_bars(
    raw: pl.DataFrame,
    interval: str,
    start: datetime,
    end: datetime,
    cleaning: Cleaning,
    venues: Venues,
    now: datetime | None = None,
) -> pl.DataFrame:
    """Check, repair and flag raw rows; merge venues; fill short holes.

    No price, volume or flag of a row depends on a later bar. That a hole was short is known once it has ended: its flat
    bars come into being with the next real bar, from values known before the hole, and a hole still open is left as it
    is. Cleaning month by month gives the rows of cleaning the whole range, if each month comes with the raw rows of
    `margin` before it and of `settling` after it (where they exist yet).

    Parameters
    ----------
    raw
        Rows of the table ``raw_bars``: any order, symbols and venues; rows beyond the margins are only checked.
    interval
        Length of a bar.
    start, end
        What to return, UTC: ``start <= open_time < end``.
    cleaning, venues
        Limits of repair; how venues of one symbol become one series.
    now
        Bars that close later are refused; unchecked where None.

    Returns
    -------
    DataFrame
        The table ``bars``, sorted by symbol and stamp. Zero-volume bars stay and are flagged; longer holes stay holes.

    Raises
    ------
    BarsError
        If something cannot be repaired; the message lists every fault.
    SchemaError
        If a column is absent or of the wrong type.
    """
    rows = RAW_BARS.conform(raw)
    check_raw_bars(rows, interval, now)
    needed = (start - margin(interval, cleaning), end + settling(interval, cleaning))
    kept = drop_duplicates(rows.filter(pl.col("open_time").is_between(*needed, closed="left")))
    symbols = [_clean_symbol(part, interval, cleaning, venues) for part in kept.partition_by("symbol")]
    return (
        pl.concat([BARS.empty(), *symbols])
        .filter(pl.col("open_time").is_between(start, end, closed="left"))
        .sort("symbol", "open_time")
    )


def cleaning_report(bars: pl.DataFrame, interval: str, cleaning: Cleaning) -> CleaningReport:
    """Count the repairs that the flags of clean bars tell of, and the spikes left alone."""
    return CleaningReport(
        rows=len(bars),
        gap_filled=int(bars["gap_filled"].sum()),
        outliers=int(bars["outlier"].sum()),
        duplicates_dropped=int(bars["duplicate_dropped"].sum()),
        zero_volume=int(bars["zero_volume"].sum()),
        suspected_spikes=suspected_spikes(bars, interval, cleaning),
    )


def _clean_symbol(rows: pl.DataFrame, interval: str, cleaning: Cleaning, venues: Venues) -> pl.DataFrame:
    merged = merge_venues(judge_outliers(rows, interval, cleaning), venues)
    filled = _fill_holes(merged.with_columns(pl.lit(False).alias("gap_filled")), interval, cleaning.max_fill_bars)
    return BARS.conform(filled.with_columns((pl.col("volume") == 0).alias("zero_volume")))


def _fill_holes(bars: pl.DataFrame, interval: str, max_fill_bars: int) -> pl.DataFrame:
    """Repeat the last close, flat and without volume, through holes of up to so many bars that have ended."""
    step = milliseconds(interval)
    following = pl.col("open_time").shift(-1)
    missing = (following - pl.col("open_time")).dt.total_milliseconds() // step - 1
    before_hole = bars.with_columns(missing.alias("missing")).filter(pl.col("missing").is_between(1, max_fill_bars))
    flat = (
        before_hole.with_columns(pl.int_ranges(1, pl.col("missing") + 1).alias("position"))
        .explode("position")
        .with_columns(
            pl.col("open_time") + pl.duration(milliseconds=pl.col("position") * step, time_unit="ms"),
            *(pl.col("close").alias(name) for name in PRICES),
            *(pl.col(name) * 0 for name in ("volume", *FLOW)),
            pl.lit(True).alias("gap_filled"),
            pl.lit(False).alias("outlier"),
            pl.lit(False).alias("duplicate_dropped"),
        )
    )
    return pl.concat([bars, flat.select(bars.columns)]).sort("open_time")
