"""Strategies that anyone could have run instead."""

import polars as pl


def buy_and_hold(bars: pl.DataFrame) -> pl.DataFrame:
    """Targets that buy every symbol at its first bar, in equal parts, and keep it.

    Parameters
    ----------
    bars
        ``symbol`` and ``open_time``, any order.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``target``: one row a symbol. A symbol that starts later is bought later, with
        its part of the equity then, as far as cash goes.
    """
    first = bars.group_by("symbol").agg(pl.col("open_time").min()).sort("symbol")
    return first.with_columns(target=1.0 / pl.len())
