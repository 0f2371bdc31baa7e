"""Splits made outside the project: by a splitter in the manner of scikit-learn, or as plain pairs of rows."""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nightfold.errors import ConfigError
from nightfold.own_fault import own_code
from nightfold.own_file import load_own
from nightfold.splits.fold import Splitter
from nightfold.splits.plan import SplitPlan
from nightfold.splits.span import Column, RowNumbers

_TAKES_SPANS = ["start", "end"]
_WAY_OUT = (
    "It must give pairs of train and test rows; where `split` takes them, X is a column of zeros, `y` the labels and "
    "`groups` the symbols, or the UTC days of a single one."
)


@dataclass(frozen=True, slots=True, eq=False)
class OwnSplits:
    """Splits of a file: whatever the file's code raises is told as a `ConfigError` with its line."""

    place: str
    splits: Any
    """An object with ``split``, or pairs."""
    known: dict[str, Column]
    """Labels as ``y`` and groups as ``groups``, for a ``split`` that takes them."""

    def split(self, start: Column, end: Column) -> Iterator[Any]:
        """Give the pairs one after another."""
        with own_code(self.place, _WAY_OUT):
            yield from _asked(self.splits, start, end, self.known)


def load_splits(
    place: str, start: Column, end: Column, label: Column | None = None, group: Column | None = None
) -> Any:
    """Load a splitter of your own from a file.

    Parameters
    ----------
    place
        File and name, such as ``folds.py:WeeklyFolds``: an object with ``split``, a class or function that makes one
        without arguments, or a function of ``start`` and ``end`` that gives pairs of train and test rows. The file is
        executed.
    start, end
        Label spans, for the last of these.
    label, group
        A value a row, handed as ``y`` and ``groups`` to a ``split`` that takes them, such as `StratifiedKFold` and
        `GroupKFold`.

    Returns
    -------
    object
        What `pairs_of` takes.

    Raises
    ------
    ConfigError
        If there is no such file or name, the file cannot be executed, or it gives no splits; when asked for rows, if
        the file's code raises.
    """
    name, found = load_own(place, "splitter", "folds.py:WeeklyFolds")
    if callable(found) and (inspect.isclass(found) or not hasattr(found, "split")):
        with own_code(place, _WAY_OUT):
            takes_spans = not inspect.isclass(found) and _names(found)[:2] == _TAKES_SPANS
            found = found(start, end) if takes_spans else found()
    if not (hasattr(found, "split") or isinstance(found, Iterable)):
        raise ConfigError(
            f"`own` is {place!r}, and `{name}` gives {type(found).__name__}; it must be an object with `split`, or "
            "pairs of train and test rows."
        )
    if isinstance(found, Splitter | SplitPlan):
        return found
    known = {"y": label, "groups": group}
    return OwnSplits(place, found, {name: values for name, values in known.items() if values is not None})


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
        If something is no pair, or rows are not whole numbers that count rows from 0.
    """
    size = len(np.asarray(start))
    for number, pair in enumerate(_asked(splits, start, end, {})):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ConfigError(
                f"split {number} is {_described(pair)}; it must be a pair of train and test rows, two arrays of row "
                "numbers."
            )
        train, test = pair
        yield (
            _checked(train, f"train rows of split {number}", size),
            _checked(test, f"test rows of split {number}", size),
        )


def _asked(splits: Any, start: Column, end: Column, known: dict[str, Column]) -> Iterable[Any]:
    """Pairs as the splitter gives them, in answer to what its ``split`` takes."""
    if not hasattr(splits, "split"):
        return splits  # type: ignore[no-any-return]  # pairs: anything that can be gone through
    names = _names(splits.split)
    if names[:2] == _TAKES_SPANS:
        return splits.split(start, end)  # type: ignore[no-any-return]
    taken = {name: np.asarray(values) for name, values in known.items() if name in names}
    return splits.split(np.zeros((len(np.asarray(start)), 1)), **taken)  # type: ignore[no-any-return]


def _described(value: Any) -> str:
    kind = type(value).__name__
    return f"{kind} of {len(value)}" if hasattr(value, "__len__") else kind


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
