"""Where samples go: each lost row counted once, under the first reason that takes it."""

from collections.abc import Mapping, Sequence

import polars as pl

from nightfold.errors import SchemaError, UnknownNameError
from nightfold.interval import duration

REASONS = (
    "gap",
    "warm-up",
    "missing feature",
    "unknown future",
    "filter",
    "purge",
    "embargo",
    "other part",
)
KEPT = "kept"


def account(rows: pl.DataFrame, lost: Mapping[str, pl.Expr | pl.Series]) -> pl.DataFrame:
    """Count the rows that came in by what became of them.

    Parameters
    ----------
    rows
        One row per bar that came in, with ``symbol``.
    lost
        For some of `REASONS`, which rows it takes: a Boolean expression over ``rows`` or one value per row; null
        takes none. A row taken by several counts under the first of them in the order of `REASONS`.

    Returns
    -------
    DataFrame
        ``symbol``, ``reason``, ``rows``: per symbol every reason in order, then ``kept``; the rows of a symbol sum to
        its bars.

    Raises
    ------
    SchemaError
        If ``rows`` has no column ``symbol``.
    UnknownNameError
        If a reason is not one of `REASONS`.

    Examples
    --------
    >>> bars = pl.DataFrame({"symbol": ["A"] * 4, "sma": [None, None, 1.0, 2.0], "label": [1, 0, 1, None]})
    >>> table = account(bars, {"warm-up": pl.col("sma").is_null(), "unknown future": pl.col("label").is_null()})
    >>> dict(table.filter(pl.col("rows") > 0).select("reason", "rows").iter_rows())
    {'warm-up': 2, 'unknown future': 1, 'kept': 1}
    """
    if "symbol" not in rows.columns:
        raise SchemaError(f"`rows` lacks the column symbol; it has {', '.join(rows.columns)}.")
    for reason in lost:
        if reason not in REASONS:
            raise UnknownNameError("reason", reason, REASONS)
    order = pl.Enum([*REASONS, KEPT])
    first = pl.coalesce(
        *(pl.when(lost[reason]).then(pl.lit(reason)) for reason in REASONS if reason in lost), pl.lit(KEPT)
    )
    counted = rows.select("symbol", first.cast(order).alias("reason")).group_by("symbol", "reason").len("rows")
    every = rows.select(pl.col("symbol").unique()).join(pl.DataFrame({"reason": order.categories}), how="cross")
    return (
        every.with_columns(pl.col("reason").cast(order))
        .join(counted, on=["symbol", "reason"], how="left")
        .with_columns(pl.col("rows").fill_null(0))
        .sort("symbol", "reason")
    )


def account_table(accounts: pl.DataFrame) -> pl.DataFrame:
    """Lay an account out for reading: a row a reason, a column a symbol, and their sum where there are several.

    Returns
    -------
    DataFrame
        ``reason``: `bars` that came in, what took some of them in order, and `kept`; reasons that took none are left
        out.

    Examples
    --------
    >>> rows = [("A", "warm-up", 2), ("A", "kept", 5), ("B", "warm-up", 1), ("B", "kept", 6)]
    >>> table = account_table(pl.DataFrame(rows, ["symbol", "reason", "rows"], orient="row"))
    >>> table.rows()
    [('bars', 7, 7, 14), ('warm-up', 2, 1, 3), ('kept', 5, 6, 11)]
    """
    wide = accounts.with_columns(pl.col("reason").cast(pl.String)).pivot("symbol", index="reason", values="rows")
    symbols = wide.columns[1:]
    bars = wide.select(pl.lit("bars").alias("reason"), pl.col(symbols).sum())
    table = pl.concat([bars, wide.filter((pl.sum_horizontal(symbols) > 0) | (pl.col("reason") == KEPT))])
    return table if len(symbols) == 1 else table.with_columns(pl.sum_horizontal(symbols).alias("all"))


def data_losses(
    rows: pl.DataFrame, needed: Sequence[str], target: str, lookback: int, horizon: int, interval: str
) -> dict[str, pl.Series]:
    """Tell which rows the data itself takes: by holes, warm-up, missing features, and a future not yet known.

    Parameters
    ----------
    rows
        Features and targets of each bar with ``symbol`` and ``open_time``, sorted by them.
    needed
        Columns a sample cannot be without: the features, and ``volatility`` for a barrier target.
    target
        The column to learn, such as ``label_20``.
    lookback
        Most bars before its own that one of ``needed`` reads.
    horizon
        Bars after a row that its target may read.
    interval
        Length of a bar such as ``5m``.

    Returns
    -------
    dict
        Masks for `account`. ``gap``: a hole lies within ``lookback`` before a row with a null feature, or within
        ``horizon`` after a row with a null target. ``warm-up``: the same at the start of the symbol's rows. Any other
        null in ``needed`` is a ``missing feature``, in ``target`` an ``unknown future``.
    """
    after_hole = (pl.col("open_time").diff() > duration(interval)).fill_null(False)
    placed = rows.select(
        "symbol",
        after_hole.cum_sum().over("symbol").alias("stretch"),
        pl.any_horizontal(pl.col(list(needed)).is_null()).alias("unseen"),
        pl.col(target).is_null().alias("unknown"),
    ).with_columns(
        pl.int_range(pl.len()).over("symbol", "stretch").alias("age"),
        pl.int_range(pl.len(), 0, -1).over("symbol", "stretch").alias("bars_left"),
        (pl.col("stretch") < pl.col("stretch").max().over("symbol")).alias("hole_ahead"),
    )
    young = pl.col("unseen") & (pl.col("age") < lookback)
    cut_short = pl.col("unknown") & pl.col("hole_ahead") & (pl.col("bars_left") <= horizon)
    masks = placed.select(
        ((young & (pl.col("stretch") > 0)) | cut_short).alias("gap"),
        (young & (pl.col("stretch") == 0)).alias("warm-up"),
        pl.col("unseen").alias("missing feature"),
        pl.col("unknown").alias("unknown future"),
    )
    return {mask.name: mask for mask in masks}
