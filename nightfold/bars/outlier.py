"""Price spikes: how far a bar leaves what came before it, and what another venue says about it."""

from datetime import timedelta

import polars as pl

from nightfold.interval import duration
from nightfold.universe import Cleaning

LEVEL_BARS = 5
_DEVIATION = 1.4826  # of a normal variable, in units of its median absolute value


def with_bounds(rows: pl.DataFrame, interval: str, cleaning: Cleaning) -> pl.DataFrame:
    """Add what the bars before each row say about it.

    Parameters
    ----------
    rows
        Bars of one symbol with ``venue``, sorted by venue and stamp.
    interval, cleaning
        Length of a bar; window and limit.

    Returns
    -------
    DataFrame
        With ``level``, the median close of the last five bars, and ``bound``, the log distance from which a price is
        suspect: ``outlier_deviations`` times the robust deviation of ``ln(close / open)`` over ``outlier_window``
        bars. Bars count if they traded, the deviation only those that moved. Null where there are none before, or, for
        the bound, under a quarter of the window.
    """
    traded = pl.col("volume") > 0
    body = (pl.col("close") / pl.col("open")).log().abs()
    window = cleaning.outlier_window
    scale = cleaning.outlier_deviations * _DEVIATION
    moving = _median_before(pl.when(traded & (body > 0)).then(body), window * duration(interval), max(1, window // 4))
    return rows.with_columns(
        _median_before(pl.when(traded).then(pl.col("close")), LEVEL_BARS * duration(interval), 1).alias("level"),
        (scale * moving).alias("bound"),
    )


def judge_outliers(rows: pl.DataFrame, interval: str, cleaning: Cleaning) -> pl.DataFrame:
    """Mark the rows another venue refutes; cut back wicks that no venue can speak about.

    A row is suspect where its high or low lies further than ``bound`` from ``level`` (see `with_bounds`). It is
    *refuted* if another venue traded in the same bar without being suspect itself, and no venue went even half as far
    in that direction. Where no other venue traded, a wick longer than ``bound`` that the bar itself took back is cut to
    that length. Every other row stays: a close that jumps can only be told from a real move by what comes after it.

    Parameters
    ----------
    rows
        One symbol of the table ``raw_bars``, one row per venue and stamp.
    interval, cleaning
        Length of a bar; window and limit.

    Returns
    -------
    DataFrame
        The rows sorted by venue and stamp, with ``refuted`` and ``outlier`` (a wick was cut).
    """
    columns = rows.columns
    bounded = with_bounds(rows.sort("venue", "open_time"), interval, cleaning).with_columns(
        (pl.col("high") / pl.col("level")).log().alias("rise"),
        (pl.col("level") / pl.col("low")).log().alias("fall"),
    )
    traded = (pl.col("volume") > 0).cast(pl.Int32)
    alone = traded.sum().over("open_time") == traded
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    cap, floor = top * pl.col("bound").exp(), bottom * (-pl.col("bound")).exp()
    high = pl.when(alone & (pl.col("high") > cap)).then(cap).otherwise(pl.col("high")).alias("high")
    low = pl.when(alone & (pl.col("low") < floor)).then(floor).otherwise(pl.col("low")).alias("low")
    refuted = _refuted(bounded)
    return (
        bounded.with_columns(((high != pl.col("high")) | (low != pl.col("low"))).alias("outlier"))
        .with_columns(high, low)
        .join(refuted, on=["venue", "open_time"], how="left", maintain_order="left")
        .with_columns(pl.col("refuted").fill_null(False))
        .select(*columns, "outlier", "refuted")
    )


def suspected_spikes(bars: pl.DataFrame, interval: str, cleaning: Cleaning) -> int:
    """Count closes beyond the bound that went back more than half way at the next bar.

    Hindsight, for the report only: nothing is changed by it.
    """
    ahead = duration(interval)
    found = with_bounds(bars.with_columns(pl.col("symbol").alias("venue")), interval, cleaning).with_columns(
        (pl.col("close") / pl.col("level")).log().alias("jump"),
        (pl.col("close").shift(-1) / pl.col("level")).log().over("venue").alias("rest"),
        (pl.col("open_time").shift(-1) - pl.col("open_time") == ahead).over("venue").alias("followed"),
    )
    reverted = pl.col("rest") * pl.col("jump").sign() < pl.col("jump").abs() / 2
    return found.filter((pl.col("jump").abs() > pl.col("bound")) & reverted & pl.col("followed")).height


def _median_before(value: pl.Expr, window: timedelta, least: int) -> pl.Expr:
    return value.rolling_median_by("open_time", window_size=window, closed="left", min_samples=least).over("venue")


def _refuted(bounded: pl.DataFrame) -> pl.DataFrame:
    """Key of each suspect row that no other venue confirms and at least one calm one contradicts."""
    moves = bounded.select(
        "venue", "open_time", "rise", "fall", "bound", (pl.col("volume") > 0).alias("traded")
    ).with_columns((pl.max_horizontal("rise", "fall") > pl.col("bound")).fill_null(False).alias("suspect"))
    witnesses = moves.filter(pl.col("traded") & pl.col("rise").is_not_null())
    pairs = (
        moves.filter("suspect")
        .join(witnesses, on="open_time", suffix="_other")
        .filter(pl.col("venue") != pl.col("venue_other"))
    )
    contradicted = [
        (pl.col(way) > pl.col("bound")).first() & (pl.col(f"{way}_other").max() < pl.col(way).first() / 2)
        for way in ("rise", "fall")
    ]
    return (
        pairs.group_by("venue", "open_time")
        .agg(((contradicted[0] | contradicted[1]) & ~pl.col("suspect_other").all()).alias("refuted"))
        .filter("refuted")
    )
