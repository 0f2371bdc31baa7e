"""What the other symbols did in the very same bar, laid beside each bar: all that cross-asset features see of them."""

from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import ConfigError
from nightfold.features.segment import Array

MARKET = ("leader_close", "market_value")
"""Columns that are made here when a feature needs them."""


def market_columns(ordered: pl.DataFrame, leader: str | None, wanted: Collection[str]) -> dict[str, Array]:
    """Look up for each bar what happened at its own open time in other symbols.

    Whoever has no bar there is not there: what a bar is given never depends on who comes to the market later.

    Parameters
    ----------
    ordered
        Checked bars, best of several symbols, sorted by symbol and time.
    leader
        Symbol whose close is ``leader_close``.
    wanted
        Which of `MARKET` to make.

    Returns
    -------
    dict
        ``leader_close``: the leader's close, NaN where it has no bar. ``market_value``: typical price times volume,
        summed over the symbols that have the bar.

    Raises
    ------
    ConfigError
        If the leader's close is wanted and no leader is named.
    """
    time = ordered["open_time"].dt.epoch("ms").to_numpy()
    columns = {}
    if "leader_close" in wanted:
        columns["leader_close"] = _leader_close(ordered, time, leader)
    if "market_value" in wanted:
        columns["market_value"] = _market_value(ordered, time)
    return columns


def _leader_close(ordered: pl.DataFrame, time: NDArray[np.int64], leader: str | None) -> Array:
    if leader is None:
        symbols = ordered["symbol"].unique().sort()
        raise ConfigError(f"`leader` is None; name the symbol that others are compared with: {', '.join(symbols)}.")
    leads = (ordered["symbol"] == leader).to_numpy()
    its_time, its_close = time[leads], ordered["close"].to_numpy()[leads]
    if not its_time.size:
        return np.full(time.size, np.nan)
    place = np.minimum(np.searchsorted(its_time, time), len(its_time) - 1)
    return np.where(its_time[place] == time, its_close[place], np.nan)


def _market_value(ordered: pl.DataFrame, time: NDArray[np.int64]) -> Array:
    """Add up in the order of the symbols, so that equal bars give equal bytes."""
    value = ordered.select((pl.col("high") + pl.col("low") + pl.col("close")) / 3 * pl.col("volume")).to_series()
    _, moment = np.unique(time, return_inverse=True)
    return np.asarray(np.bincount(moment, weights=value.to_numpy())[moment], dtype=np.float64)
