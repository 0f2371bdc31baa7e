"""A bar that has just closed, checked and taken apart."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite, nan
from typing import Any, NamedTuple

from nightfold.errors import BarsError
from nightfold.features.checked import NUMBERS
from nightfold.schema import FLOW, KEY, PRICES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClosedBar(NamedTuple):
    """A bar that was checked."""

    symbol: str
    time: int
    """Open time in milliseconds since 1970."""
    numbers: list[float]
    """In the order asked for; NaN where one may be unknown and is."""


def read_bar(bar: Mapping[str, Any], columns: Sequence[str]) -> ClosedBar:
    """Check a bar and take it apart.

    Raises
    ------
    BarsError
        If it lacks one of the columns, or holds what cannot be.
    """
    absent = [name for name in (*KEY, *NUMBERS) if bar.get(name) is None]
    absent += [name for name in columns if name not in bar and name not in absent]
    if absent:
        raise BarsError(f"`bar` has no {', '.join(absent)}; it has {', '.join(bar)}.")
    time = bar["open_time"]
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise BarsError(f"`open_time` is {time!r}; it must be a datetime with a time zone, such as UTC.")
    faults = [f"{name} is {bar[name]}" for name in columns if bar[name] is not None and not _is_fit(name, bar[name])]
    faults = faults or _disorder(*(bar[name] for name in PRICES))
    if faults:
        raise BarsError(
            f"`bar` of {bar['symbol']} at {time} cannot be used: {', '.join(faults)}; prices must be above 0, volumes "
            "0 or more, all finite, and no price above the high or below the low."
        )
    numbers = [nan if bar[name] is None else float(bar[name]) for name in columns]
    return ClosedBar(bar["symbol"], (time - _EPOCH) // timedelta(milliseconds=1), numbers)


def moment(time: int) -> datetime:
    """Turn milliseconds since 1970 into a moment, UTC."""
    return _EPOCH + timedelta(milliseconds=time)


def _is_fit(name: str, value: float) -> bool:
    return isfinite(value) and (value > 0 if name in PRICES else value >= 0 or name not in ("volume", *FLOW))


def _disorder(opened: float, high: float, low: float, close: float) -> list[str]:
    highest, lowest = max(opened, low, close), min(opened, high, close)
    return [
        *([f"high is {high}, under {highest}"] if high < highest else []),
        *([f"low is {low}, over {lowest}"] if low > lowest else []),
    ]


def refuse_the_past(symbol: str, time: int, newest: int) -> None:
    """Raise a `BarsError` where a bar is not newer than the newest one, both in milliseconds since 1970."""
    if time > newest:
        return
    opens, known = moment(time), moment(newest)
    what = "has been taken already" if time == newest else "comes too late"
    raise BarsError(
        f"`bar` of {symbol} at {opens:%Y-%m-%d %H:%M:%S} UTC {what}: the newest is of {known:%Y-%m-%d %H:%M:%S}; "
        "bars must come once each and in order. Where history was mended, start again with `LiveFeatures.warm`."
    )
