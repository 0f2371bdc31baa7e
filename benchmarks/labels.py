"""Triple-barrier labels of four horizons, a far barrier, and the uniqueness of overlapping labels."""

import numpy as np

from benchmarks.market import Market
from benchmarks.measure import measure
from benchmarks.row import Row
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.labels.table import LabelSet, label_table
from nightfold.labels.weight import average_uniqueness

_HORIZONS = (5, 10, 15, 20)


def four_horizons(market: Market) -> Row:
    """Label, touch, end and return at four horizons; promised are 40 million labels a second."""
    bars = market.million
    barriers = [TripleBarrier(horizon=horizon) for horizon in _HORIZONS]
    seconds = measure(lambda: [barrier_labels(bars, barrier, "5m") for barrier in barriers], runs=3)
    labels = len(_HORIZONS) * bars.height
    return Row(f"triple barrier, {labels:,} labels at horizons {_listed()}", seconds, promise=labels / 40e6)


def stored_table(market: Market) -> Row:
    """Everything that the asset stores: also weights, excursions and forward returns."""
    bars = market.million
    label_set = LabelSet(horizons=list(_HORIZONS))
    seconds = measure(lambda: label_table(bars, label_set, "5m"), runs=3)
    return Row(f"the stored label table, {bars.height:,} bars x horizons {_listed()}", seconds)


def far_barrier(market: Market) -> Row:
    """Look a day ahead, with barriers that are seldom met; promised are 8 million labels a second."""
    bars = market.million
    barrier = TripleBarrier(horizon=288, upper=3.0, lower=3.0)
    seconds = measure(lambda: barrier_labels(bars, barrier, "5m"), runs=3)
    return Row(
        f"triple barrier, {bars.height:,} labels at horizon 288, far barriers", seconds, promise=bars.height / 8e6
    )


def uniqueness(market: Market) -> Row:
    """Average uniqueness of a million labels of uneven length."""
    start = np.arange(market.million.height)
    end = np.minimum(start + np.random.default_rng(0).integers(1, 21, len(start)), len(start) - 1)
    seconds = measure(lambda: average_uniqueness(start, end))
    return Row(f"average uniqueness, {len(start):,} labels", seconds, promise=0.015)


def _listed() -> str:
    return ", ".join(str(horizon) for horizon in _HORIZONS)
