"""Bar intervals: their spelling and their length."""

from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

Interval = Literal["1m", "5m", "15m", "1h", "4h", "1d"]

INTERVALS: tuple[Interval, ...] = get_args(Interval)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def milliseconds(interval: str) -> int:
    """Length of an interval such as ``5m`` in milliseconds.

    Examples
    --------
    >>> milliseconds("5m")
    300000
    """
    return int(interval[:-1]) * _MILLISECONDS[interval[-1]]


def duration(interval: str) -> timedelta:
    """Length of an interval such as ``1h``.

    Examples
    --------
    >>> duration("1h")
    datetime.timedelta(seconds=3600)
    """
    return timedelta(milliseconds=milliseconds(interval))


def last_close(moment: datetime, interval: str) -> datetime:
    """Close of the last bar that has closed by a moment.

    Examples
    --------
    >>> last_close(datetime(2024, 2, 1, 9, 59, tzinfo=UTC), "4h").hour
    8
    """
    return moment - (moment - _EPOCH) % duration(interval)
