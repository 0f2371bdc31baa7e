"""From out-of-sample predictions to what they were worth: forecast scores, a simulated account, a benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
import polars as pl
from pydantic import PositiveFloat

from nightfold.backtest.baseline import buy_and_hold
from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import daily_returns
from nightfold.backtest.signal import Distance, targets
from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.forecast import CLASSES
from nightfold.labels.table import LabelSet
from nightfold.models.metrics import score
from nightfold.spec import Spec
from nightfold.tearsheet.summary import measure_exposure, measure_returns, measure_trades, sum_costs

Shares = Mapping[tuple[str, str, int], Sequence[float]]

SCORES: dict[str, type[pl.DataType]] = {
    "as_of": pl.Date,
    "universe": pl.String,
    "model": pl.String,
    "horizon": pl.Int64,
    **dict.fromkeys(("rows", "touched_share", "log_loss", "brier_score", "accuracy", "macro_f1"), pl.Float64),
    **dict.fromkeys(("macro_f1_chance", "direction_gain", "log_loss_class_frequencies"), pl.Float64),
}
"""Columns of `Evaluation.scores`, which may have no row: the first labels take their horizon to become known."""

_SCALED = ("taker_fee_bps", "maker_fee_bps", "minimum_fee", "half_spread_bps", "slippage_bps", "volatility_slippage")


class BacktestRange(Spec):
    """Run choices of a backtest; each set of choices is stored under its own id."""

    start: str | None = None
    """First moment traded, such as 2024-04 or 2024-04-15; none: the experiment's first as-of."""
    end: str | None = None
    """Moment after the last one; none: the end of the predictions."""
    cost_scale: PositiveFloat = 1.0
    """Multiplies every cost of the experiment, to see how much of a result depends on them."""

    @property
    def id(self) -> str:
        """`full` for the experiment as it stands, else sixteen hex digits."""
        return "full" if self == BacktestRange() else self.fingerprint


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A simulated run with the forecasts behind it.

    Parameters
    ----------
    equity, fills, trades, rejected
        As in `nightfold.backtest.result.Backtest`.
    daily, holding
        ``day``, ``daily_return`` of the strategy, and of buying everything at the start and keeping it.
    scores
        ``as_of``, ``model``, ``horizon``, ``rows`` and forecast scores out of sample.
    summary
        Measures, costs and settings as plain JSON data.
    """

    equity: pl.DataFrame
    fills: pl.DataFrame
    trades: pl.DataFrame
    rejected: pl.DataFrame
    daily: pl.DataFrame
    holding: pl.DataFrame
    scores: pl.DataFrame
    summary: dict[str, Any]


def evaluate(
    experiment: Experiment,
    label_set: LabelSet,
    bars: pl.DataFrame,
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    shares: Shares,
    choices: BacktestRange,
) -> Evaluation:
    """Trade predictions and score them.

    Parameters
    ----------
    experiment, label_set
        Strategy, costs, limits and capital; the barriers behind the labels.
    bars, predictions
        Of the traded symbols over the range.
    labels
        ``symbol``, ``open_time`` and ``label_<horizon>``; unknown ones are not scored. With searched barriers also
        the columns that `LabelSet.own_barriers` names.
    shares
        Class shares of the training rows by universe key, as-of date and horizon.
    choices
        Range and cost scale.

    Raises
    ------
    ConfigError
        If no model was in force at any bar of the range.
    """
    from nightfold.backtest.engine import simulate  # loads numba, which definitions must not

    costs = scale_costs(experiment.costs, choices.cost_scale)
    traded, spoken = (since_first_model(frame, predictions) for frame in (bars, predictions))
    horizon = experiment.strategy.horizon
    rows = strategy_rows(spoken, traded, horizon)
    if label_set.is_searched:
        own = labels.select("symbol", "open_time", *label_set.own_barriers([horizon]))
        rows = rows.join(own, on=["symbol", "open_time"], how="left")
    wanted = targets(rows, experiment.strategy, costs, **barrier_distances(label_set, horizon))
    run = simulate(traded, wanted, costs, experiment.limits, experiment.capital)
    held = simulate(traded, buy_and_hold(traded), costs, RiskLimits(), experiment.capital)
    daily, holding = daily_returns(run), daily_returns(held)
    scores = score_forecasts(experiment, predictions.join(labels, on=["symbol", "open_time"]), shares)
    summary = {
        "measures": measure_returns(daily) | measure_exposure(run.equity, run.fills),
        "holding": measure_returns(holding),
        "trades": asdict(measure_trades(run.trades)),
        "cost_totals": asdict(sum_costs(run.fills, run.trades)),
        "costs": costs.model_dump(),
        "choices": choices.model_dump(),
        "capital": experiment.capital,
        "ruined": run.is_ruined,
        "open_orders": run.open_orders.height,
    }
    return Evaluation(run.equity, run.fills, run.trades, run.rejected, daily, holding, scores, summary)


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


def since_first_model(frame: pl.DataFrame, predictions: pl.DataFrame) -> pl.DataFrame:
    """Cut a frame to the bars from the first on at which a model was in force: there an account begins."""
    begins = predictions.filter(pl.col("as_of").is_not_null())["open_time"].min()
    if begins is None:
        raise ConfigError(
            "no model was in force at any bar of the range; backfill `train` for as-ofs within it, then `predict`, or "
            "take another range."
        )
    return frame.filter(pl.col("open_time") >= begins)


def scale_costs(costs: Costs, factor: float) -> Costs:
    """Multiply fees, spread and slippage by a factor; latency and funding stay."""
    return costs.model_copy(update={name: getattr(costs, name) * factor for name in _SCALED})


def strategy_rows(predictions: pl.DataFrame, bars: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """Take what a strategy sees of one horizon: ``close``, ``width`` and the ensemble's probabilities."""
    return predictions.join(bars.select("symbol", "open_time", "close"), on=["symbol", "open_time"]).select(
        "symbol",
        "open_time",
        "close",
        (pl.col("volatility") * sqrt(horizon)).alias("width"),
        *(pl.col(f"{side}_{horizon}").alias(side) for side in CLASSES),
    )


def score_forecasts(experiment: Experiment, rows: pl.DataFrame, shares: Shares) -> pl.DataFrame:
    """Score the ensemble and each member by as-of and horizon, each known bar counting the same."""
    members = experiment.ensemble.chosen(experiment.models)
    pooled = pl.lit("pooled") if experiment.pooling == "pooled" else pl.col("symbol")
    grouped = (
        rows.filter(pl.col("as_of").is_not_null())
        .with_columns(pooled.alias("universe"))
        .partition_by("as_of", "universe", as_dict=True, maintain_order=True)
    )
    scores = [
        _score(frame, as_of, universe, model, horizon, shares)
        for (as_of, universe), frame in grouped.items()
        for horizon in experiment.target.horizons
        for model in ("ensemble", *members)
    ]
    return pl.DataFrame([each for each in scores if each], schema=SCORES)


def _score(
    frame: pl.DataFrame, as_of: Any, universe: Any, model: str, horizon: int, shares: Shares
) -> dict[str, Any] | None:
    prefix = "" if model == "ensemble" else f"{model}_"
    known = frame.select(
        pl.col(f"label_{horizon}").alias("label"), *(pl.col(f"{prefix}{side}_{horizon}") for side in CLASSES)
    ).drop_nulls()
    if known.is_empty():
        return None
    label = known["label"].to_numpy()
    counted = np.tile(shares[universe, f"{as_of:%Y-%m-%d}", horizon], (known.height, 1))
    return {
        "as_of": as_of.date(),
        "universe": universe,
        "model": model,
        "horizon": horizon,
        "rows": known.height,
        **score(known.drop("label").to_numpy(), label),
        "log_loss_class_frequencies": score(counted, label)["log_loss"],
    }
