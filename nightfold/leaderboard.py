"""Every result that was looked at: one card a variant and last day, so that the best of many is judged as such."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from nightfold.experiment import Experiment
from nightfold.same_days import SameDays
from nightfold.spec import Spec, fingerprint
from nightfold.tearsheet.measures import FEW_TRIALS, daily_sharpe_ratio, is_ruined, sharpe_variance

UNJUDGED = "unjudged"
"""Outcome of a result that was shown by its backtest alone."""

_NOT_THE_VARIANT = {"description", "owner", "gates"}

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "total_return": "Return over all its days, after costs.",
        "cagr": "Compound return a year of 365 days.",
        "sharpe_ratio": "Sharpe ratio a year, of daily returns.",
        "sortino_ratio": "Sortino ratio a year.",
        "max_drawdown": "Largest fall from a peak, 0 or less.",
        "volatility": "Standard deviation a year.",
        "exposure": "Mean gross exposure as a fraction of equity.",
        "turnover": "How often mean equity was turned over.",
        "win_rate": "Share of closed trades with a profit.",
        "profit_factor": "Sum of profits over sum of losses.",
    }
)
"""What a card tells, and what it means."""


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
        return card_id(self.last_day, self.variant)


def card_id(last_day: date, variant: str) -> str:
    """Name the card of a variant and last day."""
    return f"{last_day:%Y-%m-%d}-{variant}"


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


class Ledger:
    """All that was looked at, laid side by side once, so that each result can be counted among the others.

    Parameters
    ----------
    runs
        All that are kept; the newest of each variant counts.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        latest = newest(runs)
        self._places = {run.card.variant: place for place, run in enumerate(latest)}
        self._results = SameDays([run.daily for run in latest])

    def looks(self, variant: str, daily: pl.DataFrame) -> Looks:
        """Count as `looks` does."""
        shared, ratios = self._results.on(daily["day"])
        others = shared > 0
        if variant in self._places:
            others[self._places[variant]] = False
        comparable = ratios[others & (2 * shared >= daily.height) & np.isfinite(ratios)]
        known = [ratio for ratio in (_sharpe(daily), *comparable) if ratio is not None]
        n_trials = 1 + int(others.sum())
        if len(known) < FEW_TRIALS:  # then it is that of one ratio without skill
            return Looks(n_trials, None)
        least = 1 / (daily.height - 1)
        return Looks(n_trials, max(sharpe_variance(known, daily.height) or least, least))


def looks(runs: Sequence[Run], variant: str, daily: pl.DataFrame) -> Looks:
    """Count the variants whose result on the reported days was looked at.

    Parameters
    ----------
    runs
        All that are kept.
    variant, daily
        The reported one, whose stored cards do not count twice.
    """
    return Ledger(runs).looks(variant, daily)


def _sharpe(daily: pl.DataFrame) -> float | None:
    returns = daily["daily_return"]
    return None if is_ruined(returns) else daily_sharpe_ratio(returns)
