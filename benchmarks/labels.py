"""Triple-barrier labels, their weights, and the drawing and searching that rest on them."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.market import Market
from benchmarks.measure import measure
from benchmarks.peer import beside
from benchmarks.row import Beside, Row
from nightfold.labels.barrier import TripleBarrier, barrier_labels, panel_volatility, volatility
from nightfold.labels.bootstrap import sequential_bootstrap
from nightfold.labels.panel import read_panel
from nightfold.labels.table import LabelSet, label_table
from nightfold.labels.weight import average_uniqueness

_HORIZONS = (5, 10, 15, 20)
_TARGETS = ("label", "touch", "label_end", "log_return")
_ROW_BYTES = (1, 1, 8, 8)
_SMALL = 2_000
_LABELINGS = 1_000


def four_horizons(market: Market) -> Row:
    """Label, touch, end and return at four horizons; promised are 40 million labels a second."""
    bars, label_set = market.million, LabelSet(horizons=list(_HORIZONS))
    labels = len(_HORIZONS) * bars.height
    return Row(
        f"triple barrier, {labels:,} labels at horizons {_listed(_HORIZONS)} with touch, end and return",
        measure(lambda: label_table(bars, label_set, "5m", targets=_TARGETS)),
        promise=labels / 40e6,
        count=labels,
        beside=(Beside("writing these columns", measure(lambda: _write(bars.height)).median),),
    )


def one_horizon(market: Market) -> list[Row]:
    """Whatever `barrier_labels` tells of each row, at one horizon: near, far, and as few bars as a peer can stand."""
    near, far = TripleBarrier(horizon=20), TripleBarrier(horizon=288, upper=3.0, lower=3.0)
    bars, few = market.million, market.seed_scale.head(_SMALL)
    width = volatility(few, interval="5m")["volatility"].to_numpy() * near.width
    return [
        Row(
            f"all of a triple barrier, {bars.height:,} labels at horizon 20",
            measure(lambda: barrier_labels(bars, near, "5m"), runs=3),
            count=bars.height,
        ),
        Row(
            f"all of a triple barrier, {bars.height:,} labels at horizon 288, far barriers",
            measure(lambda: barrier_labels(bars, far, "5m"), runs=3),
            promise=bars.height / 8e6,
            count=bars.height,
        ),
        Row(
            f"all of a triple barrier, {_SMALL:,} labels at horizon 20",
            measure(lambda: barrier_labels(few, near, "5m")),
            beside=beside("mlfinpy_labels", few, width=width),
            count=_SMALL,
        ),
    ]


def stored_table(market: Market) -> list[Row]:
    """Everything that the asset stores, without and with a day ahead: also weights, excursions and other targets."""
    bars, rows = market.million, []
    for horizons in (_HORIZONS, (*_HORIZONS, 288)):
        label_set = LabelSet(horizons=list(horizons))
        seconds = measure(lambda label_set=label_set: label_table(bars, label_set, "5m"), runs=3)  # type: ignore[misc]
        what = f"the stored label table, {bars.height:,} bars x horizons {_listed(horizons)}"
        rows.append(Row(what, seconds, count=bars.height * len(horizons)))
    return rows


def uniqueness(market: Market) -> list[Row]:
    """Average uniqueness of labels of uneven length: a million, and as few as a peer can stand."""
    start, end = _spans(market.million.height)
    few_start, few_end = start[:_SMALL], np.minimum(end[:_SMALL], _SMALL - 1)
    life = (few_end - few_start).astype(np.float64)
    return [
        Row(
            f"average uniqueness, {len(start):,} labels",
            measure(lambda: average_uniqueness(start, end)),
            promise=0.015,
            count=len(start),
        ),
        Row(
            f"average uniqueness, {_SMALL:,} labels",
            measure(lambda: average_uniqueness(few_start, few_end)),
            beside=beside("mlfinpy_uniqueness", market.seed_scale.head(_SMALL), life=life),
            count=_SMALL,
        ),
    ]


def bootstrap(market: Market) -> Row:
    """As many draws of the sequential bootstrap as there are labels."""
    start, end = _spans(market.seed_scale.height)
    seconds = measure(lambda: sequential_bootstrap(start, end), runs=3)
    return Row(f"sequential bootstrap, {len(start):,} draws", seconds, promise=0.5, count=len(start))


def labelings(market: Market) -> Row:
    """Label one market at many pairs of barriers, followed by a trader: what a genetic search asks for."""
    from nightfold.labels.judge import Window, judge

    panel, barrier = read_panel(market.seed_scale, "5m"), TripleBarrier(horizon=20)
    opens, highs, lows, closes = np.log([panel.open, panel.high, panel.low, panel.close])
    bars_left = (panel.last - np.arange(panel.size)).astype(np.float64)
    side = np.random.default_rng(0).choice(np.array([-1, 0, 0, 0, 0, 0, 0, 1], np.int8), panel.size)
    sigma, followed = panel_volatility(panel, barrier), np.flatnonzero(side)
    window = Window(opens, highs, lows, closes, closes, sigma, bars_left, side, followed, 0)
    pairs = barrier.width * np.random.default_rng(1).uniform(0.3, 3.0, (_LABELINGS, 2))
    seconds = measure(lambda: [judge(window, up, down, 20, False, 0.003, 0.002) for up, down in pairs], runs=3)
    return Row(
        f"{_LABELINGS:,} labelings of {panel.size:,} bars at horizon 20",
        seconds,
        promise=1.0,
        count=_LABELINGS * panel.size,
    )


def _spans(rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    start = np.arange(rows)
    return start, np.minimum(start + np.random.default_rng(0).integers(1, 21, rows), rows - 1)


def _write(rows: int) -> list[NDArray[np.uint8]]:
    return [np.full(rows * width, 1, np.uint8) for _ in _HORIZONS for width in _ROW_BYTES]


def _listed(horizons: tuple[int, ...]) -> str:
    return ", ".join(str(horizon) for horizon in horizons)
