"""From class probabilities to wanted positions: expected value after cost, held for a while."""

import math
from typing import Annotated, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, NonNegativeFloat, PositiveInt

from nightfold.backtest.cost import BPS, Costs
from nightfold.backtest.sizing.catalog import SizingChoice
from nightfold.errors import SchemaError
from nightfold.schema import KEY
from nightfold.spec import Spec

Value = TypeVar("Value", float, npt.NDArray[np.float64], pl.Expr)
Distance = float | pl.Expr

NEEDED = (*KEY, "close", "width", "p_down", "p_flat", "p_up")


class Strategy(Spec):
    """When a forecast is worth a trade, how large that trade is, and when it ends."""

    horizon: PositiveInt = 20
    """The label horizon, in bars, whose forecast is traded."""
    min_edge_bps: NonNegativeFloat = 0.0
    """A side is entered where its expected value is above this."""
    edge: Literal["net", "gross"] = "net"
    """Whether that expected value is counted after the cost of a round trip or before it."""
    quantile_weights: list[float] | None = None
    """Weights of the quantiles in the expected move, one each, such as [.1, .8, .1]; none: those of their mean."""
    size: Annotated[float, Field(gt=0)] = 0.3
    """Size of a position as a fraction of equity."""
    sizing: SizingChoice | None = None
    """A rule of size instead, such as `{rule: volatility_target}`; see docs/policy.md."""
    hold_bars: PositiveInt | None = None
    """Bars after which a position ends; none: the horizon. The other side's signal ends it sooner."""
    exit: Literal["time", "barrier"] = "time"
    """`time`: only then; `barrier`: also at the label's barriers, as stop and take-profit."""

    @property
    def holding(self) -> int:
        """Bars a position is held."""
        return self.hold_bars or self.horizon


def expected_value(
    p_down: Value,
    p_flat: Value,
    p_up: Value,
    upper_width: Value,
    lower_width: Value,
    timeout_return: Value,
    cost: Value,
) -> tuple[Value, Value]:
    """Weigh outcomes: expected log return of a long and of a short position, after cost.

    Parameters
    ----------
    p_down, p_flat, p_up
        Probability that the lower barrier, none, or the upper barrier is touched first.
    upper_width, lower_width
        Log distance of that row's barriers from its close, both positive.
    timeout_return
        Mean log return where none is touched.
    cost
        Cost of a round trip, as a fraction.

    Examples
    --------
    >>> long, short = expected_value(0.54, 0.10, 0.36, 0.0147, 0.01, 0.0, 0.002)
    >>> round(long, 4), round(short, 4)
    (-0.0021, -0.0019)
    """
    gross = p_up * upper_width - p_down * lower_width + p_flat * timeout_return
    return gross - cost, -gross - cost


def targets(
    predictions: pl.DataFrame,
    strategy: Strategy,
    costs: Costs,
    *,
    upper: Distance,
    lower: Distance,
    size: pl.Series | None = None,
) -> pl.DataFrame:
    """Turn forecasts into wanted positions; each row depends only on its own and earlier forecasts.

    A side whose expected value after cost is above the minimum is entered and held; while it is held, only the
    other side's signal changes anything. When the holding time is over, a side that is still favoured goes on
    without a trade under ``exit: time``; under ``exit: barrier`` the position ends, and may be entered anew one bar
    later with brackets of its own.

    Parameters
    ----------
    predictions
        One row a bar: ``symbol``, ``open_time``, ``close``, ``width`` (volatility times the square root of the
        horizon; the unit of the barriers), ``p_down``, ``p_flat``, ``p_up``, optionally ``timeout_return`` (mean
        log return where no barrier is touched; without it, 0). Null: no forecast, so no new position.
    strategy, costs
        What is worth a trade, and what a round trip costs: by market orders, with volatility slippage at the row's
        own volatility, ``width / sqrt(horizon)``.
    upper, lower
        Distance of the barriers in widths: those of the labels the model learned, or a column of ``predictions``
        where each row has its own.
    size
        Of a position entered at each row in the order of symbol and time, 0 for none; by default `Strategy.size`.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``target`` (signed fraction of equity) and, where a position is entered under
        ``exit: barrier``, the prices ``stop`` and ``take_profit``; sorted by symbol and time.

    Raises
    ------
    SchemaError
        If a column is missing or a bar has two forecasts.
    """
    absent = [name for name in NEEDED if name not in predictions.columns]
    if absent:
        raise SchemaError(f"`predictions` lack the columns {', '.join(absent)}; they need {', '.join(NEEDED)}.")
    if predictions.select(pl.struct(KEY).is_duplicated().any()).item():
        raise SchemaError("`predictions` have two rows for one bar; pass those of one horizon and one model.")
    rows = predictions.sort(KEY)
    side = favoured_side(rows, strategy, costs, upper, lower)
    result = held_targets(rows, strategy, side, strategy.size if size is None else size)
    if strategy.exit == "time":
        return result.select(*KEY, "target")
    return result.select(*KEY, "target", **brackets(upper, lower))


def move_targets(
    predictions: pl.DataFrame, strategy: Strategy, costs: Costs, move: pl.Expr, size: pl.Series | None = None
) -> pl.DataFrame:
    """Turn forecasts of the price itself into wanted positions, held and given up as in `targets`.

    Parameters
    ----------
    predictions
        One row a bar: ``symbol``, ``open_time``, ``width`` and what ``move`` reads. Null: no forecast, so no new
        position.
    strategy, costs
        As in `targets`.
    move
        Expected log return over the horizon; a side is entered where it is beyond the cost of a round trip and
        ``min_edge_bps``.
    size
        As in `targets`.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``target``; sorted by symbol and time.
    """
    rows = predictions.sort(KEY)
    least = _counted_cost(strategy, costs) + strategy.min_edge_bps * BPS
    side = _one_where(move > least) - _one_where(move < -least)
    return held_targets(rows, strategy, side, strategy.size if size is None else size).select(*KEY, "target")


def held_targets(
    rows: pl.DataFrame, strategy: Strategy, favoured: pl.Expr, size: pl.Expr | pl.Series | float
) -> pl.DataFrame:
    """Hold each favoured side for its time at the size it was entered with.

    Parameters
    ----------
    rows
        Sorted by symbol and time.
    strategy
        How long, and whether a side that is still favoured then goes on.
    favoured, size
        1, -1 or 0, and the size of a position entered there as a fraction of equity; where that is 0 none is entered.

    Returns
    -------
    DataFrame
        The rows with ``side`` held after each bar, whether it ``entered`` there, and ``target``.
    """
    from nightfold.backtest.holding import hold  # loads numba, which specs must not

    rows = rows.with_columns(side=favoured, size=size if isinstance(size, pl.Expr | pl.Series) else pl.lit(size))
    rows = rows.with_columns(side=pl.when(pl.col("size") > 0).then("side").otherwise(0).cast(pl.Int8))
    first = rows["symbol"].rle_id().diff().fill_null(1) != 0
    held, entered = hold(rows["side"].to_numpy(), first.to_numpy(), strategy.holding, renew=strategy.exit == "time")
    entry_size = pl.when("entered").then("size").forward_fill()
    return rows.with_columns(side=held, entered=entered).with_columns(
        target=pl.when(pl.col("side") != 0).then(pl.col("side") * entry_size).otherwise(0.0)
    )


def _counted_cost(strategy: Strategy, costs: Costs) -> pl.Expr:
    """Cost that is taken off an expected value before it is compared."""
    return round_trip_cost(strategy, costs) if strategy.edge == "net" else pl.lit(0.0)


def round_trip_cost(strategy: Strategy, costs: Costs) -> pl.Expr:
    """Cost of a round trip at the row's own volatility."""
    return costs.round_trip + 2 * costs.volatility_slippage * pl.col("width") / math.sqrt(strategy.horizon)


def _one_where(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(value=False).cast(pl.Int8)


def favoured_side(
    predictions: pl.DataFrame, strategy: Strategy, costs: Costs, upper: Distance, lower: Distance
) -> pl.Expr:
    """1 or -1 where that side's expected value after cost is above the minimum, else 0; at most one can be."""
    width = pl.col("width")
    timeout = pl.col("timeout_return") if "timeout_return" in predictions.columns else pl.lit(0.0)
    cost = _counted_cost(strategy, costs)
    long, short = expected_value(
        pl.col("p_down"), pl.col("p_flat"), pl.col("p_up"), upper * width, lower * width, timeout, cost
    )
    edge = strategy.min_edge_bps * BPS
    return _one_where(long > edge) - _one_where(short > edge)


def brackets(upper: Distance, lower: Distance) -> dict[str, pl.Expr]:
    """Stop and take-profit of the rows that enter, at the label's barriers."""
    return brackets_at(above=pl.col("width") * upper, below=-(pl.col("width") * lower))


def brackets_at(*, above: pl.Expr, below: pl.Expr) -> dict[str, pl.Expr]:
    """Stop and take-profit of the rows that enter, by log distances from the close; a short exchanges their parts."""
    above, below = (distance.exp() * pl.col("close") for distance in (above, below))
    is_long, entered = pl.col("side") > 0, pl.col("entered")
    return {
        "stop": pl.when(entered & is_long).then(below).when(entered).then(above),
        "take_profit": pl.when(entered & is_long).then(above).when(entered).then(below),
    }
