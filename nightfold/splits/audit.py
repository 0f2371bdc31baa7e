"""The audit of splits, ours or yours: training labels that overlap a test, what was lost, how often rows are tested."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import ConfigError
from nightfold.schema import TIME
from nightfold.splits.fold import Splitter
from nightfold.splits.own import pairs_of
from nightfold.splits.plan import SplitPlan
from nightfold.splits.purge import EMBARGOED, NOT_KNOWN, OUTSIDE, PURGED, TEST, TRAIN, UNKNOWN
from nightfold.splits.span import Column, LabelSpans, RowNumbers

Codes = NDArray[np.int8]

LEAK = UNKNOWN + OUTSIDE
"""Code of a training row whose label meets a test label, beside those of `PARTS`."""

BINS = 800
"""Stretches of rows, in the order of their starts, that a picture tells apart."""

NOWHERE = -1
"""Place of a row without a known label."""

_REASONS = {"purged": PURGED, "embargoed": EMBARGOED, "outside": OUTSIDE}
_WORTH_SEEING = np.array([OUTSIDE, TRAIN, EMBARGOED, PURGED, TEST, LEAK], np.int8)
_RANK = np.zeros(LEAK + 1, np.int8)
_RANK[_WORTH_SEEING] = np.arange(_WORTH_SEEING.size)


@dataclass(frozen=True, slots=True, eq=False)
class SplitAudit:
    """What an audit found."""

    table: pl.DataFrame
    """A row a split: ``split``, ``test_from`` and ``test_to`` (first and last start), ``train`` and ``test`` rows,
    ``leaks`` (training rows whose label span meets a test label's), the rows in neither set: ``purged`` (theirs does,
    or comes too close), ``embargoed``, ``outside`` (of what the split looks at); and ``unknown``, rows in a set whose
    label is not known, which can not be looked at."""
    tested: pl.DataFrame
    """``times`` tested, and how many ``rows`` with a known label are; paths are complete where there is one line."""
    strips: Codes
    """Splits x `BINS` stretches of rows by start: the code most worth seeing in each."""
    spans: LabelSpans

    @property
    def leaks(self) -> int:
        """Training rows, over all splits, whose label span meets a test label's."""
        return int(self.table["leaks"].sum())

    @property
    def n_paths(self) -> int:
        """Out-of-sample paths over every row with a known label: as many as the row least tested is tested."""
        return int(self.tested["times"].min() or 0)  # type: ignore[arg-type]  # a whole number


def audit_splits(splits: Any, start: Column, end: Column, interval: str | None = None) -> SplitAudit:
    """Look for training labels that overlap a test, and account for every row.

    Overlaps are counted from the rows alone, without the machinery that made them.

    Parameters
    ----------
    splits
        A splitter or plan of ours; an object with ``split(X)`` as in scikit-learn; or pairs of train and test rows.
    start, end, interval
        As in `Splitter.plan`.

    Returns
    -------
    SplitAudit
        Tables and what is drawn from them. Where others made the splits, a row left out is ``purged`` if its label
        meets a test label, ``embargoed`` if rows are used before and after it, else ``outside``.

    Raises
    ------
    SchemaError
        If spans cannot be read, as in `PurgedSplit.split`.
    ConfigError
        If there are no splits, or their rows are no row numbers.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> from nightfold.splits.fold import PurgedKFold
    >>> start = np.arange(12)
    >>> audit_splits(KFold(3), start, start + 2).table["leaks"].to_list()
    [2, 4, 2]
    >>> audit = audit_splits(PurgedKFold(3), start, start + 2)
    >>> audit.leaks, audit.n_paths, audit.table["purged"].to_list()
    (0, 1, [2, 4, 2])
    """
    spans = LabelSpans.of(start, end, interval)
    if not spans.begins.size:
        raise ConfigError("`end` is known in none of the rows; there is nothing to audit.")
    place = np.full(spans.size, NOWHERE, np.int32)
    place[spans.rows] = np.arange(spans.begins.size, dtype=np.int32)
    lines: list[dict[str, int | None]] = []
    strips, times = [], np.zeros(spans.begins.size, np.int64)
    for train, test, code in _coded(splits, start, end, spans, place):
        leaks = train[overlaps(spans, train, test)]
        times += np.bincount(test[test != NOWHERE], minlength=times.size)
        lines.append(_line(spans, len(lines), train, test, leaks, code))
        code[leaks] = LEAK
        strips.append(_strip(code))
    if not lines:
        raise ConfigError("`splits` gives no split; it must give pairs of train and test rows.")
    tested = pl.DataFrame({"times": times}).group_by("times").agg(pl.len().alias("rows")).sort("times")
    return SplitAudit(_table(lines, spans), tested, np.array(strips), spans)


def overlaps(spans: LabelSpans, train: RowNumbers, test: RowNumbers) -> NDArray[np.bool_]:
    """Tell which training labels meet the span of some test label, given the places of both.

    One does if, among the test labels that start by its end, the latest end is not before its start.
    """
    tested = np.sort(test[test != NOWHERE])
    latest = np.append(NOT_KNOWN, np.maximum.accumulate(spans.ends[tested]))
    started = np.searchsorted(spans.begins[tested], spans.ends[train], side="right")
    meets: NDArray[np.bool_] = (train != NOWHERE) & (latest[started] >= spans.begins[train])
    return meets


def _coded(
    splits: Any, start: Column, end: Column, spans: LabelSpans, place: RowNumbers
) -> Iterator[tuple[RowNumbers, RowNumbers, Codes]]:
    """Places of train and test rows of each split, and the code of every place."""
    if isinstance(splits, Splitter | SplitPlan):
        for split in splits.plan(spans) if isinstance(splits, Splitter) else splits:
            yield place[split.train], place[split.test], split.code()
    else:
        for train, test in pairs_of(splits, start, end):
            yield place[train], place[test], _guessed(spans, place[train], place[test])


def _guessed(spans: LabelSpans, train: RowNumbers, test: RowNumbers) -> Codes:
    """Guess why rows are in neither set."""
    code = np.full(spans.begins.size, OUTSIDE, np.int8)
    code[train[train != NOWHERE]], code[test[test != NOWHERE]] = TRAIN, TEST
    used = np.flatnonzero(code != OUTSIDE)
    lost = np.flatnonzero(code == OUTSIDE).astype(np.int32)
    if used.size:
        code[lost[(lost > used[0]) & (lost < used[-1])]] = EMBARGOED
    code[lost[overlaps(spans, lost, test)]] = PURGED
    return code


def _line(
    spans: LabelSpans, number: int, train: RowNumbers, test: RowNumbers, leaks: RowNumbers, code: Codes
) -> dict[str, int | None]:
    tested = spans.begins[test[test != NOWHERE]]
    return {
        "split": number,
        "test_from": tested.min() if tested.size else None,
        "test_to": tested.max() if tested.size else None,
        "train": train.size,
        "test": test.size,
        "leaks": leaks.size,
        **{name: int((code == reason).sum()) for name, reason in _REASONS.items()},
        "unknown": int((train == NOWHERE).sum() + (test == NOWHERE).sum()),
    }


def _table(lines: list[dict[str, int | None]], spans: LabelSpans) -> pl.DataFrame:
    moments = pl.col("test_from", "test_to").cast(TIME if spans.are_times else pl.Int64)
    return pl.DataFrame(lines, schema=dict.fromkeys(lines[0], pl.Int64)).with_columns(moments)


def _strip(code: Codes) -> Codes:
    """Code most worth seeing in each of `BINS` stretches of places."""
    edges = np.linspace(0, code.size, BINS, endpoint=False).astype(np.int64)
    strip: Codes = _WORTH_SEEING[np.maximum.reduceat(_RANK[code], edges)]
    return strip
