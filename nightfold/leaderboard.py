"""Every result that was looked at: one card a variant and last day, so that the best of many is judged as such."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import polars as pl

from nightfold.experiment import Experiment
from nightfold.schema import Column, Table
from nightfold.spec import Spec, fingerprint
from nightfold.tearsheet.measures import FEW_TRIALS, daily_sharpe_ratio, is_ruined, sharpe_variance

UNJUDGED = "unjudged"
"""Outcome of a result that was shown by its backtest alone."""

_NOT_THE_VARIANT = {"description", "owner", "gates"}

_known = partial(Column, pl.Float64, nullable=True)
_MEASURES = {
    "total_return": _known("Return over all its days, after costs."),
    "cagr": _known("Compound return a year of 365 days."),
    "sharpe_ratio": _known("Sharpe ratio a year, of daily returns."),
    "sortino_ratio": _known("Sortino ratio a year."),
    "max_drawdown": _known("Largest fall from a peak, 0 or less."),
    "volatility": _known("Standard deviation a year."),
    "exposure": _known("Mean gross exposure as a fraction of equity."),
    "turnover": _known("How often mean equity was turned over."),
    "win_rate": _known("Share of closed trades with a profit."),
    "profit_factor": _known("Sum of profits over sum of losses."),
}
MEASURES = tuple(_MEASURES)
LEADERBOARD = Table(
    "leaderboard",
    {
        "last_day": Column(pl.Date, "Last day of the result, UTC."),
        "experiment": Column(pl.String, "Experiment it belongs to."),
        "variant": Column(pl.String, "Hash of all settings that shape it."),
        "choices": Column(pl.String, "Run choices: full, or the hash of a range and cost scale."),
        "outcome": Column(pl.String, "Verdict: passed, failed, unknown, or unjudged without a tearsheet."),
        "gates": Column(pl.String, "Gates passed of those asked.", nullable=True),
        "first_day": Column(pl.Date, "First day of the result, UTC."),
        "days": Column(pl.Int64, "Days it covers.", minimum=1),
        "trades": Column(pl.Int64, "Closed trades.", minimum=0),
        **_MEASURES,
    },
    key=(),
    unique=False,
)


class RunCard(Spec):
    """One result: who made it, over which days, and how it turned out."""

    experiment: str
    variant: str
    """Sixteen hex digits of all settings that shape the result, run choices among them."""
    choices: str
    """Id of the run choices: `full` for the experiment as it stands."""
    first_day: date
    last_day: date
    days: int
    trades: int
    gates_passed: int = 0
    gates: int = 0
    outcome: str = UNJUDGED
    """passed, failed or unknown, as its tearsheet found; `UNJUDGED` before there is one."""
    measures: dict[str, float | None]
    """`MEASURES` by name; unknown ones are None."""
    version: str
    """Fingerprint of the backtest behind it."""

    @property
    def id(self) -> str:
        """Where it is kept: a variant has one card a last day."""
        return f"{self.last_day:%Y-%m-%d}-{self.variant}"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A card with its daily returns: ``day``, ``daily_return``."""

    card: RunCard
    daily: pl.DataFrame


def seen(
    experiment: str, variant: str, choices: str, daily: pl.DataFrame, summary: Mapping[str, Any], version: str
) -> Run:
    """Card a result as its backtest shows it, before any gate is judged.

    Parameters
    ----------
    experiment, variant, choices, version
        As on the card.
    daily, summary
        As in `nightfold.evaluation.Evaluation`.
    """
    trades = summary["trades"]
    figures = {**summary["measures"], "win_rate": trades["win_rate"], "profit_factor": trades["profit_factor"]}
    card = RunCard(
        experiment=experiment,
        variant=variant,
        choices=choices,
        first_day=daily["day"][0],
        last_day=daily["day"][-1],
        days=daily.height,
        trades=trades["closed"],
        measures={name: figures.get(name) for name in MEASURES},
        version=version,
    )
    return Run(card, daily)


@dataclass(frozen=True, slots=True)
class Looks:
    """How many variants were looked at on some days, and how much their Sharpe ratios differ.

    Parameters
    ----------
    n_trials
        Distinct variants with a result on any of the days, the reported one included.
    variance
        Variance of the daily Sharpe ratios of those that share at least half of the days, on these; never under that of
        one ratio without skill, which takes its place (None) under ten: copies of one variant prove nothing.
    """

    n_trials: int
    variance: float | None


ALONE = Looks(1, None)
"""Nothing but the reported variant was looked at."""


def variant_of(experiment: Experiment, choices: dict[str, object], market: dict[str, object]) -> str:
    """Name a variant: all that shapes its result, without words and gates.

    Parameters
    ----------
    experiment, choices
        Its settings, and those of the run.
    market
        What the universe and the label set add: symbols, interval, barriers, funding.
    """
    settings = experiment.model_dump(mode="json", exclude=_NOT_THE_VARIANT)
    return fingerprint({"experiment": settings, "choices": choices, "market": market})


def newest(runs: Sequence[Run]) -> list[Run]:
    """Keep the latest card of each variant, in the order of their ids."""
    return list({run.card.variant: run for run in sorted(runs, key=lambda run: run.card.id)}.values())


def looks(runs: Sequence[Run], variant: str, daily: pl.DataFrame) -> Looks:
    """Count the variants whose result on the reported days was looked at.

    Parameters
    ----------
    runs
        All that are kept.
    variant, daily
        The reported one, whose stored cards do not count twice.
    """
    shared = [
        joined
        for run in newest(runs)
        if run.card.variant != variant and not (joined := run.daily.join(daily.select("day"), on="day")).is_empty()
    ]
    ratios = [_sharpe(frame) for frame in (daily, *shared) if 2 * frame.height >= daily.height]
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) < FEW_TRIALS:  # then it is that of one ratio without skill
        return Looks(1 + len(shared), None)
    least = 1 / (daily.height - 1)
    return Looks(1 + len(shared), max(sharpe_variance(known, daily.height) or least, least))


def table(runs: Sequence[Run]) -> pl.DataFrame:
    """List all cards, the newest day first, then by Sharpe ratio."""
    rows = [
        {
            "last_day": run.card.last_day,
            "experiment": run.card.experiment,
            "variant": run.card.variant,
            "choices": run.card.choices,
            "outcome": run.card.outcome,
            "gates": f"{run.card.gates_passed}/{run.card.gates}" if run.card.gates else None,
            "first_day": run.card.first_day,
            "days": run.card.days,
            "trades": run.card.trades,
            **{name: run.card.measures.get(name) for name in MEASURES},
        }
        for run in runs
    ]
    found = pl.DataFrame(rows, schema=LEADERBOARD.dtypes)
    return found.sort("last_day", "sharpe_ratio", "experiment", descending=[True, True, False], nulls_last=True)


def _sharpe(daily: pl.DataFrame) -> float | None:
    returns = daily["daily_return"]
    return None if is_ruined(returns) else daily_sharpe_ratio(returns)
