"""What the lake holds of an asset."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from nightfold.errors import LakeError
from nightfold.interval import Interval, duration
from nightfold.universe import Universe
from nightfold.window import Window
from resources.lake import Lake


def last_open_time(lake: Lake, key: str, symbol: str) -> datetime | None:
    """Open time of the last stored row of one symbol; None where there is none."""
    for window in reversed(lake.partitions(key, [symbol])):
        stored = lake.require(key, [symbol], window.start, window.end, ["open_time"])
        if stored.height:
            last: datetime = stored["open_time"].max()  # type: ignore[assignment]  # a time column's maximum
            return last
    return None


def newest_bars(lake: Lake, key: str, symbols: Sequence[str], count: int, interval: Interval) -> pl.DataFrame:
    """Bars of the same span for all symbols, which holds the newest ``count`` of each that has no hole there.

    Raises
    ------
    LakeError
        If a symbol has none.
    """
    last = [last_open_time(lake, key, symbol) for symbol in symbols]
    absent = [symbol for symbol, time in zip(symbols, last, strict=True) if time is None]
    if absent:
        raise LakeError(
            f"the lake has no {key} of {', '.join(absent)}; `nightfold backfill --layer ingest` brings them in."
        )
    step, times = duration(interval), [time for time in last if time is not None]
    return lake.require(key, symbols, min(times) - (count - 1) * step, max(times) + step)


def latest_window(lake: Lake, key: str, universe: Universe) -> tuple[Window, pl.DataFrame]:
    """Latest stored window that has rows, with them.

    Raises
    ------
    LakeError
        If no window has rows.
    """
    for window in reversed(lake.partitions(key, universe.symbols)):
        frame = lake.require(key, universe.symbols, window.start, window.end)
        if frame.height:
            return window, frame
    raise LakeError(f"the lake has no rows of `{key}`; materialize it first.")
