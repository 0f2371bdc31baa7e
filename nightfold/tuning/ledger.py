"""The trial ledger: every configuration that any search looked at, since each makes the best look better by luck."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from nightfold.models.contract import ModelSpec
from nightfold.schema import TIME, Column, Table
from nightfold.spec import fingerprint
from nightfold.tuning.search import Search

FEW = 10
"""Under so many configurations the variance of their Sharpe ratios is not estimated from them."""

_EPOCH = date(1970, 1, 1)

LEDGER = Table(
    "trials",
    {
        "as_of": Column(TIME, "The moment that all rows of the search were known before, UTC."),
        "search": Column(pl.String, "Hash of model, settings, rules and rows; the same search has the same."),
        "trial": Column(pl.Int64, "Number of the trial within its search.", minimum=0),
        "subject": Column(pl.String, "What was searched: `experiment/model/universe`, or the labels of a symbol."),
        "configuration": Column(pl.String, "Hash of the settings tried; the same at every as-of."),
        "settings": Column(pl.String, "All settings of the configuration, as JSON."),
        "state": Column(pl.String, "`complete`, `pruned` before the last rung, or `infeasible`; all count."),
        "rung": Column(pl.Int64, "The last rung it was scored on, from 0.", minimum=0),
        "metric": Column(pl.String, "What led the search."),
        "score": Column(pl.Float64, "Its value on that rung; null where it has none.", nullable=True),
        "rows": Column(pl.Int64, "Rows behind the score.", minimum=0),
        "metrics": Column(pl.String, "All measures, as JSON."),
        "first_day": Column(pl.Date, "First day of the daily returns.", nullable=True),
        "daily_returns": Column(
            pl.List(pl.Float64), "Of the reference policy on the forecasts that were scored, day by day.", nullable=True
        ),
    },
    key=("as_of", "search", "trial"),
)


def ledger_rows(search: Search, subject: str, model: str, as_of: datetime, metric: str) -> pl.DataFrame:
    """Write a search down.

    Parameters
    ----------
    search
        What was tried.
    subject
        For whom: `experiment/model/universe`.
    model
        Name in the model catalog: the settings of two families are never the same configuration.
    as_of
        The moment its rows were known before.
    metric
        What led it: the task's proper score.

    Returns
    -------
    DataFrame
        Rows of `LEDGER`, one a trial.
    """
    rows = [
        {
            "as_of": as_of,
            "search": search.id,
            "trial": trial.number,
            "subject": subject,
            "configuration": configuration(subject, model, trial.spec),
            "settings": json.dumps(trial.spec.model_dump(mode="json"), sort_keys=True),
            "state": trial.state,
            "rung": trial.rung,
            "metric": metric,
            "score": trial.outcome.score,
            "rows": trial.outcome.rows,
            "metrics": json.dumps(trial.outcome.metrics, sort_keys=True),
            "first_day": _day(trial.outcome.first_day),
            "daily_returns": trial.outcome.daily_returns if trial.outcome.first_day is not None else None,
        }
        for trial in search.trials
    ]
    return pl.DataFrame(rows, schema=LEDGER.dtypes)


def configuration(subject: str, model: str, spec: ModelSpec) -> str:
    """Name a configuration: the same settings of the same subject at another as-of are not another one."""
    return fingerprint([subject, model, spec.fingerprint])


def merged(stored: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Add rows to a ledger; those of a search that is in it already change nothing, and none is ever dropped."""
    return pl.concat([stored, new]).unique(LEDGER.key, keep="first").sort(LEDGER.key)


def configurations(ledger: pl.DataFrame) -> int:
    """Count what was looked at: distinct configurations, pruned ones among them."""
    return ledger["configuration"].n_unique()


def joined_returns(ledger: pl.DataFrame) -> pl.DataFrame:
    """Join the daily returns of each configuration over its as-ofs.

    Returns
    -------
    DataFrame
        ``configuration``, ``day``, ``daily_return``, sorted; a day that several searches cover counts as the newest
        of them had it.
    """
    return (
        ledger.filter(pl.col("daily_returns").list.len() > 0)
        .sort(LEDGER.key)
        .select(
            "configuration",
            day=pl.date_ranges(
                "first_day", pl.col("first_day") + pl.duration(days=pl.col("daily_returns").list.len() - 1)
            ),
            daily_return="daily_returns",
        )
        .explode("day", "daily_return")
        .unique(["configuration", "day"], keep="last", maintain_order=True)
        .sort("configuration", "day")
    )


def sharpe_variance(ledger: pl.DataFrame) -> float | None:
    """Variance (ddof 1) of the daily Sharpe ratios of the configurations, for the deflated Sharpe ratio.

    Returns
    -------
    float or None
        None with under `FEW` configurations: then ``1 / (days - 1)`` of the reported variant takes its place, which is
        what `nightfold.tearsheet.measures.deflated_sharpe_ratio` does with None. A ratio without variance is left out.
    """
    returns = pl.col("daily_return")
    ratios = (
        joined_returns(ledger)
        .group_by("configuration", maintain_order=True)
        .agg(ratio=pl.when(returns.std() > 0).then(returns.mean() / returns.std()))["ratio"]
        .drop_nulls()
    )
    return float(np.var(ratios.to_numpy(), ddof=1)) if len(ratios) >= FEW else None


def barrier_rows(trials: pl.DataFrame, subject: str) -> pl.DataFrame:
    """Read stored barrier searches as rows of the ledger; they have no daily returns.

    Parameters
    ----------
    trials
        Rows of `nightfold.labels.searched.TRIALS`, of any symbols and months.
    subject
        Name of the label set.
    """
    tried = trials.filter(pl.col("trial") >= 0)
    settings = ["horizon", "upper", "lower", "holding"]
    metrics = ["log_return_per_bar", "entropy", "upper_touches", "lower_touches", "timeouts", "ties", "thin_widths"]
    named = pl.format("{}/{}", pl.lit(subject), "symbol")
    rows = tried.select(
        as_of=pl.col("open_time"),
        search=pl.format("{}/{}", "search", "horizon"),
        trial="trial",
        subject=named,
        settings=pl.struct(settings).struct.json_encode(),
        state=pl.lit("complete"),
        rung=pl.lit(0, pl.Int64),
        metric=pl.lit("log_return_per_bar"),
        score="log_return_per_bar",
        rows="rows",
        metrics=pl.struct(metrics).struct.json_encode(),
    )
    hashes = [fingerprint([subject, settings]) for subject, settings in rows.select("subject", "settings").iter_rows()]
    return LEDGER.conform(rows.with_columns(pl.Series("configuration", hashes, pl.String))).sort(LEDGER.key)


def together(ledgers: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Put the ledgers of several searches into one."""
    return merged(LEDGER.empty(), pl.concat([LEDGER.empty(), *ledgers]))


def _day(number: int | None) -> date | None:
    return None if number is None else _EPOCH + timedelta(days=number)
