"""Axes: where a value lies between two edges, and which values are worth a label."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Label = Callable[[float, float], str]
"""Writes a tick, given its value and the distance to the next."""

_ROUNDING = 1e-9
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
_DAY_STEPS = (1, 2, 7, 14)


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of numbers, its labelled ticks, and whether equal ratios are equally long."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    is_log: bool = False

    def at(self, value: float) -> float:
        """Place of a value: 0 at the low edge, 1 at the high one."""
        low, high, value = (math.log(v) if self.is_log else v for v in (self.low, self.high, value))
        return (value - low) / (high - low)


def linear_axis(low: float, high: float, label: Label, n_ticks: int = 5) -> Axis:
    """Axis over ``low`` to ``high``, widened to round numbers; what is one value but for rounding gets some room."""
    size = max(abs(low), abs(high))
    if high - low <= _ROUNDING * size:
        room = 0.05 * size or 0.01
        low, high = low - room, high + room
    step = round_step((high - low) / n_ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    values = [i * step for i in range(first, last + 1)]
    return Axis(values[0], values[-1], [(value, label(value, step)) for value in values])


def log_axis(low: float, high: float, label: Label, n_ticks: int = 5) -> Axis:
    """Axis over positive ``low`` to ``high`` on which equal ratios are equally long."""
    linear = linear_axis(low, high, label, n_ticks)
    if linear.low > 0 and high / low < 3:
        return Axis(linear.low, linear.high, linear.ticks, is_log=True)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    values = [part * 10.0**power for power in powers for part in (1.0, 2.0, 5.0)]
    first = max(value for value in values if value <= low)
    last = min((value for value in values if value >= high), default=high)
    shown = [value for value in values if first <= value <= last]
    every = math.ceil(len(shown) / (n_ticks + 2))
    return Axis(first, last, [(value, label(value, value)) for value in shown[::every]], is_log=True)


def time_axis(low: float, high: float, n_ticks: int = 7) -> Axis:
    """Axis over days since 1970, with ticks on days or firsts of months."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    span = high - low
    for days in _DAY_STEPS:
        if span / days <= n_ticks:
            return Axis(low, high, [(tick, _day_label(tick)) for tick in _steps(low, high, days)])
    months = next((step for step in _MONTH_STEPS if span / 30.4 / step <= n_ticks), _MONTH_STEPS[-1])
    return Axis(low, high, _month_ticks(low, high, months))


def round_step(rough: float) -> float:
    """Smallest of 1, 2, 2.5, 5 times a power of ten that is at least ``rough``.

    Examples
    --------
    >>> round_step(0.03), round_step(7.0)
    (0.05, 10.0)
    """
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))


def day_number(value: date | datetime) -> float:
    """Days since 1970 began.

    Examples
    --------
    >>> day_number(date(1970, 1, 2)), day_number(datetime(1970, 1, 1, 12, tzinfo=UTC))
    (1.0, 0.5)
    """
    when = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    return (when - EPOCH) / timedelta(days=1)


def ending_day(place: float) -> date:
    """Day that ends at a place on a time axis: midnight belongs to the day before.

    Examples
    --------
    >>> ending_day(1.0)
    datetime.date(1970, 1, 1)
    """
    return (EPOCH + timedelta(days=math.ceil(place) - 1)).date()


def _steps(low: float, high: float, step: int) -> list[float]:
    first = math.ceil(low)
    return [float(tick) for tick in range(first, math.floor(high) + 1, step)]


def _month_ticks(low: float, high: float, step: int) -> list[tuple[float, str]]:
    start, end = EPOCH + timedelta(days=low), EPOCH + timedelta(days=high)
    first, last = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
    ticks = []
    for index in range(first, last + 1):
        place = day_number(date(index // 12, index % 12 + 1, 1))
        if index % step == 0 and low <= place <= high:
            ticks.append((place, index))
    labels = [_month_label(index, is_first=i == 0) for i, (_, index) in enumerate(ticks)]
    return [(place, label) for (place, _), label in zip(ticks, labels, strict=True)]


def _month_label(index: int, *, is_first: bool) -> str:
    month = date(index // 12, index % 12 + 1, 1)
    return f"{month:%b %Y}" if is_first or month.month == 1 else f"{month:%b}"


def _day_label(tick: float) -> str:
    when = EPOCH + timedelta(days=tick)
    return f"{when.day} {when:%b}"
