"""Calendar: the bar's open time on the circle of the day and of the week, UTC."""

import numpy as np

from nightfold.features.segment import Array, Segment

_DAY = 86_400_000
_MONDAY = 4 * _DAY  # 1 January 1970 was a Thursday


def _on_the_clock(bars: Segment, function: np.ufunc, start: int, length: int) -> Array:
    """Apply a function to the angle of each open time on a circle; bars a step apart soon come round."""
    step = int(bars.time[1] - bars.time[0]) if len(bars.time) > 1 else length
    around = length // step if length % step == 0 else len(bars.time)
    angle = 2 * np.pi * ((bars.time[:around] - start) % length) / length
    return np.tile(function(angle), len(bars.time) // around + 1)[: len(bars.time)]


def hour_sin(bars: Segment) -> Array:
    """Sine of the time of day."""
    return _on_the_clock(bars, np.sin, 0, _DAY)


def hour_cos(bars: Segment) -> Array:
    """Cosine of the time of day."""
    return _on_the_clock(bars, np.cos, 0, _DAY)


def weekday_sin(bars: Segment) -> Array:
    """Sine of the time of week, from Monday 00:00."""
    return _on_the_clock(bars, np.sin, _MONDAY, 7 * _DAY)


def weekday_cos(bars: Segment) -> Array:
    """Cosine of the time of week, from Monday 00:00."""
    return _on_the_clock(bars, np.cos, _MONDAY, 7 * _DAY)
