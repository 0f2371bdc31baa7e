"""Splits of a million labelled rows with uneven ends: one split in three parts, and combinatorial cross-validation."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.market import Market
from benchmarks.measure import measure
from benchmarks.peer import beside
from benchmarks.row import Beside, Row
from nightfold.splits.fold import CombinatorialPurged
from nightfold.splits.plan import SplitPlan
from nightfold.splits.purge import PurgedSplit
from nightfold.splits.span import LabelSpans

Rows = NDArray[np.int64]

_HORIZON = 20


def purged_split(market: Market) -> Row:
    """Row numbers of train, validation and test, and why the others are in none."""
    start, end = _labels(market)
    splitter = PurgedSplit()
    return Row(f"purged split, {len(start):,} rows", measure(lambda: splitter.split(start, end)), promise=0.06)


def combinatorial(market: Market) -> list[Row]:
    """Check and sort label spans, lay out the splits, make their rows; peers begin with the rows at once."""
    start, end = _labels(market)
    splitter = CombinatorialPurged(10, 2)
    spans = LabelSpans.of(start, end)
    plan = splitter.plan(spans)
    what = f"combinatorial purged, 10 folds, 2 tested, {len(start):,} rows"
    floor = Beside("copying as many row numbers", measure(lambda: _copy(plan)).median)
    peers = (
        *beside("skfolio_splits", market.million),
        *beside("purgedcv_splits", market.million, label_end=end.astype(np.float64)),
    )
    return [
        Row("label spans of them checked and sorted", measure(lambda: LabelSpans.of(start, end)), promise=0.02),
        Row(f"{what}: the plan", measure(lambda: splitter.plan(spans)), promise=0.001),
        Row(f"{what}: rows of all {len(plan)} splits", measure(lambda: _make(plan)), 0.06, (floor, *peers)),
    ]


def _labels(market: Market) -> tuple[Rows, Rows]:
    """Bar positions, and ends up to the horizon later."""
    start = np.arange(market.million.height)
    return start, start + np.random.default_rng(0).integers(1, _HORIZON + 1, len(start))


def _make(plan: SplitPlan) -> None:
    """Make the rows of one split after another, as a loop over folds does."""
    for _ in plan.pairs:
        pass


def _copy(plan: SplitPlan) -> None:
    """Copy 32-bit numbers as many as the splits have rows."""
    numbers = plan.spans.rows
    for split in plan:
        numbers[: split.train_size].copy()
        numbers[: split.test_size].copy()
