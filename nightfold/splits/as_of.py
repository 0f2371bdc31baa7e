"""What a model that comes into force at a moment may learn from: only labels that had ended before."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import polars as pl
from numpy.typing import ArrayLike
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from nightfold.errors import ConfigError, SchemaError
from nightfold.interval import duration, milliseconds
from nightfold.spec import Spec
from nightfold.splits.purge import NEVER, NOT_KNOWN, Parts, cut, spans

MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class SplitSpec(Spec):
    """How the rows known at an as-of moment become train and validation rows."""

    train_days: PositiveInt = 90
    """Days before the as-of that train and validation cover together."""
    expanding: bool = False
    """Start at the first row there is, instead of `train_days` before the as-of."""
    train: PositiveFloat = 0.70
    """Part of the window that is trained on, in proportion to `validation`."""
    validation: PositiveFloat = 0.15
    """Part of the window, its last, that stopping and selection look at, in proportion to `train`."""
    purge: NonNegativeInt = 60
    """Bars left out before validation in any case; labels that reach into it are left out anyway."""
    embargo: NonNegativeInt = 288
    """Bars left out before those."""
    half_life_days: Annotated[float, Field(ge=1)] | None = None
    """Days back from the as-of after which a row counts half as much in training; none: age does not matter."""
    in_force_delay: Annotated[str, Field(pattern=r"^\d+[mhd]$")] = "1h"
    """Time from the as-of back to the last label a model may know: what training and deployment take."""
    refit: Literal["full", "none"] = "full"
    """Fit once more on train and validation with the rounds found, or keep the model that stopped."""


def reach(spec: SplitSpec) -> timedelta | None:
    """Length of time before an as-of that its rows come from; none: everything there is."""
    return None if spec.expanding else timedelta(days=spec.train_days)


def known_before(spec: SplitSpec, as_of: datetime) -> datetime:
    """Latest end of a label that a model in force from ``as_of`` may know."""
    return as_of - duration(spec.in_force_delay)


def as_of_parts(
    open_time: ArrayLike | pl.Series,
    label_end: ArrayLike | pl.Series,
    as_of: datetime,
    spec: SplitSpec,
    interval: str,
) -> Parts:
    """Choose the rows of a model that comes into force at a moment.

    Parameters
    ----------
    open_time, label_end
        Start of each row's bar and the time its target became known, in any order of rows, all symbols together; a
        null end is a label that is not known.
    as_of
        The moment, with a time zone.
    spec
        Window, shares and gaps.
    interval
        Length of a bar such as ``5m``.

    Returns
    -------
    Parts
        Train and validation rows lie in the window, and their labels end by ``as_of`` less ``in_force_delay``; later
        ones are ``unknown``, rows before the window ``outside``, and ``test`` is empty: it is the period after. The
        border is a moment, in proportion to the time from the first row in the window; parts may be empty
        (`Parts.require`).

    Raises
    ------
    ConfigError
        If ``as_of`` has no time zone.
    SchemaError
        If ``open_time`` or ``label_end`` are not times, or a label ends before its bar opens.
    """
    if as_of.tzinfo is None:
        raise ConfigError(f"`as_of` is {as_of.isoformat()} without a time zone; give it one, such as UTC.")
    begins, ends, are_times = spans(open_time, label_end)
    if not are_times:
        raise SchemaError("`open_time` and `label_end` are numbers; an as-of needs times.")
    until = (known_before(spec, as_of) - EPOCH) // MILLISECOND
    length = reach(spec)
    window_from = NOT_KNOWN if length is None else (as_of - length - EPOCH) // MILLISECOND
    first = int(begins[begins >= window_from].min(initial=until))
    validation_from = first + round((until - first) * spec.train / (spec.train + spec.validation))
    bar = milliseconds(interval)
    return cut(begins, ends, validation_from, NEVER, spec.purge * bar, spec.embargo * bar, window_from, until)
