"""Label spans in the order of their starts: checked and sorted once, for any number of plans."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nightfold.splits.purge import NOT_KNOWN, Rows, bar_length, spans

RowNumbers = NDArray[np.int32]
Column = ArrayLike | pl.Series


@dataclass(frozen=True, slots=True, eq=False)
class LabelSpans:
    """Spans of the known labels by place, that is in the order of their starts."""

    begins: Rows
    """Start of each, ascending: a bar position, or milliseconds."""
    ends: Rows
    """End of each, inside the span; in any order."""
    reach: Rows
    """Latest end up to each place."""
    firsts: Rows | None
    """Place at which each distinct start begins; none: no two starts are equal."""
    rows: RowNumbers
    """Row at each place, as it came in."""
    is_in_order: bool
    """Whether rows came in by start, so that they ascend with the places."""
    size: int
    """Rows that came in; a row without a known end has no place."""
    bar: int
    """Length of a bar: 1 where spans are positions, else milliseconds."""
    are_times: bool

    @classmethod
    def of(cls, start: Column, end: Column, interval: str | None = None) -> Self:
        """Check and sort label spans.

        Parameters
        ----------
        start, end, interval
            As in `PurgedSplit.split`.

        Raises
        ------
        SchemaError
            If spans are neither whole numbers nor times, differ in kind or count, or end before they start.

        Examples
        --------
        >>> spans = LabelSpans.of([5, 4, 7], [6, 9, 8])
        >>> spans.begins.tolist(), spans.ends.tolist(), spans.reach.tolist(), spans.rows.tolist()
        ([4, 5, 7], [9, 6, 8], [9, 9, 9], [1, 0, 2])
        """
        begins, ends, are_times = spans(start, end)
        size, rows = begins.size, np.arange(begins.size, dtype=np.int32)
        known = ends != NOT_KNOWN
        if not known.all():
            begins, ends, rows = begins[known], ends[known], rows[known]
        is_in_order = not (begins[1:] < begins[:-1]).any()
        if not is_in_order:
            order = np.argsort(begins, kind="stable")
            begins, ends, rows = begins[order], ends[order], rows[order]
        is_new = begins[1:] > begins[:-1]
        firsts = None if is_new.all() else np.append(0, 1 + np.flatnonzero(is_new))
        bar = bar_length(begins if firsts is None else begins[firsts], interval) if are_times else 1
        return cls(begins, ends, np.maximum.accumulate(ends), firsts, rows, is_in_order, size, bar, are_times)

    @property
    def moments(self) -> int:
        """Number of distinct starts."""
        return self.begins.size if self.firsts is None else self.firsts.size

    def places(self, moments: Rows) -> Rows:
        """Place at which distinct starts begin, given their numbers; past the last: the end."""
        if self.firsts is None:
            return moments
        return np.append(self.firsts, self.begins.size)[moments]
