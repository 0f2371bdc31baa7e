"""What the lake holds of an asset."""

from datetime import datetime

from resources.lake import Lake


def last_open_time(lake: Lake, key: str, symbol: str) -> datetime | None:
    """Open time of the last stored row of one symbol; None where there is none."""
    for window in reversed(lake.partitions(key, [symbol])):
        stored = lake.require(key, [symbol], window.start, window.end, ["open_time"])
        if stored.height:
            last: datetime = stored["open_time"].max()  # type: ignore[assignment]  # a time column's maximum
            return last
    return None
