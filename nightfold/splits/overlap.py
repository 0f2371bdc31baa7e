"""How many independent rows overlapping labels are worth: one rule, for training rows and for those of ensembles.

Symbols of one moment count once, since markets move together, and labels that share bars count as what fits end to end.
"""

from collections.abc import Sequence

import numpy as np

from nightfold.splits.purge import NOT_KNOWN, Rows, bar_length, spans
from nightfold.splits.span import Column

FEWEST_BEYOND = 10
"""Independent rows that must be expected beyond a quantile for it to be known at all well."""


def span_lengths(begins: Rows, ends: Rows) -> Rows:
    """How many of the moments that have rows each label covers, its own among them.

    Parameters
    ----------
    begins, ends
        Label spans, both ends inside, as numbers; all known.
    """
    moments = np.unique(begins)
    return np.asarray(np.searchsorted(moments, ends, side="right") - np.searchsorted(moments, begins), np.int64)


def independent_rows(start: Column, end: Column, bar: int | None = None) -> float:
    """Count moments that have rows, over the mean number of them that fit into the time of a label; 0 for no rows.

    A label takes the time of its returns, from the close of its own bar on: labels of the next bar share nothing.

    Parameters
    ----------
    start, end
        Label spans of all symbols, as of `nightfold.splits.span.LabelSpans`; rows without a known end do not count.
    bar
        Length of one, in the unit of the spans (times: milliseconds); none: that of positions, or of times the shortest
        step between two rows.

    Examples
    --------
    >>> independent_rows([0, 0, 1, 1, 2, 2, 3, 3], [2, 2, 3, 3, 4, 4, 5, 5])  # two symbols, labels of two bars
    2.2857142857142856
    """
    begins, ends, are_times = spans(start, end)
    known = ends != NOT_KNOWN
    if not known.any():
        return 0.0
    begins, ends = begins[known], ends[known]
    moments = np.unique(begins)
    bar = bar or (bar_length(moments, None) if are_times else 1)
    taken = np.searchsorted(moments, ends - bar, side="right") - np.searchsorted(moments, begins)
    return float(moments.size / np.maximum(taken, 1).mean())


def thin_levels(levels: Sequence[float], independent: float) -> list[float]:
    """Return the levels with under `FEWEST_BEYOND` independent rows expected beyond them, on their rarer side.

    Examples
    --------
    >>> thin_levels([0.05, 0.5, 0.95], 180), thin_levels([0.05, 0.5, 0.95], 290)
    ([0.05, 0.95], [])
    """
    return [level for level in levels if min(level, 1 - level) * independent < FEWEST_BEYOND]
