"""Features written outside the catalog, as plain functions of a frame of bars."""

from collections.abc import Callable

import numpy as np
import polars as pl

from nightfold.errors import ConfigError
from nightfold.features.feature import Feature
from nightfold.features.segment import Array, Segment
from nightfold.own_file import load_own

FrameFunction = Callable[[pl.DataFrame], object]


def own_feature(function: FrameFunction, lookback: int, name: str | None = None) -> Feature:
    """Make a feature of a function of bars.

    Parameters
    ----------
    function
        From a frame of neighbouring bars of one symbol, oldest first (``open_time``, ``open``, ``high``, ``low``,
        ``close``, ``volume``), to one number a bar: a polars or pandas series, an array or a list.
    lookback
        Bars it needs before the current one.
    name
        Of the column; that of the function where none is given.

    Raises
    ------
    ConfigError
        If ``lookback`` is below 0; when computed, if what comes back is not one number a bar.
    """
    if lookback < 0:
        raise ConfigError(f"`lookback` is {lookback}; it must be 0 or more bars.")
    label = name or function.__name__

    def values(segment: Segment) -> Array:
        made = function(_bars(segment))
        numbers = made.to_numpy() if isinstance(made, pl.Series) else made
        try:
            return np.asarray(numbers, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"feature `{label}` gives {type(made).__name__}, not one number a bar: {error}."
            ) from error

    return Feature(label, "own", "a function of your own", lookback, "you", "as the function says", values)


def load_feature(place: str, lookback: int) -> Feature:
    """Load a feature of your own from a file.

    Parameters
    ----------
    place
        File and function, such as ``features.py:spread``. The file is executed.
    lookback
        As in `own_feature`.

    Raises
    ------
    ConfigError
        If there is no such file or function, or the file cannot be executed.
    """
    name, function = load_own(place, "function", "features.py:spread")
    if not callable(function):
        raise ConfigError(f"`own` is {place!r}, a {type(function).__name__}; it must be a function.")
    return own_feature(function, lookback, name)


def _bars(segment: Segment) -> pl.DataFrame:
    times = pl.Series("open_time", segment.time).cast(pl.Datetime("ms", "UTC"))
    return pl.DataFrame(
        [times, *(pl.Series(name, getattr(segment, name)) for name in ("open", "high", "low", "close", "volume"))]
    )
