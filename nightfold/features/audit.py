"""The leak audit: features that move when their future does, or that need more bars than they say."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.features.catalog import CATALOG
from nightfold.features.compute import chosen, compute_features
from nightfold.features.cut import many_times, some_times, tried_times, visible_share
from nightfold.features.feature import Feature
from nightfold.interval import Interval
from nightfold.schema import FLOW, KEY, PRICES

Mask = NDArray[np.bool_]
Values = NDArray[np.float64]
Counts = NDArray[np.int64]

TOLERANCE = 1e-6
"""Agreement asked for: this share of the value plus this share of the feature's standard deviation."""

COMPARED = 100
"""Rows before a cut that are computed without their future."""


def audit_features(
    bars: pl.DataFrame,
    names: Iterable[str | Feature] | None = None,
    *,
    cuts: int = 4,
    own_cuts: int = 400,
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
    own_cuts
        Points to try for features that are not the catalog's: three in four spread evenly over times of day and
        weekdays, one in four at rows of unlike volume or move, where there are so many.
    seed
        Of the points and of the noise.
    interval
        Step between neighbouring bars; the smallest step in ``bars`` where none is given.
    leader
        Symbol that cross-asset features compare with.

    Returns
    -------
    DataFrame
        One row a feature: ``feature``, ``lookback``, whether it was ``moved_by_future`` or
        ``needs_more_than_lookback``, in how many rows it has a value (``known_rows``; one without any was not put to
        the test), the ``cuts`` tried, and the ``visible_share``: a peek of a single bar is seen at its own row alone,
        and must show in this share of the rows to be found with 95 %.
    """
    features = chosen(names)
    random = np.random.default_rng(seed)
    bars = bars.sort(KEY)
    own = [feature for feature in features if CATALOG.get(feature.name) is not feature]
    ours = [feature for feature in features if CATALOG.get(feature.name) is feature]
    found = []
    if ours:
        times = some_times(tried_times(bars, _longest(ours)), cuts, random)
        found.append(_audited(bars, ours, times, len(times), random, interval, leader))
    if own:
        tried, spread = many_times(bars, tried_times(bars, _longest(own)), own_cuts, random)
        found.append(_audited(bars, own, tried, spread, random, interval, leader))
    order = pl.DataFrame({"feature": [feature.name for feature in features]})
    return order.join(pl.concat(found), on="feature", maintain_order="left")


def _audited(
    bars: pl.DataFrame,
    features: Sequence[Feature],
    times: Sequence[datetime],
    spread: int,
    random: np.random.Generator,
    interval: Interval | None,
    leader: str | None,
) -> pl.DataFrame:
    """Put features to the test at some points in time, of which so many are spread over all."""

    def values(frame: pl.DataFrame, wanted: Sequence[Feature] = features) -> Values:
        computed = compute_features(frame, wanted, interval=interval, leader=leader).drop(KEY)
        return computed.to_numpy().astype(np.float64)

    full = values(bars)
    moved = np.zeros(len(features), dtype=bool)
    short = np.zeros(len(features), dtype=bool)
    slack = TOLERANCE * np.array([_deviation(column) for column in full.T])
    for time in times:
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
            "known_rows": np.isfinite(full).sum(axis=0),
            "cuts": len(times),
            "visible_share": visible_share(spread),
        }
    )


def audit_stored(
    stored: pl.DataFrame,
    bars: pl.DataFrame,
    *,
    cuts: int = 2,
    seed: int = 7,
    interval: Interval | None = None,
    leader: str | None = None,
) -> pl.DataFrame:
    """Hold stored features against what the bars give, also where their future is not known.

    All rows are computed once more. Then, at some of them, the bars that came after are cut off, and replaced by
    noise: the rows up to there must still come out as they are stored.

    Parameters
    ----------
    stored
        ``symbol``, ``open_time`` and columns of catalog features.
    bars
        As for `compute_features`: those of the stored rows and, before them, as many as the longest lookback asks for.
    cuts
        Points in time to try; each costs two computations over a few hundred rows more than the longest lookback.
    seed, interval, leader
        As in `audit_features`.

    Returns
    -------
    DataFrame
        One row a feature that differs: ``feature``, and in how many rows it is ``unlike_bars`` (other bars or other
        code made it) or ``moved_by_future``.
    """
    features = chosen(name for name in stored.columns if name not in KEY)
    names = [feature.name for feature in features]
    random = np.random.default_rng(seed)
    slack = TOLERANCE * np.array([_deviation(column) for column in _numbers(stored, names).T])

    def differing(known: pl.DataFrame, rows: Callable[[pl.DataFrame], pl.DataFrame]) -> Counts:
        computed = rows(compute_features(known, features, interval=interval, leader=leader).sort(KEY))
        both = stored.join(computed, on=KEY, suffix="_again")
        again = _numbers(both, [f"{name}_again" for name in names])
        counts: Counts = _differs(again, _numbers(both, names), slack).sum(axis=0)
        return counts

    unlike, moved = differing(bars, lambda rows: rows), np.zeros(len(names), dtype=np.int64)
    for cut in some_times(stored["open_time"].unique().sort(), cuts, random):
        near = _around(bars, cut, _longest(features))
        past = (near["open_time"] <= cut).to_numpy()
        newest = partial(_newest, until=cut)
        moved += differing(near.filter(past), newest) + differing(_with_noise(near, past, random), newest)
    table = pl.DataFrame({"feature": names, "unlike_bars": unlike, "moved_by_future": moved})
    return table.filter(pl.col("unlike_bars") + pl.col("moved_by_future") > 0)


def _newest(rows: pl.DataFrame, until: datetime) -> pl.DataFrame:
    return rows.filter(pl.col("open_time") <= until).group_by("symbol").tail(COMPARED)


def _around(bars: pl.DataFrame, cut: datetime, lookback: int) -> pl.DataFrame:
    """Bars that `COMPARED` rows up to a cut need, and as many after it."""
    times = bars["open_time"].unique().sort()
    row = times.search_sorted(cut)
    first, last = max(row - COMPARED - lookback, 0), min(row + COMPARED, times.len() - 1)
    return bars.filter(pl.col("open_time").is_between(times[first], times[last]))


def _numbers(frame: pl.DataFrame, names: Sequence[str]) -> Values:
    return frame.select(names).to_numpy().astype(np.float64)


def _longest(features: Sequence[Feature]) -> int:
    return max((feature.lookback for feature in features), default=0)


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
    """Whether the newest value of some symbol differs when just the bars of the lookback are there.

    A symbol that has no bar at the cut is passed over: what the others did then is not among their newest bars.
    """
    known = bars.with_row_index("row").filter(past)
    is_newest = pl.col("open_time") == known["open_time"].max()
    last = known.filter(is_newest).sort("symbol")["row"].to_numpy()
    needs = np.zeros(len(features), dtype=bool)
    for lookback in {feature.lookback for feature in features}:
        group = [i for i, feature in enumerate(features) if feature.lookback == lookback]
        window = known.group_by("symbol", maintain_order=True).tail(lookback + 1)
        ends = window.select(is_newest).to_series().to_numpy()
        alone = values(window.drop("row"), [features[i] for i in group])[ends]
        needs[group] = _differs(alone, full[last][:, group], slack[group]).any(axis=0)
    return needs


def _deviation(column: Values) -> float:
    known = column[np.isfinite(column)]
    return float(known.std()) if known.size else 0.0


def _differs(left: Values, right: Values, slack: Values) -> Mask:
    unknown = np.isnan(left) & np.isnan(right)
    return ~(unknown | (np.abs(left - right) <= TOLERANCE * np.abs(right) + slack))
