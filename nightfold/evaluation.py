"""From out-of-sample predictions to what they were worth: forecast scores, a simulated account, a benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from pydantic import PositiveFloat

from nightfold.alone import traded_alone
from nightfold.backtest.leaving import with_reasons
from nightfold.backtest.result import daily_returns
from nightfold.coverage import score_levels
from nightfold.decision import bar_length, passed, variants, wanted_positions
from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.forecast import forecast_columns
from nightfold.interval import INTERVALS, duration
from nightfold.labels.table import LabelSet
from nightfold.models.score import score
from nightfold.overfitting import grid_returns
from nightfold.policy.reading import Forecasts
from nightfold.policy.record import POLICIES
from nightfold.robustness import Account, baselines, luck, scale_costs, sensitivity, shocks
from nightfold.spec import Spec
from nightfold.target import Target
from nightfold.tearsheet.regime import count_crashes, crashes, regime_returns, regimes
from nightfold.tearsheet.summary import (
    measure_exposure,
    measure_relation,
    measure_returns,
    measure_trades,
    sum_costs,
)

Constants = Mapping[tuple[str, str, int], Sequence[float]]

SCORES: dict[str, type[pl.DataType]] = {
    "as_of": pl.Date,
    "universe": pl.String,
    "model": pl.String,
    "horizon": pl.Int64,
    "metric": pl.String,
    **dict.fromkeys(("rows", "loss", "constant_loss"), pl.Float64),
    **dict.fromkeys(("touched_share", "brier_score", "accuracy", "macro_f1", "macro_f1_chance"), pl.Float64),
    **dict.fromkeys(("direction_gain", "r2", "sign_accuracy", "coverage"), pl.Float64),
}
"""Columns of `Evaluation.scores`, which may have no row: the first labels take their horizon to become known."""


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
    equity, fills, trades, rejected, triggers, open_orders, funding
        As in `nightfold.backtest.result.Backtest`; trades with the reasons of `nightfold.backtest.leaving`.
    daily, baselines
        ``day``, ``daily_return`` of the strategy; and by ``name`` of what anyone could have traded.
    regimes, sensitivity, shocks
        As from `nightfold.tearsheet.regime.regime_returns` and `nightfold.robustness`.
    grid
        As from `nightfold.overfitting.grid_returns`.
    policies, passing
        Policies in force by ``as_of``, and how many forecasts passed them by ``symbol``; empty without a policy.
    scores
        ``as_of``, ``model``, ``horizon``, ``rows`` and forecast scores out of sample.
    levels
        As from `nightfold.coverage.score_levels`; no row where no quantiles are forecast.
    summary
        Measures, costs and settings as plain JSON data.
    """

    equity: pl.DataFrame
    fills: pl.DataFrame
    trades: pl.DataFrame
    rejected: pl.DataFrame
    triggers: pl.DataFrame
    open_orders: pl.DataFrame
    funding: pl.DataFrame
    daily: pl.DataFrame
    baselines: pl.DataFrame
    regimes: pl.DataFrame
    sensitivity: pl.DataFrame
    shocks: pl.DataFrame
    grid: pl.DataFrame
    policies: pl.DataFrame
    passing: pl.DataFrame
    scores: pl.DataFrame
    levels: pl.DataFrame
    summary: dict[str, Any]


def evaluate(
    experiment: Experiment,
    label_set: LabelSet,
    bars: pl.DataFrame,
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    constants: Constants,
    choices: BacktestRange,
    policies: pl.DataFrame | None = None,
    history: pl.DataFrame | None = None,
    funding: pl.DataFrame | None = None,
) -> Evaluation:
    """Trade predictions and score them.

    Parameters
    ----------
    experiment, label_set
        Strategy, costs, limits and capital; the barriers behind the labels.
    bars, predictions
        Of the traded symbols over the range.
    labels
        ``symbol``, ``open_time`` and the columns that `Target.columns` names; unknown ones are not scored. With
        searched barriers also those that `LabelSet.own_barriers` names.
    constants
        The constant forecast of the training rows by universe key, as-of date and horizon.
    choices
        Range and cost scale.
    policies
        ``symbol``, ``as_of``, ``is_complete`` and the thresholds in force from then on, null for a flat period; where
        the experiment has a policy.
    history
        ``symbol``, ``open_time``, ``close`` of the same symbols from as long before the range as is known, so that its
        first days have a regime; none: the bars of the range alone.
    funding
        Recorded rates, for a perpetual account.

    Raises
    ------
    ConfigError
        If no model was in force at any bar of the range.
    """
    costs = scale_costs(experiment.costs, choices.cost_scale)
    begins = first_moment(predictions, policies)
    traded, spoken = (frame.filter(pl.col("open_time") >= begins) for frame in (bars, predictions))
    forecasts, interval = Forecasts(experiment, label_set, spoken, traded, labels), _interval(traded)

    def wanted(edge: float) -> pl.DataFrame:
        return wanted_positions(forecasts, costs, policies, edge)

    account = Account(traded, wanted, costs, experiment.limits, experiment.capital, funding)
    targets = wanted(1.0)
    run = account.trade(targets)
    daily, others = daily_returns(run), baselines(account, run)
    holding = others["Buy and hold"]
    scored = spoken.join(labels, on=["symbol", "open_time"])
    summary = {
        "measures": measure_returns(daily) | measure_relation(daily, holding) | measure_exposure(run.equity, run.fills),
        "holding": measure_returns(holding),
        "trades": asdict(measure_trades(run.trades)),
        "cost_totals": asdict(sum_costs(run.fills, run.trades)),
        "luck": luck(account, run),
        "crashes": count_crashes(crashes(traded, interval)),
        "costs": costs.model_dump(),
        "choices": choices.model_dump(),
        "capital": experiment.capital,
        "ruined": run.is_ruined,
        "alone": traded_alone(forecasts, account, policies),
        "assumed_funding": _assumed_funding(experiment, traded, funding),
    }
    return Evaluation(
        equity=run.equity,
        fills=run.fills,
        trades=with_reasons(run.trades, targets, costs, bar_length(traded)),
        rejected=run.rejected,
        triggers=run.triggers,
        open_orders=run.open_orders,
        funding=run.funding,
        daily=daily,
        baselines=pl.concat(frame.select(pl.lit(name).alias("name"), pl.all()) for name, frame in others.items()),
        regimes=regime_returns(daily, regimes(traded if history is None else history, interval)),
        sensitivity=sensitivity(account),
        shocks=shocks(account, run),
        grid=grid_returns(account, variants(forecasts, costs), daily),
        policies=_in_force_within(policies, begins, run.equity["close_time"][-1]),
        passing=passed(forecasts, costs, policies),
        scores=score_forecasts(experiment, scored, constants),
        levels=score_levels(experiment, scored, constants),
        summary=summary,
    )


def _assumed_funding(experiment: Experiment, bars: pl.DataFrame, funding: pl.DataFrame | None) -> list[str]:
    """Symbols of a perpetual account whose funding is the constant of its costs, for want of recorded rates."""
    if experiment.limits.instrument == "spot":
        return []
    recorded = set() if funding is None else set(funding["symbol"])
    return sorted(set(bars["symbol"]) - recorded)


def _in_force_within(policies: pl.DataFrame | None, begins: datetime, ends: datetime) -> pl.DataFrame:
    """Policies in force within the range, one row an as-of and symbol: those that begin in it, and the one before."""
    if policies is None:
        return pl.DataFrame(schema=POLICIES)
    started = pl.col("as_of") <= begins
    in_force_then = pl.col("as_of") == pl.col("as_of").filter(started).max().over("symbol")
    return policies.filter(in_force_then | ((pl.col("as_of") > begins) & (pl.col("as_of") < ends)))


def _interval(bars: pl.DataFrame) -> str:
    """Length of a bar by name."""
    return next(name for name in INTERVALS if duration(name) == bar_length(bars))


def first_moment(predictions: pl.DataFrame, policies: pl.DataFrame | None = None) -> datetime:
    """Find when an account begins: at the first model in force, or at the first policy with a whole window behind it.

    Where policies are searched and none has a whole window, it begins at the first model, and stays flat.
    """
    begins = predictions.filter(pl.col("as_of").is_not_null())["open_time"].min()
    if not isinstance(begins, datetime):
        raise ConfigError(
            "no model was in force at any bar of the range; backfill `train` for as-ofs within it, then `predict`, or "
            "take another range."
        )
    complete = None if policies is None else policies.filter("is_complete")["as_of"].min()
    return max(begins, complete) if isinstance(complete, datetime) else begins


def score_forecasts(experiment: Experiment, rows: pl.DataFrame, constants: Constants) -> pl.DataFrame:
    """Score the ensemble and each member by as-of and horizon, each known bar counting the same."""
    members = experiment.ensemble.chosen(experiment.models)
    pooled = pl.lit("pooled") if experiment.pooling == "pooled" else pl.col("symbol")
    grouped = (
        rows.filter(pl.col("as_of").is_not_null())
        .with_columns(pooled.alias("universe"))
        .partition_by("as_of", "universe", as_dict=True, maintain_order=True)
    )
    scores = [
        _score(experiment.target, frame, as_of, universe, model, horizon, constants)
        for (as_of, universe), frame in grouped.items()
        for horizon in experiment.target.horizons
        for model in ("ensemble", *members)
    ]
    return pl.DataFrame([each for each in scores if each], schema=SCORES)


def _score(
    target: Target, frame: pl.DataFrame, as_of: Any, universe: Any, model: str, horizon: int, constants: Constants
) -> dict[str, Any] | None:
    objective = target.objective
    said = forecast_columns(objective, horizon, "" if model == "ensemble" else model)
    known = frame.select(target.labelled(horizon)["label"].alias("label"), *said).drop_nulls()
    if known.is_empty():
        return None
    label = known["label"].to_numpy()
    constant = np.tile(constants[universe, f"{as_of:%Y-%m-%d}", horizon], (known.height, 1))
    measures = score(objective, known.drop("label").to_numpy(), label)
    return {
        "as_of": as_of.date(),
        "universe": universe,
        "model": model,
        "horizon": horizon,
        "metric": objective.metric,
        "loss": measures[objective.metric],
        "constant_loss": score(objective, constant, label)[objective.metric],
        **{name: measures[name] for name in SCORES if name in measures},
    }
