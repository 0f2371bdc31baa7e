"""How catalog lines are written: one function and its sizes make one feature each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from nightfold.features.feature import Feature
from nightfold.features.segment import Array

Size = int | tuple[int, ...]

NEVER = "never"
FLAT = "no movement in the window"
STILL = "no range in the bar"
IDLE = "no volume in the window"


def windowed(
    function: Callable[..., Array],
    sizes: tuple[Size, ...],
    lookback: Callable[..., int],
    formula: str,
    reference: str,
    nulls: str = NEVER,
    needs: tuple[str, ...] = (),
) -> Iterator[Feature]:
    """Make one feature for each size, named after the function and the size.

    Parameters
    ----------
    function
        From a segment and the size to values; its module is the feature's group.
    sizes
        What the function is called with after the segment, one number or several.
    lookback
        From a size to bars.
    formula
        Words with ``{0}``, ``{1}`` where the numbers of the size stand.
    reference
        Where the definition comes from.
    nulls
        When a value is null although its lookback is there.
    needs
        Columns that the function reads beside prices and volume.
    """
    for size in sizes:
        parameters = size if isinstance(size, tuple) else (size,)
        yield Feature(
            name="_".join([function.__name__, *map(str, parameters)]),
            group=function.__module__.rpartition(".")[2],
            formula=formula.format(*parameters),
            lookback=lookback(*parameters),
            reference=reference,
            nulls=nulls,
            function=function,
            parameters=parameters,
            needs=needs,
        )


def recursive(
    function: Callable[..., Array],
    lookbacks: Mapping[Size, int],
    formula: str,
    reference: str,
    nulls: str = NEVER,
) -> Iterator[Feature]:
    """Make one feature for each size, with a recursion that forgets what lies before the stated lookback.

    Parameters are those of `windowed`, save that each size comes with its lookback, which the function gets, too.
    """
    for size, bars in lookbacks.items():
        for feature in windowed(function, (size,), lambda *_: 0, formula, reference, nulls):
            yield replace(feature, lookback=bars, function=partial(function, lookback=bars))


def single(
    function: Callable[..., Array], formula: str, reference: str, nulls: str = NEVER, lookback: int = 0
) -> Iterator[Feature]:
    """Make the one feature of a function without a size."""
    return windowed(function, ((),), lambda: lookback, formula, reference, nulls)


def within(window: int, *_: int) -> int:
    """Lookback of a window of bars."""
    return window - 1


def across(window: int, *_: int) -> int:
    """Lookback of a window of changes from bar to bar."""
    return window


def longest(*windows: int) -> int:
    """Lookback of several windows of changes."""
    return max(windows)
