"""What is kept of a policy's search: the policy in force, its trials for the ledger, what it would have traded."""

import json
from datetime import datetime

import polars as pl

from nightfold.policy.choice import Cause, Flat, PolicySearch
from nightfold.policy.filter import MetaFilter
from nightfold.policy.position import judged, thresholds_columns
from nightfold.policy.spec import PolicySpec, Thresholds
from nightfold.schema import TIME
from nightfold.spec import Spec, fingerprint
from nightfold.tuning.ledger import LEDGER

POLICIES: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "as_of": TIME,
    "is_complete": pl.Boolean,
    **dict.fromkeys(Thresholds.model_fields, pl.Float64),
    "filter": pl.String,
}
"""Columns of the policies in force, one row an as-of and symbol; thresholds are null where a period is flat, the filter
(as JSON) where there is none."""


PASSING: dict[str, type[pl.DataType]] = {
    "symbol": pl.String,
    **dict.fromkeys(("forecasts", "sure", "worth", "long", "short"), pl.Int64),
}
"""Columns of `passing`."""


class PolicyCard(Spec):
    """The policy of one as-of, as it is stored."""

    as_of: datetime
    thresholds: Thresholds | None
    """None: the period is flat."""
    reason: str
    """Why it is flat; empty where it trades."""
    cause: Cause | None = None
    """The kind of that reason; None where it trades, or an older version made it."""
    is_complete: bool
    """Whether a whole window of predictions lay before it."""
    trials: int
    sharpe: float | None
    """Daily Sharpe ratio of the best trial in its window, decayed where its settings say so."""
    deflated_sharpe: float | None
    """The same deflated by all trials of the search."""
    effective_trials: float | None = None
    """How many independent trials they amount to; None where under two vary, or an older version made it."""
    trades: int | None
    """Trades of the best trial in its window."""
    made_by: str
    """Fingerprint of the settings it was found under."""
    filter: MetaFilter | None = None
    """What says which forecasts pay; None where the policy has none."""

    @classmethod
    def of(cls, search: PolicySearch, as_of: datetime, made_by: str, filter_: MetaFilter | None = None) -> "PolicyCard":
        """Write down what a search over a whole window found, with the filter it was made with."""
        best = search.best
        return cls(
            as_of=as_of,
            thresholds=None if best is None or search.is_flat else best.thresholds,
            reason=search.reason,
            cause=search.flat and search.flat.cause,
            is_complete=True,
            trials=len(search.trials),
            sharpe=best and best.sharpe,
            deflated_sharpe=search.deflated_sharpe,
            effective_trials=search.effective_trials,
            trades=best and best.trades,
            made_by=made_by,
            filter=filter_,
        )

    @classmethod
    def flat(cls, as_of: datetime, why: Flat, made_by: str) -> "PolicyCard":
        """Write down that nothing was searched, and why."""
        return cls(
            as_of=as_of,
            thresholds=None,
            reason=why.reason,
            cause=why.cause,
            is_complete=why.cause != "few_days",
            trials=0,
            sharpe=None,
            deflated_sharpe=None,
            trades=None,
            made_by=made_by,
        )

    def rows(self, symbols: list[str]) -> pl.DataFrame:
        """Return `POLICIES` for the symbols behind it."""
        found = dict.fromkeys(Thresholds.model_fields) if self.thresholds is None else self.thresholds.model_dump()
        said = None if self.filter is None else self.filter.model_dump_json()
        row = {"as_of": self.as_of, "is_complete": self.is_complete, **found, "filter": said}
        return pl.DataFrame([{"symbol": symbol, **row} for symbol in symbols], schema=POLICIES)


def policy_trials(search: PolicySearch, subject: str, as_of: datetime, forecasts: int, objective: str) -> pl.DataFrame:
    """Write all trials down as rows of the ledger.

    Parameters
    ----------
    search
        What was tried.
    subject
        For whom: `experiment/policy/universe`.
    as_of
        When the policy comes into force.
    forecasts
        Rows the search looked at.
    objective
        `PolicySpec.objective`.
    """
    settings = [trial.thresholds.model_dump() for trial in search.trials]
    name = fingerprint([subject, as_of.isoformat(), *settings])
    rows = [
        {
            "as_of": as_of,
            "search": name,
            "trial": trial.number,
            "subject": subject,
            "configuration": fingerprint([subject, tried]),
            "settings": json.dumps(tried, sort_keys=True),
            "state": "complete" if trial.is_feasible else "infeasible",
            "rung": 0,
            "metric": objective,
            "score": trial.sharpe,
            "rows": forecasts,
            "metrics": json.dumps({"trades": trial.trades}),
            "first_day": trial.first_day,
            "daily_returns": list(trial.daily_returns),
        }
        for trial, tried in zip(search.trials, settings, strict=True)
    ]
    return LEDGER.conform(pl.DataFrame(rows, schema=LEDGER.dtypes)).sort(LEDGER.key)


def passing(outlooks: pl.DataFrame, spec: PolicySpec, thresholds: Thresholds | None = None) -> pl.DataFrame:
    """Count by symbol how many forecasts pass which threshold.

    Parameters
    ----------
    outlooks
        `nightfold.policy.outlook.OUTLOOK`, with the thresholds as columns unless they are given.
    spec, thresholds
        Units, and one policy for all rows.

    Returns
    -------
    DataFrame
        ``symbol``, ``forecasts``, ``sure`` (confident enough), ``worth`` (edge enough), ``long``, ``short`` (both).
    """
    columns = {} if thresholds is None else thresholds_columns(thresholds)
    side = pl.col("side")
    return (
        judged(outlooks.with_columns(**columns), spec)
        .group_by("symbol")
        .agg(
            forecasts=pl.col("move").is_not_null().sum(),
            sure=pl.col("is_sure").sum(),
            worth=pl.col("is_worth").sum(),
            long=(side > 0).sum(),
            short=(side < 0).sum(),
        )
        .sort("symbol")
        .cast(PASSING)  # type: ignore[arg-type]  # names to types, as it takes them
    )


def trial_table(search: PolicySearch) -> pl.DataFrame:
    """Put the trials into a table, the best first, infeasible ones last."""
    rows = [
        {"trial": trial.number, "sharpe": trial.sharpe, "trades": trial.trades, **trial.thresholds.model_dump()}
        for trial in sorted(search.trials, key=lambda t: (not t.is_feasible, -(t.sharpe or 0.0), t.number))
    ]
    return pl.DataFrame(rows, infer_schema_length=None)
