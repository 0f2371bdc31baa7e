"""The label table: every target of a label set beside its bar, each with the time it became known."""

from collections.abc import Collection, Iterable
from functools import partial
from typing import Any, Literal, Self

import polars as pl
from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator, model_validator

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.labels.barrier import (
    TOUCH,
    BarrierRule,
    Outcomes,
    TripleBarrier,
    entry_price,
    outcome_columns,
    outcomes,
    panel_volatility,
)
from nightfold.labels.panel import Panel, bar_step, read_panel
from nightfold.labels.search_spec import BarrierSearchSpec
from nightfold.labels.target import excursion_columns, forward_columns, next_columns
from nightfold.labels.weight import stored_weights
from nightfold.schema import TIME, Column, Table

BARRIER = ("label", "label_end", "touch", "tie", "log_return", "mfe", "mae")
WEIGHT = ("uniqueness", "weight")
FORWARD = ("forward_log_return", "forward_end", "direction", "forward_mfe", "forward_mae")
NEXT = ("next_log_return", "next_end")
TARGETS = ("volatility", *NEXT, *BARRIER, *WEIGHT, *FORWARD)
"""What a label table can hold; all but volatility and next bar once per horizon."""
SEARCHED = {
    "upper": Column(pl.Float64, "Log distance of the month's upper barrier, as a multiple of volatility.", above=0),
    "lower": Column(pl.Float64, "Log distance of the month's lower barrier, as a multiple of volatility.", above=0),
    "holding": Column(pl.Int64, "Bars to the month's vertical barrier.", minimum=1),
    "fallback": Column(pl.Boolean, "Whether the search found none, so that these are the fixed barriers."),
}


class LabelSet(BarrierRule):
    """The targets stored together: one rule at several horizons."""

    name: str = Field(default="labels", pattern=r"^[a-z][a-z0-9_]*$")
    """Name of the asset."""
    horizons: list[PositiveInt] = Field(default=[5, 10, 15, 20, 288], min_length=1)
    """Bars to the vertical barrier, ascending."""
    dead_zone: NonNegativeFloat = 0.3
    """A forward return up to this many widths has the direction 0; .3 makes three classes of about equal size."""
    barriers: Literal["fixed", "searched"] = "fixed"
    """Stand at `upper` and `lower` for good, or each month where a search on the labels before it puts them."""
    search: BarrierSearchSpec = BarrierSearchSpec()
    """What is tried, and how it is judged, where barriers are searched."""

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        if not self.is_searched and self.search != BarrierSearchSpec():
            raise ConfigError("`search` is set, but `barriers` is fixed; let it be searched, or leave `search` out.")
        return self

    @field_validator("horizons")
    @classmethod
    def _check_horizons(cls, horizons: list[int]) -> list[int]:
        if horizons != sorted(set(horizons)):
            raise ConfigError(f"`horizons` is {horizons}; each may stand there once, in ascending order.")
        return horizons

    @property
    def is_searched(self) -> bool:
        """Whether each month has barriers of its own."""
        return self.barriers == "searched"

    @property
    def settings(self) -> dict[str, Any]:
        """What shapes the table: without the settings of a search that is not made."""
        return self.model_dump(mode="json", exclude=None if self.is_searched else {"barriers", "search"})

    def own_barriers(self, horizons: Iterable[int]) -> list[str]:
        """Name the columns with each row's own barriers; none where barriers are fixed."""
        sides = ("upper", "lower") if self.is_searched else ()
        return [f"{side}_{horizon}" for horizon in horizons for side in sides]

    def barrier(self, horizon: int) -> TripleBarrier:
        """Return the barriers of one horizon; where they are searched, those to fall back on."""
        return TripleBarrier(horizon=horizon, **self.model_dump(include=set(BarrierRule.model_fields)))


def margin(label_set: LabelSet) -> tuple[int, int]:
    """Bars needed before the first and after the last row, so that a part of the range equals the whole.

    Examples
    --------
    >>> margin(LabelSet(horizons=[5, 20]))
    (119, 20)
    """
    horizon = max(label_set.horizons)
    return label_set.volatility_bars + horizon - 1, horizon


def label_table(
    bars: pl.DataFrame,
    label_set: LabelSet,
    interval: str | None = None,
    params: pl.DataFrame | None = None,
    targets: Collection[str] = TARGETS,
) -> pl.DataFrame:
    """Compute the targets of a label set.

    Parameters
    ----------
    bars, interval
        As in `barrier_labels`.
    label_set
        Horizons and rule.
    params
        Barriers that a search has put in force, a row for each ``horizon``: ``upper``, ``lower``, ``holding_bars``,
        ``fallback``. Needed where the set's barriers are searched.
    targets
        Names among `TARGETS`, without their horizon, where not all are wanted; only these are computed.

    Returns
    -------
    DataFrame
        The columns of `label_columns` that were asked for, one row per bar, sorted by ``symbol``, ``open_time``. Within
        `margin` of either end of the bars, values may be null or weights unlike those of a longer range.

    Raises
    ------
    BarsError
        As in `barrier_labels`.
    UnknownNameError
        If a target is not among `TARGETS`.
    """
    for target in targets:
        if target not in TARGETS:
            raise UnknownNameError("target", target, TARGETS)
    panel = read_panel(bars, interval)
    sigma = panel_volatility(panel, label_set)
    columns: list[pl.Series | pl.Expr] = []
    if "volatility" in targets:
        columns.append(pl.Series("volatility", sigma, nan_to_null=True))
    if not set(NEXT).isdisjoint(targets):
        columns += (column for column in next_columns(panel) if column.name in targets)
    in_force = [_in_force(label_set, horizon, params) for horizon in label_set.horizons]
    barriers = [barrier for barrier, _ in in_force]
    followed = not {*BARRIER, *WEIGHT}.isdisjoint(targets)
    extremes = "mfe" in targets or "mae" in targets
    ends = outcomes(panel, sigma, barriers, extremes=extremes) if followed else [None] * len(barriers)
    for horizon, (barrier, shown), ended in zip(label_set.horizons, in_force, ends, strict=True):
        columns += shown
        found = _outcome_columns(panel, ended, barrier, targets) if ended else []
        if not set(FORWARD).isdisjoint(targets):
            entry = entry_price(panel, barrier)
            found += forward_columns(panel, entry, sigma, horizon, label_set.dead_zone)
            if not {"forward_mfe", "forward_mae"}.isdisjoint(targets):
                found += excursion_columns(panel, entry, horizon)
        columns += (column.alias(f"{column.name}_{horizon}") for column in found if column.name in targets)
    return panel.key.with_columns(columns)


def _in_force(label_set: LabelSet, horizon: int, params: pl.DataFrame | None) -> tuple[TripleBarrier, list[pl.Expr]]:
    """Barriers of one horizon, and the columns that say which a search has put in force."""
    fixed = label_set.barrier(horizon)
    if params is None:
        return fixed, []
    found = params.row(by_predicate=pl.col("horizon") == horizon, named=True)
    changed = {"upper": found["upper"], "lower": found["lower"], "horizon": found["holding_bars"]}
    barrier = fixed.model_copy(update=changed)
    values = {
        "upper": pl.lit(barrier.upper * barrier.width),
        "lower": pl.lit(barrier.lower * barrier.width),
        "holding": pl.lit(barrier.horizon, pl.Int64),
        "fallback": pl.lit(found["fallback"]),
    }
    return barrier, [value.alias(f"{name}_{horizon}") for name, value in values.items()]


def _outcome_columns(
    panel: Panel, ended: Outcomes, barrier: TripleBarrier, targets: Collection[str]
) -> list[pl.Series]:
    columns = outcome_columns(panel, ended, barrier, [name for name in BARRIER if name in targets])
    if not set(WEIGHT).isdisjoint(targets):
        weights = zip(WEIGHT, stored_weights(panel, ended, barrier.horizon), strict=True)
        columns += [pl.Series(name, values, nan_to_null=True) for name, values in weights]
    return columns


def label_columns(label_set: LabelSet) -> Table:
    """Describe the label table: types, meanings and ranges of its columns."""
    columns = {
        "symbol": Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P."),
        "open_time": Column(TIME, "Start of the labelled bar, UTC."),
        "volatility": Column(
            pl.Float64,
            f"Root mean square of the last {label_set.volatility_bars} one-bar log returns.",
            nullable=True,
            above=0,
        ),
        "next_log_return": Column(pl.Float64, "Log change of close to the next bar.", nullable=True),
        "next_end": Column(TIME, "Close of the next bar: when that change became known.", nullable=True),
    }
    for horizon in label_set.horizons:
        described = _described(label_set.barrier(horizon), label_set)
        columns |= {f"{name}_{horizon}": column for name, column in described.items()}
    return Table(label_set.name, columns)


def _described(barrier: TripleBarrier, label_set: LabelSet) -> dict[str, Column]:
    known = partial(Column, nullable=True)
    bars = f"{barrier.horizon} bars"
    deadline = f"holding_{barrier.horizon} bars" if label_set.is_searched else bars
    timeout = "0" if barrier.vertical == "zero" else "the sign of the return"
    return (SEARCHED if label_set.is_searched else {}) | {
        "label": known(
            pl.Int8, f"1 upper barrier first, -1 lower, {timeout} if neither within {deadline}.", minimum=-1, maximum=1
        ),
        "label_end": known(TIME, "Close of the deciding bar: when the label became known."),
        "touch": known(TOUCH, f"Barrier met first; vertical after {deadline}."),
        "tie": known(pl.Boolean, "Whether the deciding bar met both barriers."),
        "log_return": known(pl.Float64, "Log return from entry to exit."),
        "mfe": known(pl.Float64, "Highest log return on the way, the exit included.", minimum=0),
        "mae": known(pl.Float64, "Lowest log return on the way, the exit included.", maximum=0),
        "uniqueness": known(pl.Float64, "Mean over its bars of 1 / number of labels alive.", above=0, maximum=1),
        "weight": known(pl.Float64, "Uniqueness x absolute return attributed to it, not normalised.", minimum=0),
        "forward_log_return": known(pl.Float64, f"Log return from entry to the close {bars} later."),
        "forward_end": known(TIME, f"Close of the bar {bars} later: when forward return and direction became known."),
        "direction": known(
            pl.Int8,
            f"Sign of the forward return; 0 within {label_set.dead_zone:g} volatilities x sqrt({barrier.horizon}).",
            minimum=-1,
            maximum=1,
        ),
        "forward_mfe": known(pl.Float64, f"Highest log return within {bars}, at least 0.", minimum=0),
        "forward_mae": known(pl.Float64, f"Lowest log return within {bars}, at most 0.", maximum=0),
    }


def label_balance(frame: pl.DataFrame, label_set: LabelSet, interval: str | None = None) -> pl.DataFrame:
    """Count what a label table holds, horizon by horizon.

    Parameters
    ----------
    frame
        Rows of the label table.
    label_set
        The set it was made with.
    interval
        Length of a bar; none: the shortest step found in ``open_time``.

    Returns
    -------
    DataFrame
        Per ``horizon``: ``rows`` and how many are ``known``; of the known, the shares ``up``, ``flat``, ``down``,
        ``ties`` and ``timeouts``, ``median_life_bars`` from entry to decision, and ``mean_uniqueness``; null where
        none is known.
    """
    step = bar_step(frame, interval)
    return pl.concat(frame.select(_balance_at(horizon, step)) for horizon in label_set.horizons)


def _balance_at(horizon: int, step: int) -> list[pl.Expr]:
    label, touch = pl.col(f"label_{horizon}"), pl.col(f"touch_{horizon}")
    life = (pl.col(f"label_end_{horizon}") - pl.col("open_time")).dt.total_milliseconds() / step - 1
    return [
        pl.lit(horizon).alias("horizon"),
        pl.len().alias("rows"),
        label.count().alias("known"),
        (label == 1).mean().alias("up"),
        (label == 0).mean().alias("flat"),
        (label == -1).mean().alias("down"),
        pl.col(f"tie_{horizon}").mean().alias("ties"),
        (touch == "vertical").mean().alias("timeouts"),
        life.median().alias("median_life_bars"),
        pl.col(f"uniqueness_{horizon}").mean().alias("mean_uniqueness"),
    ]
