"""The 107 features: a million bars, and the one bar that has just closed."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.market import Market
from benchmarks.measure import Seconds, least_wall, measure, run, seconds_of
from benchmarks.peer import beside
from benchmarks.row import Beside, Row
from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.features.live import LiveFeatures

_WHOLE = "from benchmarks.market import Market; bars = Market.find().million"


def million_bars(market: Market) -> list[Row]:
    """All features of a million bars, then those that a peer has, too; the floor writes as many numbers, no more.

    The peer sees one symbol.
    """
    bars = market.million
    floor = Beside(f"writing {len(FEATURES)} columns", measure(lambda: _write(bars.height)).median)
    output = len(FEATURES) * bars.height * 4 / 2**20
    every = Row(
        f"{len(FEATURES)} features, {bars.height:,} bars ({output:.0f} MB of numbers)",
        measure(lambda: compute_features(bars, interval="5m"), runs=3),
        promise=0.6,
        beside=(floor,),
        memory=_memory(),
    )
    same = [name for name, feature in FEATURES.items() if feature.group != "structure"]
    shared = Row(
        f"the {len(same)} of them that pandas + TA-Lib has, {bars.height:,} bars",
        measure(lambda: compute_features(bars, same, interval="5m")),
        beside=beside("pandas_talib_features", bars),
    )
    return [every, shared]


def million_bars_on_two_threads(market: Market) -> Row:
    """All features of a million bars where two processors share the work: what one waits for is on the clock."""
    bars = market.million
    work = partial(compute_features, bars, interval="5m", threads=2)
    seconds = measure(work, runs=3)
    return Row(f"the same on two threads, {bars.height:,} bars", seconds, wall=least_wall(work))


def seed_scale(market: Market) -> Row:
    """All features of one symbol over 14 months, where peers can keep up."""
    bars = market.seed_scale
    seconds = measure(lambda: compute_features(bars, interval="5m"))
    peers = (*beside("pandas_talib_features", bars), *beside("pandas_ta_features", bars))
    return Row(f"{len(FEATURES)} features, {bars.height:,} bars", seconds, beside=peers)


def one_bar(market: Market) -> Row:
    """All features of the newest bar, from it and as many before it as the longest lookback."""
    reach = max(feature.lookback for feature in FEATURES.values())
    bars = market.seed_scale.tail(reach + 1)
    seconds = measure(lambda: compute_features(bars, interval="5m"))
    return Row(f"{len(FEATURES)} features of one new bar ({reach} bars before it)", seconds, promise=0.005)


def live_bars(market: Market) -> list[Row]:
    """All features of each new bar as it closes: what most bars take, and what all but one in a hundred take."""
    warm, coming = market.seed_scale.tail(3_000).head(1_000), market.seed_scale.tail(2_000)
    live = LiveFeatures.warm(warm, interval="5m")
    seconds = [seconds_of(partial(live.update, bar)) for bar in coming.iter_rows(named=True)]
    return [
        Row(
            f"{len(FEATURES)} features of one new bar, live ({name})",
            Seconds(min(seconds), float(np.quantile(seconds, share))),
            promise=0.005,
        )
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]


def _write(rows: int) -> list[NDArray[np.float32]]:
    return [np.full(rows, 1.0, dtype=np.float32) for _ in FEATURES]


def _memory() -> float:
    """Peak memory of a process that computes all features, less one that only reads the bars."""
    computing = f"{_WHOLE}; from nightfold.features.compute import compute_features; compute_features(bars)"
    return run(["-c", computing]).memory - run(["-c", _WHOLE]).memory
