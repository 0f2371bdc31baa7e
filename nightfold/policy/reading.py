"""What a strategy sees of an experiment's predictions."""

from math import sqrt

import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.backtest.signal import Distance, round_trip_cost
from nightfold.experiment import Experiment
from nightfold.forecast import forecast_columns
from nightfold.labels.table import LabelSet
from nightfold.policy.outlook import outlook
from nightfold.schema import KEY
from nightfold.target import Target


def strategy_rows(predictions: pl.DataFrame, bars: pl.DataFrame, target: Target, horizon: int) -> pl.DataFrame:
    """Take what a strategy sees of one horizon: ``close``, ``width`` and what the ensemble forecasts."""
    said = zip(target.objective.columns, forecast_columns(target.objective, horizon), strict=True)
    return predictions.join(bars.select(*KEY, "close"), on=KEY).select(
        *KEY,
        "close",
        (pl.col("volatility") * sqrt(horizon)).alias("width"),
        *(pl.col(column).alias(name) for name, column in said),
    )


def barrier_distances(label_set: LabelSet, horizon: int) -> dict[str, Distance]:
    """Distances of the barriers in widths; columns where each month has barriers of its own.

    Examples
    --------
    >>> barrier_distances(LabelSet(lower=0.5), 20)
    {'upper': 0.8, 'lower': 0.5}
    """
    if label_set.is_searched:
        return {side: pl.col(f"{side}_{horizon}") / sqrt(horizon) for side in ("upper", "lower")}
    unit = label_set.barrier(horizon).width / sqrt(horizon)
    return {"upper": label_set.upper * unit, "lower": label_set.lower * unit}


def with_own_barriers(rows: pl.DataFrame, label_set: LabelSet, labels: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """Add the barriers of each row's month where they are searched; nothing else changes."""
    if not label_set.is_searched:
        return rows
    own = labels.select(*KEY, *label_set.own_barriers([horizon]))
    return rows.join(own, on=KEY, how="left")


def read_outlooks(
    experiment: Experiment,
    label_set: LabelSet,
    predictions: pl.DataFrame,
    bars: pl.DataFrame,
    labels: pl.DataFrame,
    costs: Costs,
) -> pl.DataFrame:
    """Bring the ensemble's forecasts of the traded horizon to `nightfold.policy.outlook.OUTLOOK`.

    Parameters
    ----------
    experiment, label_set
        What is forecast, and the barriers behind it.
    predictions, bars
        Of the same symbols and range.
    labels
        ``symbol``, ``open_time`` and what `LabelSet.own_barriers` names; other columns are not looked at.
    costs
        What a round trip costs.
    """
    target, strategy = experiment.target, experiment.strategy
    rows = strategy_rows(predictions, bars, target, strategy.horizon).sort(KEY)
    cost = round_trip_cost(strategy, costs)
    if not target.has_barriers:
        return outlook(rows, target.objective, cost, dead_zone=label_set.dead_zone, weights=strategy.quantile_weights)
    rows = with_own_barriers(rows, label_set, labels, strategy.horizon)
    distances = barrier_distances(label_set, strategy.horizon)
    return outlook(rows, target.objective, cost, upper=distances["upper"], lower=distances["lower"])
