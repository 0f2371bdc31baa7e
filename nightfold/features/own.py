"""Features written outside the catalog, as plain functions of a frame of bars."""

from collections.abc import Callable

import numpy as np
import polars as pl

from nightfold.errors import ConfigError
from nightfold.features.feature import Feature
from nightfold.features.segment import Array, Segment
from nightfold.own_fault import own_code
from nightfold.own_file import load_own

FrameFunction = Callable[[pl.DataFrame], object]

_WAY_OUT = (
    "It was given {bars} bars, and must give one number for each, null where it cannot tell; an audit also gives it "
    "just its lookback and one bar more."
)


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
        File and function, such as ``features.py:spread``. The file is executed, and anew each time that values are
        computed: nothing it keeps from one call is there in the next.
    lookback
        As in `own_feature`.

    Raises
    ------
    ConfigError
        If there is no such file or function, or the file cannot be executed; when computed, if the function raises.
    """
    name, _ = _loaded(place)

    def values(bars: pl.DataFrame) -> object:
        _, function = _loaded(place)
        with own_code(place, _WAY_OUT.format(bars=bars.height)):
            return function(bars)

    return own_feature(values, lookback, name)


def _loaded(place: str) -> tuple[str, FrameFunction]:
    name, function = load_own(place, "function", "features.py:spread")
    if not callable(function):
        raise ConfigError(f"`own` is {place!r}, a {type(function).__name__}; it must be a function.")
    return name, function


def _bars(segment: Segment) -> pl.DataFrame:
    times = pl.Series("open_time", segment.time).cast(pl.Datetime("ms", "UTC"))
    return pl.DataFrame(
        [times, *(pl.Series(name, getattr(segment, name)) for name in ("open", "high", "low", "close", "volume"))]
    )
