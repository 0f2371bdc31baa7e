"""A stretch of bars without a hole, as arrays: all that a feature function sees."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from nightfold.features import lazy

if TYPE_CHECKING:
    from nightfold.features.about_zero import AboutZero
    from nightfold.features.rolling import Windows

Array = NDArray[np.float64]
Result = TypeVar("Result")
Sizes = ParamSpec("Sizes")


def shared(
    function: Callable[Concatenate["Segment", Sizes], Result],
) -> Callable[Concatenate["Segment", Sizes], Result]:
    """Call a function once for the same bars and sizes, and from then on hand back what it gave."""

    @wraps(function)
    def known(bars: "Segment", *sizes: Sizes.args, **named: Sizes.kwargs) -> Result:
        return bars.once(function, *sizes, **named)

    return cast(Callable[Concatenate["Segment", Sizes], Result], known)


def lag(values: Array, bars: int) -> Array:
    """Shift values to later rows; the first ``bars`` rows become NaN."""
    if bars == 0:
        return values
    shifted = np.full_like(values, np.nan)
    shifted[bars:] = values[:-bars]
    return shifted


def difference(values: Array, bars: int) -> Array:
    """Subtract values of some bars before; NaN in rows that have none."""
    change = np.empty_like(values)
    change[:bars] = np.nan
    np.subtract(values[bars:], values[:-bars], out=change[bars:])
    return change


def growth(values: Array, bars: int) -> Array:
    """Divide by values of some bars before; NaN in rows that have none."""
    factor = np.empty_like(values)
    factor[:bars] = np.nan
    np.divide(values[bars:], values[:-bars], out=factor[bars:])
    return factor


def log(ratio: Array) -> Array:
    """Log of a ratio, in its place."""
    return np.asarray(np.log(ratio, out=ratio))


def null_where(mask: NDArray[np.bool_], values: Array) -> Array:
    """Put NaN where the mask is true."""
    return np.where(mask, np.nan, values)


@dataclass(frozen=True)
class Segment:
    """Neighbouring bars of one symbol, oldest first; what several features share is computed once.

    Logarithms are always taken of ratios: a power of two in the prices then cancels to the last bit.
    """

    time: NDArray[np.int64]
    """Open time in milliseconds since 1970."""
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    more: Mapping[str, Array] = field(default_factory=dict, repr=False, kw_only=True)
    """Further columns by name, NaN where unknown: those that features say they need."""
    _known: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    _windows: dict[int, "Windows"] = field(default_factory=dict, init=False, repr=False, compare=False)
    """By identity of the array, which the windows keep alive."""

    def once(self, function: Callable[..., Result], *sizes: Any, **named: Any) -> Result:
        """Call the function with the segment and the sizes, or hand back what it gave the first time."""
        key = (function, sizes, *named.items())
        if key not in self._known:
            self._known[key] = function(self, *sizes, **named)
        return cast(Result, self._known[key])

    def rolling(self, values: Array) -> "Windows":
        """Windows over a series as long as the bars; those over the same array share what they have put together."""
        if id(values) not in self._windows:
            self._windows[id(values)] = lazy.rolling.Windows(values)
        return self._windows[id(values)]

    @cached_property
    def previous_close(self) -> Array:
        """Close of the bar before."""
        return lag(self.close, 1)

    @cached_property
    def log_return(self) -> Array:
        """One-bar log return."""
        return log(growth(self.close, 1))

    @cached_property
    def absolute_return(self) -> Array:
        """Size of the one-bar log return."""
        return np.abs(self.log_return)

    @cached_property
    def squared_return(self) -> Array:
        """Square of the one-bar log return."""
        return self.log_return * self.log_return

    @cached_property
    def returns(self) -> "AboutZero":
        """Windows over one-bar log returns."""
        return lazy.about_zero.AboutZero(self.log_return, self.rolling(self.squared_return))

    @cached_property
    def volumes(self) -> "AboutZero":
        """Windows over volume."""
        return lazy.about_zero.AboutZero(self.volume)

    @cached_property
    def sizes(self) -> "AboutZero":
        """Windows over the sizes of one-bar log returns."""
        return lazy.about_zero.AboutZero(self.absolute_return, self.rolling(self.squared_return))

    @cached_property
    def change(self) -> Array:
        """Close less the close before, in quote currency."""
        return difference(self.close, 1)

    @cached_property
    def range(self) -> Array:
        """High less low, in quote currency."""
        return self.high - self.low

    @cached_property
    def log_range(self) -> Array:
        """Log of high over low."""
        return log(self.high / self.low)

    @cached_property
    def squared_log_range(self) -> Array:
        """Square of the log of high over low."""
        return self.log_range * self.log_range

    @cached_property
    def gap(self) -> Array:
        """Log of open over the close before."""
        return log(self.open / self.previous_close)

    @cached_property
    def body(self) -> Array:
        """Log of close over open."""
        return log(self.close / self.open)

    @cached_property
    def upper_wick(self) -> Array:
        """High less the higher of open and close, in quote currency."""
        return self.high - np.maximum(self.open, self.close)

    @cached_property
    def lower_wick(self) -> Array:
        """Lower of open and close less low, in quote currency."""
        return np.minimum(self.open, self.close) - self.low

    @cached_property
    def true_range(self) -> Array:
        """High less low, the close before counted as part of the bar."""
        return lazy.formula.true_range(self.high, self.low, self.previous_close)

    @cached_property
    def typical(self) -> Array:
        """Mean of high, low and close."""
        return lazy.formula.typical(self.high, self.low, self.close)

    @cached_property
    def median(self) -> Array:
        """Mean of high and low."""
        return (self.high + self.low) / 2

    @cached_property
    def value(self) -> Array:
        """Traded value, typical price times volume."""
        return self.typical * self.volume

    @cached_property
    def log_level(self) -> Array:
        """Log of the close over the first close, for sums in which the level cancels."""
        return log(self.close / self.close[0])
