"""A test block with its surroundings: which labels must not be trained on beside it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightfold.splits.purge import Rows
from nightfold.splits.span import LabelSpans

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Gaps:
    """Lengths in the unit of the spans."""

    purge: int
    """Distance from the block in any case, on both sides."""
    before: int
    """Embargo before that."""
    after: int
    """Embargo after the block and its labels."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A test block among spans sorted by start; all but ``start`` are places, in this order."""

    since: int
    """All before this may be trained on."""
    embargo_from: int
    purge_from: int
    first: int
    """First of the block."""
    stop: int
    """Behind the last of the block."""
    purge_until: int
    until: int
    """This and all behind it may be trained on."""
    start: int
    """When the block's first label starts; where a label before it reaches this, the two overlap."""

    def spares(self, places: Rows, ends: Rows) -> Mask:
        """Tell which labels may be trained on beside the block, given their places and ends."""
        return (places < self.embargo_from) & (ends < self.start) | (places >= self.until)

    def purges(self, places: Rows, ends: Rows) -> Mask:
        """Tell which labels overlap the block's, or lie within the purge around it."""
        is_before = (places < self.first) & ((ends >= self.start) | (places >= self.purge_from))
        return is_before | (places >= self.stop) & (places < self.purge_until)


def zones(spans: LabelSpans, limits: Rows, gaps: Gaps) -> tuple[Zone, ...]:
    """Find the zones of neighbouring blocks.

    Parameters
    ----------
    spans
        Labels in the order of their starts.
    limits
        Numbers of the distinct starts at which blocks begin, then the one at which the last stops.
    gaps
        What is kept free around each.
    """
    places = spans.places(limits)
    firsts, stops = places[:-1], places[1:]
    starts = spans.begins[firsts]
    nearest = starts - gaps.purge
    last = np.maximum(_latest_ends(spans, firsts, stops), spans.begins[stops - 1] + gaps.purge)
    purge_from = np.searchsorted(spans.begins, nearest)
    embargo_from = np.searchsorted(spans.begins, nearest - gaps.before)
    columns = (
        np.minimum(np.searchsorted(spans.reach, starts), embargo_from),
        embargo_from,
        purge_from,
        firsts,
        stops,
        np.searchsorted(spans.begins, last, side="right"),
        np.searchsorted(spans.begins, last + gaps.after, side="right"),
        starts,
    )
    return tuple(Zone(*values) for values in zip(*(column.tolist() for column in columns), strict=True))


def stretches(bounds: Iterator[tuple[int, int]], since: int, until: int) -> list[tuple[int, int]]:
    """Unite stretches of places that are ascending in their first, and cut them to a window.

    Examples
    --------
    >>> stretches(iter([(0, 3), (2, 5), (7, 7), (8, 12)]), 1, 10)
    [(1, 5), (8, 10)]
    """
    united: list[tuple[int, int]] = []
    for first, stop in bounds:
        first, stop = max(first, since), min(stop, until)
        if first >= stop:
            continue
        if united and first <= united[-1][1]:
            united[-1] = (united[-1][0], max(stop, united[-1][1]))
        else:
            united.append((first, stop))
    return united


def _latest_ends(spans: LabelSpans, firsts: Rows, stops: Rows) -> Rows:
    """Latest end within each block; the reach tells, unless a label from before the block outlasts it."""
    latest = spans.reach[stops - 1]
    outlasted = (firsts > 0) & (latest == spans.reach[firsts - 1])
    for block in np.flatnonzero(outlasted):
        latest[block] = spans.ends[firsts[block] : stops[block]].max()
    return latest
