"""What a variant is worth: its Sharpe ratio after costs, and how much of that the number of variants explains."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from nightfold.leaderboard import Run, looks
from nightfold.tearsheet.measures import deflated_sharpe_ratio, is_ruined, sharpe_ratio

LIKELY = 0.95
"""Deflated Sharpe ratio from which a result is more than the luck of the best of many."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far a result can be believed.

    Parameters
    ----------
    deflated_sharpe
        Probability that its true Sharpe ratio exceeds what the best of all variants shows by luck; None where that
        is not known.
    n_trials
        Variants whose result on the same days was looked at, this one included.
    """

    deflated_sharpe: float | None
    n_trials: int


def score(daily_returns: pl.Series) -> float | None:
    """Sharpe ratio a year of daily returns; 0 for an account that did nothing, None for one that was ruined.

    Examples
    --------
    >>> round(score(pl.Series([0.01, -0.02, 0.03, 0.0, 0.01])), 4)
    6.3102
    """
    if is_ruined(daily_returns):
        return None
    return sharpe_ratio(daily_returns) or 0.0


def judge(runs: Sequence[Run], variant: str, daily: pl.DataFrame, *, further_looks: int = 0) -> Judgement:
    """Deflate a result by all variants that were looked at on its days.

    Parameters
    ----------
    runs
        All results that are kept.
    variant, daily
        Hash and ``day``, ``daily_return`` of the one judged.
    further_looks
        Looks at the same days that left no result of their own.
    """
    seen = looks(runs, variant, daily)
    n_trials = seen.n_trials + further_looks
    returns = daily["daily_return"]
    known = None if is_ruined(returns) else deflated_sharpe_ratio(returns, n_trials, seen.variance)
    return Judgement(known, n_trials)
