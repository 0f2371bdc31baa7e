"""The leak audit: features that move when their future does, or that need more bars than they say."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.features.compute import chosen, compute_features
from nightfold.features.feature import Feature
from nightfold.interval import Interval
from nightfold.schema import FLOW, KEY, PRICES

Mask = NDArray[np.bool_]
Values = NDArray[np.float64]

TOLERANCE = 1e-6
"""Agreement asked for: this share of the value plus this share of the feature's standard deviation."""


def audit_features(
    bars: pl.DataFrame,
    names: Iterable[str | Feature] | None = None,
    *,
    cuts: int = 4,
    seed: int = 7,
    interval: Interval | None = None,
    leader: str | None = None,
) -> pl.DataFrame:
    """Look for features that know their future or look further back than they declare.

    At some points in time the future is cut off, then replaced by noise: no earlier value may move. Then the value at
    that point is computed once more from just the bars its lookback names: it must come out the same.

    Parameters
    ----------
    bars
        As for `compute_features`; best longer than the longest lookback.
    names
        Names from the catalog, or features of your own; all of the default set where none are given.
    cuts
        Points in time to try; each costs about two computations over ``bars``.
    seed
        Of the points and of the noise.
    interval
        Step between neighbouring bars; the smallest step in ``bars`` where none is given.
    leader
        Symbol that cross-asset features compare with.

    Returns
    -------
    DataFrame
        One row a feature: ``feature``, ``lookback``, and whether it was ``moved_by_future`` or
        ``needs_more_than_lookback``.
    """
    features = chosen(names)
    random = np.random.default_rng(seed)
    bars = bars.sort(KEY)

    def values(frame: pl.DataFrame, wanted: Sequence[Feature] = features) -> Values:
        computed = compute_features(frame, wanted, interval=interval, leader=leader).drop(KEY)
        return computed.to_numpy().astype(np.float64)

    full = values(bars)
    moved = np.zeros(len(features), dtype=bool)
    short = np.zeros(len(features), dtype=bool)
    slack = TOLERANCE * np.array([_deviation(column) for column in full.T])
    for time in _cut_times(bars, features, cuts, random):
        past = (bars["open_time"] <= time).to_numpy()
        moved |= _differs(values(bars.filter(past)), full[past], slack).any(axis=0)
        moved |= _differs(values(_with_noise(bars, past, random))[past], full[past], slack).any(axis=0)
        short |= _needs_more(bars, past, features, full, slack, values)
    return pl.DataFrame(
        {
            "feature": [feature.name for feature in features],
            "lookback": [feature.lookback for feature in features],
            "moved_by_future": moved,
            "needs_more_than_lookback": short,
        }
    )


def differing_features(left: pl.DataFrame, right: pl.DataFrame) -> list[str]:
    """Name the features whose values in two tables do not agree on the rows that both have.

    Parameters
    ----------
    left, right
        ``symbol``, ``open_time`` and the same feature columns.
    """
    names = [name for name in right.columns if name not in KEY]
    both = right.join(left.select(*KEY, *names), on=KEY, how="inner", suffix="_left")
    computed = both.select(names).to_numpy().astype(np.float64)
    other = both.select(f"{name}_left" for name in names).to_numpy().astype(np.float64)
    slack = TOLERANCE * np.array([_deviation(column) for column in computed.T])
    differs = _differs(other, computed, slack).any(axis=0)
    return [names[place] for place in np.flatnonzero(differs)]


def _cut_times(bars: pl.DataFrame, features: Sequence[Feature], cuts: int, random: np.random.Generator) -> list[object]:
    """Points with a future behind them, and the longest lookback before them where there are enough bars."""
    times = bars["open_time"].unique().sort()[:-1]
    first = min(max((feature.lookback for feature in features), default=0), times.len() // 2)
    rows = random.choice(np.arange(first, times.len()), size=min(cuts, times.len() - first), replace=False)
    return [times[int(row)] for row in np.sort(rows)]


def _with_noise(bars: pl.DataFrame, past: Mask, random: np.random.Generator) -> pl.DataFrame:
    """Replace what comes after the cut by a market wild enough to leave every range seen so far."""
    wild = np.where(past, 1.0, np.exp(random.normal(0, 1, bars.height)))
    busy = np.where(past, 1.0, np.exp(random.normal(0, 3, bars.height)))
    amounts = [name for name in ("volume", *FLOW) if name in bars.columns]
    return bars.with_columns(pl.col(PRICES) * wild, pl.col(amounts) * busy)


def _needs_more(
    bars: pl.DataFrame,
    past: Mask,
    features: Sequence[Feature],
    full: Values,
    slack: Values,
    values: Callable[[pl.DataFrame, Sequence[Feature]], Values],
) -> Mask:
    """Whether the newest value of some symbol differs when just the bars of the lookback are there."""
    known = bars.with_row_index("row").filter(past)
    last = known.group_by("symbol").agg(pl.col("row").max()).sort("symbol")["row"].to_numpy()
    needs = np.zeros(len(features), dtype=bool)
    for lookback in {feature.lookback for feature in features}:
        group = [i for i, feature in enumerate(features) if feature.lookback == lookback]
        window = known.group_by("symbol", maintain_order=True).tail(lookback + 1)
        ends = (window["symbol"] != window["symbol"].shift(-1)).fill_null(True).to_numpy()
        alone = values(window.drop("row"), [features[i] for i in group])[ends]
        needs[group] = _differs(alone, full[last][:, group], slack[group]).any(axis=0)
    return needs


def _deviation(column: Values) -> float:
    known = column[~np.isnan(column)]
    return float(known.std()) if known.size else 0.0


def _differs(left: Values, right: Values, slack: Values) -> Mask:
    unknown = np.isnan(left) & np.isnan(right)
    return ~(unknown | (np.abs(left - right) <= TOLERANCE * np.abs(right) + slack))
