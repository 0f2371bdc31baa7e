"""Windows of consecutive bars for sequence models: positions into one table, copied only batch by batch."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nightfold.errors import SchemaError


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """For each labelled bar the ``length`` bars up to and including it, none of another symbol or beyond a hole.

    Parameters
    ----------
    rows
        Features of all bars, one row each, finite; the bars of each symbol stand together in time order.
    ends
        Position in ``rows`` of each window's newest bar.
    length
        Bars of a window.

    Raises
    ------
    SchemaError
        If a window begins before the table, ends behind it, or a value within one is NaN or infinite.

    Examples
    --------
    >>> Windows(np.arange(4.0, dtype=np.float32)[:, None], np.array([2, 3]), 2)[0:2].batch()[:, :, 0].tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """

    rows: NDArray[np.float32]
    ends: NDArray[np.int64]
    length: int

    def __post_init__(self) -> None:
        rows, ends = np.ascontiguousarray(self.rows, dtype=np.float32), np.asarray(self.ends, dtype=np.int64)
        if rows.ndim != 2:
            raise SchemaError(f"Windows are taken from {rows.ndim} dimensions; a table of rows and columns is needed.")
        if len(ends) and not (self.length - 1 <= ends.min() and ends.max() < len(rows)):
            raise SchemaError(
                f"Windows of {self.length} bars end at {ends.min()} to {ends.max()}; the table has {len(rows)} bars."
            )
        unknown = np.concatenate([[0], np.cumsum(~np.isfinite(rows).all(axis=1))])
        if (unknown[ends + 1] > unknown[ends + 1 - self.length]).any():
            raise SchemaError("Windows hold NaN or infinity; leave such rows out, their forecast is unknown.")
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "ends", ends)

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.ends)

    def __getitem__(self, chosen: Any) -> "Windows":
        """Choose windows by positions, a slice or a mask; the table is shared."""
        return replace(self, ends=self.ends[chosen])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Windows, bars of each, features of each bar."""
        return len(self.ends), self.length, self.rows.shape[1]

    @property
    def newest(self) -> NDArray[np.float32]:
        """The newest bar of each window."""
        return self.rows[self.ends]

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of the length and of every bar that a window covers."""
        covered = np.zeros(len(self.rows) + 1, dtype=np.int64)
        np.add.at(covered, self.ends + 1 - self.length, 1)
        np.add.at(covered, self.ends + 1, -1)
        digest = hashlib.sha256(str(self.shape).encode())
        kept = np.cumsum(covered[:-1]) > 0
        digest.update(np.ascontiguousarray(self.rows[kept]).data)
        digest.update((np.cumsum(kept)[self.ends] - 1).data)
        return digest.hexdigest()[:16]

    def batch(self, chosen: ArrayLike | slice = slice(None)) -> NDArray[np.float32]:
        """Copy some windows out: (windows, bars, features)."""
        ends = self.ends[chosen] if isinstance(chosen, slice) else self.ends[np.asarray(chosen)]
        return np.asarray(self.rows[ends[:, None] + np.arange(1 - self.length, 1)])

    def join(self, later: "Windows") -> "Windows":
        """Return these windows followed by others of the same length."""
        if self.length != later.length:
            raise SchemaError(f"Windows have {self.length} and {later.length} bars; those of one sample are equal.")
        if self.rows is later.rows:
            return replace(self, ends=np.concatenate([self.ends, later.ends]))
        rows = np.concatenate([self.rows, later.rows])
        return replace(self, rows=rows, ends=np.concatenate([self.ends, later.ends + len(self.rows)]))


def window_ends(complete: NDArray[np.bool_], breaks: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """Tell which bars have ``length`` complete bars in a row up to and including them.

    Parameters
    ----------
    complete
        Whether all features of a bar are known; the bars of each symbol stand together in time order.
    breaks
        Whether a bar does not follow the one before it: another symbol, or a hole between them.
    length
        Bars of a window.
    """
    position = np.arange(len(complete))
    begun = np.maximum.accumulate(np.where(breaks, position, 0)) if len(position) else position
    unknown = np.maximum.accumulate(np.where(complete, -1, position)) if len(position) else position
    return np.asarray(position - np.maximum(begun, unknown + 1) >= length - 1)
