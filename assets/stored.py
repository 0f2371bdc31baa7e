"""What the lake holds of an asset."""

from datetime import datetime

import polars as pl

from nightfold.errors import LakeError
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
