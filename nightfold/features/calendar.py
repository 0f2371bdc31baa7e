"""Calendar: the bar's open time on the circle of the day and of the week, UTC."""

import numpy as np

from nightfold.features.segment import Array, Segment

_DAY = 86_400_000
_MONDAY = 4 * _DAY  # 1 January 1970 was a Thursday


def _day_angle(bars: Segment) -> Array:
    return 2 * np.pi * (bars.time % _DAY) / _DAY


def _week_angle(bars: Segment) -> Array:
    return 2 * np.pi * ((bars.time - _MONDAY) % (7 * _DAY)) / (7 * _DAY)


def hour_sin(bars: Segment) -> Array:
    """Sine of the time of day."""
    return np.sin(_day_angle(bars))


def hour_cos(bars: Segment) -> Array:
    """Cosine of the time of day."""
    return np.cos(_day_angle(bars))


def weekday_sin(bars: Segment) -> Array:
    """Sine of the time of week, from Monday 00:00."""
    return np.sin(_week_angle(bars))


def weekday_cos(bars: Segment) -> Array:
    """Cosine of the time of week, from Monday 00:00."""
    return np.cos(_week_angle(bars))
