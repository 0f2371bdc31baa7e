"""From what several venues recorded to one row a stamp: repeats, then venues."""

import polars as pl

from nightfold.errors import BarsError
from nightfold.schema import FLOW, PRICES
from nightfold.universe import Venues

SUMMED = ("volume", *FLOW)


def venue_order(rows: pl.DataFrame, venues: Venues) -> list[str]:
    """Venues of a frame by trust: those named in ``venues.order``, then the others by name.

    Examples
    --------
    >>> venue_order(pl.DataFrame({"venue": ["kraken", "binance", "okx"]}), Venues(order=["okx"]))
    ['okx', 'binance', 'kraken']
    """
    present = rows["venue"].unique().sort().to_list()
    return [v for v in venues.order if v in present] + [v for v in present if v not in venues.order]


def drop_duplicates(raw: pl.DataFrame) -> pl.DataFrame:
    """Keep one row per symbol, venue and stamp.

    Of rows that differ the most complete recording stays: the one with the largest volume, then trades, then range;
    where these are equal too, a fixed order of the values decides. The order of the rows never does.

    Parameters
    ----------
    raw
        Rows of the table ``raw_bars``.

    Returns
    -------
    DataFrame
        The rows kept, sorted by symbol, venue and stamp, with ``duplicate_dropped`` where there had been more.
    """
    key = ["symbol", "venue", "open_time"]
    rows = raw.with_columns((pl.len().over(key) > 1).alias("duplicate_dropped"))
    chosen = (
        rows.filter("duplicate_dropped")
        .sort("volume", "trades", pl.col("high") - pl.col("low"), *PRICES, *FLOW)
        .unique(key, keep="last", maintain_order=True)
    )
    return pl.concat([rows.filter(~pl.col("duplicate_dropped")), chosen]).sort(key)


def merge_venues(rows: pl.DataFrame, venues: Venues) -> pl.DataFrame:
    """Make one row per stamp out of the rows of several venues of one symbol.

    ``primary``: the row of the most trusted venue that has the stamp. ``consolidated``: open and close weighted by
    volume, highest high, lowest low, volumes and trades summed (null where one venue does not know them); rows without
    volume take no part unless there is no other, when the most trusted one stands.

    Parameters
    ----------
    rows
        Rows of the table ``raw_bars``, one per venue and stamp. Optional flags: ``refuted`` (another venue contradicts
        the row: it takes no part), ``outlier``, ``duplicate_dropped``.
    venues
        The order of trust, and which of the two rules holds.

    Returns
    -------
    DataFrame
        Sorted by stamp: the columns of ``rows`` with ``source`` in place of ``venue`` and ``refuted``; several sources
        are joined by ``+``. ``outlier`` also marks a row that stands in for a refuted one.

    Raises
    ------
    BarsError
        If the rows belong to several symbols, such as spot and perpetual, or a venue has a stamp twice.
    """
    _check_mergeable(rows)
    rank = {venue: position for position, venue in enumerate(venue_order(rows, venues))}
    flags = [name for name in ("refuted", "outlier", "duplicate_dropped") if name not in rows.columns]
    ranked = rows.with_columns(
        pl.col("venue").replace_strict(rank, return_dtype=pl.Int32).alias("rank"),
        *(pl.lit(False).alias(name) for name in flags),
    ).sort("open_time", "rank")
    stands = ranked.filter(~pl.col("refuted"))
    merged = _primary(stands) if venues.merge == "primary" else _consolidated(stands)
    refuted = ranked.filter("refuted").group_by("open_time").agg(pl.col("rank").min().alias("refuted_rank"))
    return (
        merged.join(refuted, on="open_time", how="left")
        .with_columns(pl.col("outlier") | (pl.col("refuted_rank") < pl.col("rank")).fill_null(False))
        .drop("rank", "refuted_rank", "refuted", *(name for name in flags if name != "refuted"))
        .sort("open_time")
    )


def _check_mergeable(rows: pl.DataFrame) -> None:
    symbols = rows["symbol"].unique().sort().to_list()
    if len(symbols) > 1:
        raise BarsError(
            f"`rows` mix the symbols {', '.join(symbols)}; venues are merged for one symbol at a time, and spot "
            "and perpetual never: split the frame by symbol."
        )
    repeated = rows.filter(pl.struct("venue", "open_time").is_duplicated())
    if len(repeated):
        venue, stamp = repeated.select("venue", "open_time").row(0)
        raise BarsError(f"`rows` have {venue} {stamp:%Y-%m-%d %H:%M} more than once; drop duplicates first.")


def _primary(ranked: pl.DataFrame) -> pl.DataFrame:
    return ranked.unique("open_time", keep="first", maintain_order=True).rename({"venue": "source"})


def _consolidated(ranked: pl.DataFrame) -> pl.DataFrame:
    traded = ranked.filter(pl.col("volume") > 0)
    weighted = (
        traded.group_by("open_time", maintain_order=True)
        .agg(
            pl.col("symbol").first(),
            *((pl.col(price) * pl.col("volume")).sum() / pl.col("volume").sum() for price in ("open", "close")),
            pl.col("high").max(),
            pl.col("low").min(),
            *(sum_or_null(name) for name in SUMMED),
            pl.col("venue").str.join("+").alias("source"),
            pl.col("outlier", "duplicate_dropped").any(),
            pl.lit(False).alias("refuted"),
            pl.lit(ranked["rank"].max(), pl.Int32).alias("rank") + 1,
        )
        # The weighted mean of equal prices may round to just outside their range.
        .with_columns(pl.col("open", "close").clip(pl.col("low"), pl.col("high")))
    )
    idle = _primary(ranked.join(traded, on="open_time", how="anti"))
    return pl.concat([weighted.select(idle.columns), idle])


def sum_or_null(name: str) -> pl.Expr:
    """Sum of a column within a group; null where one of its values is."""
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name)
