"""Splits made outside the project: by a splitter in the manner of scikit-learn, or as plain pairs of rows."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from nightfold.errors import ConfigError
from nightfold.own_file import load_own
from nightfold.splits.span import Column, RowNumbers

_TAKES_SPANS = ["start", "end"]


def load_splits(place: str, start: Column, end: Column) -> Any:
    """Load a splitter of your own from a file.

    Parameters
    ----------
    place
        File and name, such as ``folds.py:WeeklyFolds``: an object with ``split``, a class or function that makes one
        without arguments, or a function of ``start`` and ``end`` that gives pairs of train and test rows. The file is
        executed.
    start, end
        Label spans, for the last of these.

    Returns
    -------
    object
        What `pairs_of` takes.

    Raises
    ------
    ConfigError
        If there is no such file or name, the file cannot be executed, or it gives no splits.
    """
    name, found = load_own(place, "splitter", "folds.py:WeeklyFolds")
    if callable(found) and (inspect.isclass(found) or not hasattr(found, "split")):
        takes_spans = not inspect.isclass(found) and _names(found)[:2] == _TAKES_SPANS
        found = found(start, end) if takes_spans else found()
    if not (hasattr(found, "split") or isinstance(found, Iterable)):
        raise ConfigError(
            f"`own` is {place!r}, and `{name}` gives {type(found).__name__}; it must be an object with `split`, or "
            "pairs of train and test rows."
        )
    return found


def pairs_of(splits: Any, start: Column, end: Column) -> Iterator[tuple[RowNumbers, RowNumbers]]:
    """Ask a splitter for its rows, and check them.

    Parameters
    ----------
    splits
        An object with ``split(start, end)`` or, as in scikit-learn, ``split(X)``, whose ``X`` is a column of zeros with
        as many rows; or the pairs themselves.
    start, end
        Label spans.

    Raises
    ------
    ConfigError
        If rows are not whole numbers that count rows from 0.
    """
    size = len(np.asarray(start))
    if not hasattr(splits, "split"):
        pairs = splits
    elif _names(splits.split)[:2] == _TAKES_SPANS:
        pairs = splits.split(start, end)
    else:
        pairs = splits.split(np.zeros((size, 1)))
    for number, (train, test) in enumerate(pairs):
        yield (
            _checked(train, f"train rows of split {number}", size),
            _checked(test, f"test rows of split {number}", size),
        )


def _checked(rows: Any, what: str, size: int) -> RowNumbers:
    found = np.asarray(rows)
    if found.size == 0:
        return np.empty(0, np.int32)
    if found.ndim != 1 or found.dtype.kind not in "iu" or found.min() < 0 or found.max() >= size:
        raise ConfigError(
            f"the {what} are {found.dtype} {found.shape} from {found.min()} to {found.max()}; they must be row numbers "
            f"from 0 to {size - 1}."
        )
    return found.astype(np.int32)


def _names(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]
