"""What each member of an ensemble is worth alone: its own forecasts in the blend's place, in an account of its own."""

from dataclasses import replace
from typing import Any

import polars as pl

from nightfold.backtest.result import daily_returns
from nightfold.decision import wanted_positions
from nightfold.forecast import forecast_columns
from nightfold.policy.reading import Forecasts
from nightfold.robustness import Account
from nightfold.tearsheet import measures


def traded_alone(
    forecasts: Forecasts, account: Account, policies: pl.DataFrame | None = None
) -> dict[str, dict[str, Any]]:
    """Trade each member as the ensemble is traded: its strategy or policies, its costs, its limits, its range.

    Policies are those searched for the ensemble; no member has thresholds of its own.

    Returns
    -------
    dict
        By member, as plain JSON data: ``trades`` (closed), ``sharpe_ratio`` a year after costs (None where equity never
        moved or the account was lost), and whether it ``is_lost``.
    """
    experiment = forecasts.experiment
    return {
        name: _outcome(account, wanted_positions(spoken_by(forecasts, name), account.costs, policies))
        for name in experiment.ensemble.chosen(experiment.models)
    }


def spoken_by(forecasts: Forecasts, member: str) -> Forecasts:
    """Put what a member says of the traded horizon in the place of what the ensemble says."""
    objective, horizon = forecasts.experiment.target.objective, forecasts.experiment.strategy.horizon
    said = zip(forecast_columns(objective, horizon), forecast_columns(objective, horizon, member), strict=True)
    columns = {blended: pl.col(own) for blended, own in said}
    return replace(forecasts, predictions=forecasts.predictions.with_columns(**columns))


def _outcome(account: Account, targets: pl.DataFrame) -> dict[str, Any]:
    run = account.trade(targets)
    returns = daily_returns(run)["daily_return"]
    is_lost = measures.is_ruined(returns)
    return {
        "trades": run.trades.filter(~pl.col("is_open")).height,
        "sharpe_ratio": None if is_lost else measures.sharpe_ratio(returns),
        "is_lost": is_lost,
    }
