"""What a strategy sees of an experiment's predictions."""

from dataclasses import dataclass
from math import sqrt

import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.backtest.signal import Distance, round_trip_cost
from nightfold.experiment import Experiment
from nightfold.forecast import forecast_columns
from nightfold.labels.table import LabelSet
from nightfold.policy.outlook import outlook
from nightfold.schema import KEY


@dataclass(frozen=True, slots=True)
class Forecasts:
    """An experiment's predictions of some bars, and what it takes to trade them.

    Parameters
    ----------
    experiment, label_set
        What is forecast and how it is traded, and the barriers behind it.
    predictions, bars
        Of the same symbols and range. What timeouts returned (`nightfold.timeout.with_timeouts`) is 0 where it is not
        among the predictions, or null.
    labels
        ``symbol``, ``open_time`` and what `LabelSet.own_barriers` names; where outcomes are asked for also the columns
        that `nightfold.target.Target.columns` names.
    """

    experiment: Experiment
    label_set: LabelSet
    predictions: pl.DataFrame
    bars: pl.DataFrame
    labels: pl.DataFrame

    def rows(self) -> pl.DataFrame:
        """``symbol``, ``open_time``, ``close``, ``width``, what the ensemble forecasts, and what barriers add to it.

        With barriers that is ``timeout_return``, the mean log return where none is touched, and searched distances.
        One row a bar, nulls where there is no prediction: time goes on for what is held.
        """
        objective, horizon = self.experiment.target.objective, self.experiment.strategy.horizon
        said = zip(objective.columns, forecast_columns(objective, horizon), strict=True)
        width = pl.col("volatility") * sqrt(horizon)
        rows = (
            self.bars.select(*KEY, "close")
            .join(self.predictions, on=KEY, how="left")
            .select(
                *KEY,
                "close",
                width.alias("width"),
                *self._timeout_return(width),
                *(pl.col(column).alias(name) for name, column in said),
            )
        )
        if self.experiment.target.has_barriers and self.label_set.is_searched:
            own = self.labels.select(*KEY, *self.label_set.own_barriers([horizon]))
            rows = rows.join(own, on=KEY, how="left")
        return rows.sort(KEY)

    def _timeout_return(self, width: pl.Expr) -> list[pl.Expr]:
        if not self.experiment.target.has_barriers:
            return []
        known = "timeout_widths" in self.predictions.columns
        widths = pl.col("timeout_widths").fill_null(0.0) if known else pl.lit(0.0)
        return [(widths * width).alias("timeout_return")]

    def outlooks(self, costs: Costs) -> pl.DataFrame:
        """Bring the ensemble's forecasts of the traded horizon to `nightfold.policy.outlook.OUTLOOK`."""
        target, strategy = self.experiment.target, self.experiment.strategy
        cost = round_trip_cost(strategy, costs)
        if not target.has_barriers:
            zone, weights = self.label_set.dead_zone, strategy.quantile_weights
            return outlook(self.rows(), target.objective, cost, dead_zone=zone, weights=weights)
        upper, lower = barrier_distances(self.label_set, strategy.horizon)
        return outlook(self.rows(), target.objective, cost, upper=upper, lower=lower)


def barrier_distances(label_set: LabelSet, horizon: int) -> tuple[Distance, Distance]:
    """Distances of the upper and the lower barrier in widths; columns where each month has barriers of its own.

    Examples
    --------
    >>> barrier_distances(LabelSet(lower=0.5), 20)
    (0.8, 0.5)
    """
    if label_set.is_searched:
        return pl.col(f"upper_{horizon}") / sqrt(horizon), pl.col(f"lower_{horizon}") / sqrt(horizon)
    unit = label_set.barrier(horizon).width / sqrt(horizon)
    return label_set.upper * unit, label_set.lower * unit
