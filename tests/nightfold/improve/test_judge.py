"""Scores and judgements: the published measures, over all that was looked at."""

import math
from datetime import date, timedelta
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from nightfold.improve.judge import judge, score


def returns(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.002, 0.01, 90)


def daily(seed: int) -> pl.DataFrame:
    days = [date(2024, 1, 1) + timedelta(days=day) for day in range(90)]
    return pl.DataFrame({"day": days, "daily_return": returns(seed)})


def deflated(found: np.ndarray, n: int, variance: float) -> float:
    """Bailey and López de Prado (2014), written out."""
    normal, count = NormalDist(), len(found)
    ratio = found.mean() / found.std(ddof=1)
    centred = (found - found.mean()) / found.std()
    skew, fourth = (centred**3).mean(), (centred**4).mean()
    euler = 0.5772156649015329
    luck = math.sqrt(variance) * (
        (1 - euler) * normal.inv_cdf(1 - 1 / n) + euler * normal.inv_cdf(1 - 1 / (n * math.e))
    )
    return normal.cdf((ratio - luck) * math.sqrt(count - 1) / math.sqrt(1 - skew * ratio + (fourth - 1) / 4 * ratio**2))


def test_a_score_is_the_sharpe_ratio_a_year() -> None:
    found = daily(1)["daily_return"]
    assert score(found) == pytest.approx(found.mean() / found.std() * math.sqrt(365))


def test_doing_nothing_is_worth_nothing_and_more_than_losing() -> None:
    assert score(pl.Series([0.0] * 30)) == 0
    assert score(pl.Series([-0.01, -0.02])) < 0
    assert score(pl.Series([0.5, -1.0])) is None


def test_a_few_variants_deflate_by_their_number(looked_at) -> None:
    runs = [looked_at(str(seed), returns(seed)) for seed in range(5)]
    found = judge(runs, "0", daily(0))
    assert found.n_trials == 5
    assert found.deflated_sharpe == pytest.approx(deflated(daily(0)["daily_return"].to_numpy(), 5, 1 / 89))


def test_many_variants_deflate_by_how_much_they_differ(looked_at) -> None:
    runs = [looked_at(str(seed), returns(seed)) for seed in range(12)]
    ratios = [each.daily["daily_return"].mean() / each.daily["daily_return"].std() for each in runs]
    found = judge(runs, "3", daily(3))
    expected = deflated(daily(3)["daily_return"].to_numpy(), 12, float(np.var(ratios, ddof=1)))
    assert found.deflated_sharpe == pytest.approx(expected)


def test_a_further_look_counts_like_a_variant(looked_at) -> None:
    runs = [looked_at("a", returns(1)), looked_at("b", returns(2))]
    found = judge(runs, "a", daily(1), further_looks=1)
    assert found.n_trials == 3
    assert found.deflated_sharpe < judge(runs, "a", daily(1)).deflated_sharpe


def test_a_ruined_account_is_judged_without_a_figure() -> None:
    ruined = daily(1).with_columns(daily_return=pl.lit(-1.0))
    assert judge([], "a", ruined).deflated_sharpe is None
