"""Which of the policies tried is traded, if any: the best, unless it may be luck."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

import numpy as np

from nightfold.policy.spec import PolicySpec, Thresholds
from nightfold.tearsheet.measures import (
    daily_sharpe_ratio,
    decayed_deflated_sharpe_ratio,
    decayed_sharpe_ratio,
    deflated_sharpe_ratio,
    effective_days,
    effective_trials,
    mean_correlation,
    sharpe_variance,
)

Cause = Literal["few_days", "no_filter", "few_trades", "lost", "no_gain", "luck"]
"""Kinds of reasons for a flat period: too few days of predictions, or outcomes to learn a filter from; no policy that
traded enough, or none of those that kept its account; a best one that earned nothing, or that may be luck."""


class Flat(NamedTuple):
    """Why a period is flat: the kind of reason, and its sentence with the numbers."""

    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class PolicyTrial:
    """One policy and what it did in the window.

    Parameters
    ----------
    number
        In the order they were asked.
    thresholds
        The policy.
    trades
        Closed trades.
    sharpe
        Sharpe ratio of daily returns, not annualised, older days counting less where the spec says so; None where they
        do not vary.
    is_feasible
        Whether there were trades enough and a Sharpe ratio, and the account was not lost.
    first_day, daily_returns
        Of the account, over the whole window: one that was lost has lost nearly all on its last day, then stands still.
    """

    number: int
    thresholds: Thresholds
    trades: int
    sharpe: float | None
    is_feasible: bool
    first_day: date
    daily_returns: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PolicySearch:
    """What a search found.

    Parameters
    ----------
    trials
        All of them: each makes the best look better by luck.
    best
        The feasible trial with the highest Sharpe ratio, of equals the earlier; None without a feasible one.
    deflated_sharpe
        Selection deflated Sharpe ratio of the best; None without one.
    effective_trials
        How many independent trials all of them amount to; None where under two vary. Shown only: `deflated_sharpe`
        counts all.
    flat
        Why the next period is flat; None where it trades.
    """

    trials: tuple[PolicyTrial, ...]
    best: PolicyTrial | None
    deflated_sharpe: float | None
    effective_trials: float | None
    flat: Flat | None

    @property
    def is_flat(self) -> bool:
        """Whether nothing is traded in the period after the window."""
        return self.flat is not None

    @property
    def reason(self) -> str:
        """Why that is, in a sentence; empty where the next period trades."""
        return "" if self.flat is None else self.flat.reason


def sharpe_of(returns: Sequence[float], spec: PolicySpec) -> float | None:
    """Objective of the search: the daily Sharpe ratio, decayed where the spec says so; None where nothing varies."""
    half_life = spec.half_life_days
    return daily_sharpe_ratio(returns) if half_life is None else decayed_sharpe_ratio(returns, half_life)


def chosen(trials: Sequence[PolicyTrial], spec: PolicySpec) -> PolicySearch:
    """Choose the best feasible trial, and say why it is not traded where it is not.

    All trials count for its deflated Sharpe ratio. Their ratios' variance is taken over all that have one, infeasible
    and lost accounts among them: they were looked at. What never traded has none.
    """
    effective = _effective(trials)
    feasible = [trial for trial in trials if trial.is_feasible]
    if not feasible:
        return PolicySearch(tuple(trials), None, None, effective, _why_none(trials, spec))
    best = max(feasible, key=lambda trial: (trial.sharpe, -trial.number))
    deflated = _deflated(best, trials, spec)
    return PolicySearch(tuple(trials), best, deflated, effective, _why_flat(best, deflated, spec))


def _deflated(best: PolicyTrial, trials: Sequence[PolicyTrial], spec: PolicySpec) -> float | None:
    """Deflate the best ratio by all trials, with decaying days where the spec says so."""
    ratios = [trial.sharpe for trial in trials if trial.sharpe is not None]
    returns, half_life = best.daily_returns, spec.half_life_days
    if half_life is None:
        return deflated_sharpe_ratio(returns, len(trials), sharpe_variance(ratios, len(returns)))
    variance = sharpe_variance(ratios, effective_days(len(returns), half_life))
    return decayed_deflated_sharpe_ratio(returns, half_life, len(trials), variance)


def _effective(trials: Sequence[PolicyTrial]) -> float | None:
    correlation = mean_correlation(np.array([trial.daily_returns for trial in trials]).T) if trials else None
    return None if correlation is None else effective_trials(len(trials), correlation)


def _why_none(trials: Sequence[PolicyTrial], spec: PolicySpec) -> Flat:
    most = max((trial.trades for trial in trials), default=0)
    if most >= spec.min_trades:
        return Flat("lost", f"every policy that made {spec.min_trades} trades in the window lost the account")
    return Flat("few_trades", f"no policy made {spec.min_trades} trades in the window; the most were {most}")


def _why_flat(best: PolicyTrial, deflated: float | None, spec: PolicySpec) -> Flat | None:
    if best.sharpe is None or best.sharpe <= 0:
        return Flat("no_gain", "no policy earned anything after costs in the window")
    if deflated is None or deflated < spec.min_deflated_sharpe:
        found, needed = "unknown" if deflated is None else f"{deflated:.2f}", f"{spec.min_deflated_sharpe:.2f}"
        return Flat("luck", f"the best may be luck: its deflated Sharpe ratio is {found}, {needed} are needed")
    return None
