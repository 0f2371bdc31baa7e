"""Lengths of purge and embargo: bars, or a stretch of time."""

import re
from datetime import timedelta

import numpy as np

from nightfold.errors import ConfigError
from nightfold.interval import milliseconds
from nightfold.splits.span import LabelSpans

Gap = int | str | timedelta
"""Bars, or a length of time such as ``24h`` or ``timedelta(hours=24)``."""

_DURATION = re.compile(r"\d+[mhd]")


def check_gap(name: str, gap: Gap) -> None:
    """Refuse what is no length.

    Raises
    ------
    ConfigError
        If ``gap`` is negative, or neither bars nor a length of time.

    Examples
    --------
    >>> check_gap("embargo", -3)
    Traceback (most recent call last):
    nightfold.errors.ConfigError: `embargo` is -3; it must be 0 or more bars, or a length of time such as "24h".
    """
    is_bars = isinstance(gap, int | np.integer) and not isinstance(gap, bool) and gap >= 0
    is_text = isinstance(gap, str) and _DURATION.fullmatch(gap)
    is_length = isinstance(gap, timedelta) and gap >= timedelta(0)
    if not (is_bars or is_text or is_length):
        raise ConfigError(f'`{name}` is {gap!r}; it must be 0 or more bars, or a length of time such as "24h".')


def measured(name: str, gap: Gap, spans: LabelSpans) -> int:
    """Length of a gap in the unit of the spans.

    Raises
    ------
    ConfigError
        If it is a length of time and spans are bar positions.
    """
    if isinstance(gap, int | np.integer):
        return int(gap) * spans.bar
    if not spans.are_times:
        raise ConfigError(
            f"`{name}` is {gap!r}, but label spans are bar positions; give it in bars, or give spans as times."
        )
    return milliseconds(gap) if isinstance(gap, str) else gap // timedelta(milliseconds=1)
