"""The leaderboard as a table: every card, held against all that was looked at up to now."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import polars as pl

from nightfold.leaderboard import MEASURES, Ledger, Looks, Run
from nightfold.schema import Column, Table
from nightfold.tearsheet.gates import Gates
from nightfold.tearsheet.measures import deflated_sharpe_ratio, is_ruined

OUTDATED = "outdated"
"""Outcome of a result that had passed, or was undecided, before later looks took it under its deflated Sharpe gate."""

_LIFTED = {"passed", "unknown"}
_VARIED = re.compile(r"_s[0-9a-f]{8}$")
"""What `nightfold.improve.variant.vary` adds to the name of the experiment whose gates a variant keeps."""

LEADERBOARD = Table(
    "leaderboard",
    {
        "last_day": Column(pl.Date, "Last day of the result, UTC."),
        "experiment": Column(pl.String, "Experiment it belongs to."),
        "variant": Column(pl.String, "Hash of all settings that shape it."),
        "choices": Column(pl.String, "Run choices: full, or the hash of a range and cost scale."),
        "outcome": Column(
            pl.String,
            "Verdict: passed, failed, unknown; outdated where it has lost its deflated Sharpe gate to later looks; "
            "unjudged without a tearsheet.",
        ),
        "gates": Column(pl.String, "Gates passed of those asked.", nullable=True),
        "first_day": Column(pl.Date, "First day of the result, UTC."),
        "days": Column(pl.Int64, "Days it covers.", minimum=1),
        "trades": Column(pl.Int64, "Closed trades.", minimum=0),
        "trials": Column(pl.Int64, "Variants looked at on its days up to now, itself included.", minimum=1),
        "deflated_sharpe": Column(
            pl.Float64,
            "Probability that its Sharpe ratio is more than the luck of the best of them.",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        **{name: Column(pl.Float64, meaning, nullable=True) for name, meaning in MEASURES.items()},
    },
    key=(),
    unique=False,
)


def table(runs: Sequence[Run], gates: Mapping[str, Gates] = MappingProxyType({})) -> pl.DataFrame:
    """List all cards, the newest day first, then by Sharpe ratio.

    Trials and deflated Sharpe ratio are those of a headline that was written now, whatever a card's tearsheet counted
    in its hour. A verdict is never raised by that, only taken back.

    Parameters
    ----------
    runs
        All that are kept, or the newest of each variant.
    gates
        Gates by experiment, as files have them now; variants of one keep its gates, all others have the standard ones.

    Returns
    -------
    DataFrame
        `LEADERBOARD`.
    """
    ledger = Ledger(runs)
    rows = [_row(run, ledger.looks(run.card.variant, run.daily), _asked(run.card.experiment, gates)) for run in runs]
    found = pl.DataFrame(rows, schema=LEADERBOARD.dtypes)
    return found.sort("last_day", "sharpe_ratio", "experiment", descending=[True, True, False], nulls_last=True)


def _row(run: Run, seen: Looks, asked: float | None) -> dict[str, Any]:
    card, returns = run.card, run.daily["daily_return"]
    deflated = None if is_ruined(returns) else deflated_sharpe_ratio(returns, seen.n_trials, seen.variance)
    is_missed = asked is not None and deflated is not None and deflated <= asked
    is_outdated = is_missed and card.outcome in _LIFTED
    return {
        "last_day": card.last_day,
        "experiment": card.experiment,
        "variant": card.variant,
        "choices": card.choices,
        "outcome": OUTDATED if is_outdated else card.outcome,
        "gates": f"{card.gates_passed - is_outdated}/{card.gates}" if card.gates else None,
        "first_day": card.first_day,
        "days": card.days,
        "trades": card.trades,
        "trials": seen.n_trials,
        "deflated_sharpe": deflated,
        **{name: card.measures.get(name) for name in MEASURES},
    }


def _asked(experiment: str, gates: Mapping[str, Gates]) -> float | None:
    """Deflated Sharpe ratio that the gates of an experiment ask for; None where they ask for none."""
    base = _VARIED.sub("", experiment)
    return gates.get(experiment, gates.get(base, Gates())).min_deflated_sharpe
