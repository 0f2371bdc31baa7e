"""Coarser bars from finer ones, each only once its whole span is over."""

from datetime import datetime

import polars as pl

from nightfold.bars.door import check_raw_bars
from nightfold.bars.merge import SUMMED, drop_duplicates, sum_or_null
from nightfold.errors import ConfigError
from nightfold.interval import duration, milliseconds
from nightfold.schema import BARS, RAW_BARS


def resample_bars(
    bars: pl.DataFrame,
    interval_from: str,
    interval_to: str,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Aggregate bars to a coarser interval.

    A coarse bar opens at a whole multiple of its interval since 1970 (UTC), is known at its close, and is made of the
    fine bars that open within it: first open, highest high, lowest low, last close, summed volumes and trades. Holes
    inside are no obstacle (a minute without trades has no row on some venues); with no fine bar at all there is no
    coarse one. A span that ``start`` or ``end`` cuts gives none: an unfinished bar is never seen.

    Parameters
    ----------
    bars
        The table ``bars`` or ``raw_bars``, any number of symbols, any order. Raw rows are checked at the door, and one
        of several rows for a stamp counts; venues stay apart.
    interval_from, interval_to
        Length of the fine and of the coarse bars; one divides the other.
    start, end
        The range in which ``bars`` hold everything there is. By default, for each symbol (and venue), from its first
        open to its last close.

    Returns
    -------
    DataFrame
        The same table, coarser, sorted by symbol, stamp (and venue). ``outlier`` and ``duplicate_dropped`` hold where
        any fine bar has them, ``gap_filled`` where all have; ``zero_volume`` where nothing traded. A sum is null where
        a part of it is.

    Raises
    ------
    ConfigError
        If one interval does not divide the other.
    BarsError
        If raw rows cannot be repaired.
    """
    fine_step, step = milliseconds(interval_from), milliseconds(interval_to)
    if step % fine_step:
        raise ConfigError(
            f"`interval_to` is {interval_to}, `interval_from` {interval_from}; the first must be a whole multiple."
        )
    is_raw = "venue" in bars.columns
    table, key = (RAW_BARS, ["symbol", "venue"]) if is_raw else (BARS, ["symbol"])
    fine = _distinct(table.conform(bars), interval_from) if is_raw else table.conform(bars).sort(*key, "open_time")
    first = pl.lit(start) if start else pl.col("open_time").min().over(key)
    last = pl.lit(end) if end else pl.col("open_time").max().over(key) + duration(interval_from)
    coarse_time = pl.col("open_time").dt.truncate(f"{step}ms")
    whole = (coarse_time >= first) & (coarse_time + duration(interval_to) <= last)
    flags = [] if is_raw else _flags()
    return table.conform(
        fine.filter(whole)
        .group_by(*key, coarse_time, maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            *(sum_or_null(name) for name in SUMMED),
            *flags,
        )
        .sort("symbol", "open_time", *key[1:])
    )


def _distinct(raw: pl.DataFrame, interval: str) -> pl.DataFrame:
    check_raw_bars(raw, interval)
    return drop_duplicates(raw)


def _flags() -> list[pl.Expr]:
    return [
        pl.col("source").unique(maintain_order=True).str.join("+"),
        pl.col("gap_filled").all(),
        pl.col("outlier", "duplicate_dropped").any(),
        (pl.col("volume").sum() == 0).alias("zero_volume"),
    ]
