"""Purged splits of a million labelled rows with uneven ends."""

import numpy as np

from benchmarks.market import Market
from benchmarks.measure import measure
from benchmarks.row import Row
from nightfold.splits.purge import PurgedSplit


def purged_split(market: Market) -> Row:
    """Row numbers of train, validation and test, and why the others are in none."""
    start = np.arange(market.million.height)
    end = start + np.random.default_rng(0).integers(1, 21, len(start))
    splitter = PurgedSplit()
    return Row(f"purged split, {len(start):,} rows", measure(lambda: splitter.split(start, end)), promise=0.06)
