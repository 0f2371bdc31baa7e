"""Series of numbers at the door: what is no number, or no return, is refused once and for all measures."""

import numpy as np
import numpy.typing as npt

from nightfold.errors import SchemaError

DAYS_PER_YEAR = 365

Values = npt.NDArray[np.float64]


def finite(numbers: npt.ArrayLike, name: str) -> Values:
    """Take one series of numbers as an array, refusing null, NaN and infinity.

    Raises
    ------
    SchemaError
        Naming the series, the first bad value and its place.
    """
    values = np.asarray(numbers, dtype=np.float64)
    if values.ndim != 1:
        raise SchemaError(f"`{name}` has {values.ndim} dimensions; it must be one series of numbers.")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise SchemaError(
            f"`{name}` holds {bad.size} values that are null, NaN or infinite, first {values[bad[0]]} at {bad[0]}; "
            "leave out what is unknown, or repair what it was made from."
        )
    return values


def is_ruined(returns: npt.ArrayLike) -> bool:
    """Whether a day lost all there was: such a series has an end, but no measures."""
    return bool((finite(returns, "returns") <= -1.0).any())


def checked_returns(returns: npt.ArrayLike) -> Values:
    """Take simple returns as an array, refusing what `finite` refuses, and a day that lost all there was.

    Raises
    ------
    SchemaError
        Naming the first such return and its place.
    """
    values = finite(returns, "returns")
    lost = np.flatnonzero(values <= -1.0)
    if lost.size:
        raise SchemaError(
            f"`returns` is {values[lost[0]]:g} at {lost[0]}; it must be above -1: with no equity left there is "
            "nothing to measure, see `is_ruined`."
        )
    return values


def varies(values: Values) -> bool:
    """Whether any of at least two values differs from the others."""
    return values.size > 1 and bool(values.max() > values.min())
