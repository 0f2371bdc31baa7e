"""Time windows: the months or days that data partitions cover, and the periods a model is in force."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from nightfold.errors import ConfigError

Length = Literal["day", "week", "month"]

LONGEST: Mapping[Length, int] = {"day": 1, "week": 7, "month": 31}
"""Days in the longest window of a length."""

KEY_FORMAT = "%Y-%m-%d"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open stretch of time, ``start <= t < end``, both UTC."""

    start: datetime
    end: datetime

    @property
    def key(self) -> str:
        """Its name, ``2024-01-01`` for the month or day that starts then."""
        return self.start.strftime(KEY_FORMAT)


def midnight(day: date) -> datetime:
    """Start of a UTC day."""
    return datetime.combine(day, time(), UTC)


def window_of(moment: datetime, length: Length) -> Window:
    """Return the window that holds a moment.

    Examples
    --------
    >>> window_of(datetime(2024, 2, 29, 13, tzinfo=UTC), "month").end
    datetime.datetime(2024, 3, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    day = midnight(moment.astimezone(UTC).date())
    match length:
        case "day":
            return Window(day, day + timedelta(days=1))
        case "week":
            monday = day - timedelta(days=day.weekday())
            return Window(monday, monday + timedelta(days=7))
        case "month":
            first = day.replace(day=1)
            return Window(first, (first + timedelta(days=32)).replace(day=1))


def windows(start: datetime, end: datetime, length: Length) -> Iterator[Window]:
    """Yield the windows that meet ``start <= t < end``, whole, in order.

    Examples
    --------
    >>> [w.key for w in windows(datetime(2024, 1, 9, tzinfo=UTC), datetime(2024, 2, 2, tzinfo=UTC), "month")]
    ['2024-01-01', '2024-02-01']
    """
    window = window_of(start, length)
    while window.start < end:
        yield window
        window = window_of(window.end, length)


def parse_moment(text: str, parameter: str) -> datetime:
    """Read ``2024``, ``2024-06``, ``2024-06-30`` or a full ISO time as UTC.

    Raises
    ------
    ConfigError
        If it is none of these.

    Examples
    --------
    >>> parse_moment("2024-06", "from")
    datetime.datetime(2024, 6, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    padded = text + "-01-01"[3 * text.count("-") :] if len(text) <= len("2024-06") else text
    try:
        moment = datetime.fromisoformat(padded)
    except ValueError as error:
        raise ConfigError(
            f"`{parameter}` is {text!r}; it must be a month (2024-06), a day (2024-06-30) or an ISO time."
        ) from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def parse_end(text: str, parameter: str) -> datetime:
    """Read a year, month or day as the moment after it, and a full ISO time as itself.

    Raises
    ------
    ConfigError
        If it is none of these.

    Examples
    --------
    >>> parse_end("2024-06", "to")
    datetime.datetime(2024, 7, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    moment = parse_moment(text, parameter)
    match len(text):
        case 4:
            return moment.replace(year=moment.year + 1)
        case 7:
            return window_of(moment, "month").end
        case 10:
            return window_of(moment, "day").end
        case _:
            return moment
