"""Scores and judgements: the published measures, over all that was looked at."""

import math
from datetime import date, timedelta
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from nightfold.improve.judge import judge, score
from nightfold.leaderboard import MEASURES, Run, RunCard


def daily(seed: int, days: int = 90) -> pl.DataFrame:
    returns = np.random.default_rng(seed).normal(0.002, 0.01, days)
    return pl.DataFrame({"day": [date(2024, 1, 1) + timedelta(days=n) for n in range(days)], "daily_return": returns})


def run(variant: str, seed: int) -> Run:
    frame = daily(seed)
    card = RunCard(
        experiment="e",
        variant=variant,
        choices="full",
        first_day=frame["day"][0],
        last_day=frame["day"][-1],
        days=frame.height,
        trades=1,
        gates_passed=0,
        gates=1,
        outcome="failed",
        measures=dict.fromkeys(MEASURES, 0.0),
        version="v",
    )
    return Run(card, frame)


def deflated(returns: np.ndarray, n: int, variance: float) -> float:
    """Bailey and López de Prado (2014), written out."""
    normal, count = NormalDist(), len(returns)
    ratio = returns.mean() / returns.std(ddof=1)
    centred = (returns - returns.mean()) / returns.std()
    skew, fourth = (centred**3).mean(), (centred**4).mean()
    euler = 0.5772156649015329
    luck = math.sqrt(variance) * (
        (1 - euler) * normal.inv_cdf(1 - 1 / n) + euler * normal.inv_cdf(1 - 1 / (n * math.e))
    )
    return normal.cdf((ratio - luck) * math.sqrt(count - 1) / math.sqrt(1 - skew * ratio + (fourth - 1) / 4 * ratio**2))


def test_a_score_is_the_sharpe_ratio_a_year() -> None:
    returns = daily(1)["daily_return"]
    assert score(returns) == pytest.approx(returns.mean() / returns.std() * math.sqrt(365))


def test_doing_nothing_is_worth_nothing_and_more_than_losing() -> None:
    assert score(pl.Series([0.0] * 30)) == 0
    assert score(pl.Series([-0.01, -0.02])) < 0
    assert score(pl.Series([0.5, -1.0])) is None


def test_a_few_variants_deflate_by_their_number() -> None:
    runs = [run(str(seed), seed) for seed in range(5)]
    found = judge(runs, "0", daily(0))
    assert found.n_trials == 5
    assert found.deflated_sharpe == pytest.approx(deflated(daily(0)["daily_return"].to_numpy(), 5, 1 / 89))


def test_many_variants_deflate_by_how_much_they_differ() -> None:
    runs = [run(str(seed), seed) for seed in range(12)]
    ratios = [each.daily["daily_return"].mean() / each.daily["daily_return"].std() for each in runs]
    found = judge(runs, "3", daily(3))
    expected = deflated(daily(3)["daily_return"].to_numpy(), 12, float(np.var(ratios, ddof=1)))
    assert found.deflated_sharpe == pytest.approx(expected)


def test_a_further_look_counts_like_a_variant() -> None:
    runs = [run("a", 1), run("b", 2)]
    found = judge(runs, "a", daily(1), further_looks=1)
    assert found.n_trials == 3
    assert found.deflated_sharpe < judge(runs, "a", daily(1)).deflated_sharpe


def test_a_ruined_account_is_judged_without_a_figure() -> None:
    ruined = daily(1).with_columns(daily_return=pl.lit(-1.0))
    assert judge([], "a", ruined).deflated_sharpe is None
