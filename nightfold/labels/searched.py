"""A month's barrier searches as rows of the lake: every barrier tried, and those in force."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from nightfold.errors import ConfigError
from nightfold.interval import Interval, duration
from nightfold.labels.choice import FIXED, OBJECTIVES, TRIED, BarrierSearch, settle
from nightfold.labels.table import LabelSet
from nightfold.schema import KEY, PRICES, TIME, Column, Table
from nightfold.window import Window, window_of

_DEFAULT = "labels"
_SHARES = ("upper_touches", "lower_touches", "timeouts", "ties", "thin_widths")
_BEGINNING = {
    "symbol": Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P."),
    "open_time": Column(TIME, "Start of the partition, UTC."),
    "horizon": Column(pl.Int64, "Bars to the farthest vertical barrier.", minimum=1),
}
_BARRIERS = {
    "upper": Column(pl.Float64, "Distance of the upper barrier, in widths of `holding_bars`.", above=0),
    "lower": Column(pl.Float64, "Distance of the lower barrier, in widths of `holding_bars`.", above=0),
    "holding": Column(pl.Float64, "Way to the vertical barrier, as a share of the horizon.", above=0, maximum=1),
    "holding_bars": Column(pl.Int64, "The same in whole bars, rounded up.", minimum=1),
}
_SEARCH = Column(pl.String, "Hash of bars, settings and code; rows that share it come from one and the same search.")


def _figures(*, nullable: bool) -> dict[str, Column]:
    """Describe what is measured of barriers on the window; null where nothing was tried."""

    def share(description: str) -> Column:
        return Column(pl.Float64, description, nullable, minimum=0, maximum=1)

    return {
        "rows": Column(pl.Int64, "Rows of the window whose label had ended before the month.", nullable, minimum=0),
        "log_return_per_bar": Column(
            pl.Float64, "Objective (a): log return of the follower after cost, per bar in the market.", nullable
        ),
        # Rounding may lift three equal shares above 1.
        "entropy": Column(
            pl.Float64, "Objective (b): entropy of the classes; 1 if all are equal.", nullable, minimum=0
        ),
        "upper_touches": share("Share of labels that meet the upper barrier first."),
        "lower_touches": share("Share of labels that meet the lower barrier first, ties among them."),
        "timeouts": share("Share of labels that meet neither barrier."),
        "ties": share("Share of labels decided by a bar that met both barriers."),
        "thin_widths": share("Share of labels with a barrier nearer than costs allow."),
    }


TRIALS = Table(
    "barrier_trials",
    {
        **_BEGINNING,
        "trial": Column(
            pl.Int64, f"Number of the trial; {FIXED}: the fixed barriers, judged beside and not counted.", minimum=FIXED
        ),
        **_BARRIERS,
        **_figures(nullable=False),
        "feasible": Column(pl.Boolean, "Whether timeouts, classes, ties and widths are within their limits."),
        "offered": Column(pl.Boolean, "Feasible, with enough entropy: one of these is chosen."),
        "search": _SEARCH,
    },
    key=(*KEY, "horizon", "trial"),
)
PARAMS = Table(
    "barrier_params",
    {
        **_BEGINNING,
        **_BARRIERS,
        "fallback": Column(pl.Boolean, "Whether the search found nothing better, so that the fixed barriers stand."),
        "reason": Column(pl.String, "Why they do.", nullable=True),
        "trial": Column(pl.Int64, "The trial chosen; null: none.", nullable=True, minimum=0),
        "trials": Column(pl.Int64, "Barriers tried.", minimum=0),
        "feasible": Column(pl.Int64, "How many of them were feasible.", minimum=0),
        "offered": Column(pl.Int64, "How many of these had enough entropy.", minimum=0),
        **_figures(nullable=True),
        "window_start": Column(TIME, "Start of the window searched, UTC."),
        "window_end": Column(TIME, "Its end, UTC: labels that ended later were not seen."),
        "search": replace(_SEARCH, nullable=True),
    },
    key=(*KEY, "horizon"),
)


def search_names(label_set: LabelSet) -> tuple[str, str]:
    """Name the two assets of a label set with searched barriers.

    Examples
    --------
    >>> search_names(LabelSet(name="wide", barriers="searched"))
    ('wide_barrier_trials', 'wide_barrier_params')
    """
    prefix = "" if label_set.name == _DEFAULT else f"{label_set.name}_"
    return f"{prefix}{TRIALS.name}", f"{prefix}{PARAMS.name}"


def data_names(label_sets: Mapping[str, LabelSet]) -> list[str]:
    """List the assets of label sets in the order they are made: those of its searches before a set itself.

    Raises
    ------
    ConfigError
        If a set has the name of another one's search.
    """
    names = [
        name
        for label_set in label_sets.values()
        for name in (*(search_names(label_set) if label_set.is_searched else ()), label_set.name)
    ]
    taken = sorted({name for name in names if names.count(name) > 1})
    if taken:
        raise ConfigError(f"the label set {taken[0]!r} has the name of another set's search; give it another.")
    return names


def search_moment(window: Window) -> datetime:
    """Tell for when a partition's barriers are searched: the start of its month, also where partitions are days."""
    return window_of(window.start, "month").start


def search_reach(label_set: LabelSet, interval: Interval) -> timedelta:
    """How far before the moment a search reads bars: its window, and what the first row of it looks back on."""
    lookback = max(label_set.search.follower.lookback, label_set.volatility_bars)
    return timedelta(days=label_set.search.window_days) + lookback * duration(interval)


def search_id(bars: pl.DataFrame, version: str) -> str:
    """Name a search by what it depends on: the bars it reads, in order, and the version of code and settings."""
    digest = hashlib.sha256(version.encode())
    for name in ("open_time", *PRICES, "volume"):
        digest.update(bars[name].to_physical().to_numpy().tobytes())
    return digest.hexdigest()[:16]


def trial_rows(
    bars: pl.DataFrame, label_set: LabelSet, window: Window, interval: Interval, search: str
) -> pl.DataFrame:
    """Search the barriers of a partition at every horizon.

    Parameters
    ----------
    bars
        Of one symbol, from `search_reach` before `search_moment` on; later bars are not looked at.
    label_set, interval
        Horizons, rule and settings of the search; length of a bar.
    window
        The partition.
    search
        What `search_id` gives.

    Returns
    -------
    DataFrame
        Rows of `TRIALS`; none where the history is too short.
    """
    from nightfold.labels.search import run_search

    moment = search_moment(window)
    tried = [
        run_search(bars, moment, horizon, label_set.search, label_set, interval).tried.with_columns(
            pl.lit(horizon, pl.Int64).alias("horizon")
        )
        for horizon in label_set.horizons
    ]
    symbol = pl.lit(bars["symbol"].first(), pl.String)
    return pl.concat(tried).select(
        symbol.alias("symbol"),
        pl.lit(window.start, TIME).alias("open_time"),
        "horizon",
        *TRIED,
        pl.lit(search).alias("search"),
    )


def settled(trials: pl.DataFrame, label_set: LabelSet, window: Window) -> dict[int, BarrierSearch]:
    """Choose the barriers of a partition at every horizon among its rows of `TRIALS`."""
    moment = search_moment(window)
    return {
        horizon: settle(
            trials.filter(horizon=horizon).select(*TRIED), label_set.barrier(horizon), label_set.search, moment
        )
        for horizon in label_set.horizons
    }


def param_rows(
    searches: Mapping[int, BarrierSearch], label_set: LabelSet, symbol: str, window: Window, search: str | None
) -> pl.DataFrame:
    """Put the barriers in force into rows of `PARAMS`, with what was measured of them on the window searched.

    ``search`` is that of the trials behind them; none where nothing was tried.
    """
    moment = search_moment(window)
    span = {"window_start": moment - timedelta(days=label_set.search.window_days), "window_end": moment}
    rows = []
    for horizon, found in searches.items():
        figures = found.in_force or {}
        rows.append(
            {
                "symbol": symbol,
                "open_time": window.start,
                "horizon": horizon,
                "upper": found.barrier.upper,
                "lower": found.barrier.lower,
                "holding": figures.get("holding", 1.0),
                "holding_bars": found.barrier.horizon,
                "fallback": found.chosen is None,
                "reason": found.fallback,
                "trial": found.chosen,
                "trials": found.trials.height,
                "feasible": int(found.trials["feasible"].sum()),
                "offered": int(found.trials["offered"].sum()),
                **{name: figures.get(name) for name in ("rows", *OBJECTIVES, *_SHARES)},
                **span,
                "search": search,
            }
        )
    return pl.DataFrame(rows, schema=PARAMS.dtypes)
