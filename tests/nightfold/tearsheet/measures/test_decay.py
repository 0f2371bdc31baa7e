"""Sharpe ratios that forget, against closed forms, numpy's weighted moments, and the ratios that do not forget."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.errors import ConfigError, SchemaError
from nightfold.tearsheet import measures

RETURNS = np.random.default_rng(6).normal(0.001, 0.02, 90)


def test_three_days_worked_by_hand() -> None:
    """Half-life 1: weights 1/4, 1/2, 1 on .07, 0, .035, so shares 1/7, 2/7, 4/7.

    Mean .03; squared deviations .0016, .0009, .000025 have the mean .0005; T = (7/4)^2 / (21/16) = 7/3, so the
    variance without bias is .0005 * (7/3) / (4/3) = .000875.
    """
    returns = [0.07, 0.0, 0.035]
    assert measures.effective_days(3, 1) == pytest.approx(7 / 3)
    assert measures.decayed_sharpe_ratio(returns, 1) == pytest.approx(0.03 / math.sqrt(0.000875))
    skew = (0.04**3 / 7 - 2 * 0.03**3 / 7 + 4 * 0.005**3 / 7) / 0.0005**1.5
    fourth = (0.04**4 / 7 + 2 * 0.03**4 / 7 + 4 * 0.005**4 / 7) / 0.0005**2
    sharpe = 0.03 / math.sqrt(0.000875)
    spread = 1 - skew * sharpe + (fourth - 1) / 4 * sharpe**2
    assert measures.decayed_deflated_sharpe_ratio(returns, 1) == pytest.approx(
        NormalDist().cdf(sharpe * math.sqrt(4 / 3 / spread))
    )


@given(st.integers(2, 200), st.floats(1, 400))
def test_effective_days_are_those_of_the_geometric_sums(days: int, half_life: float) -> None:
    """(sum w)^2 / sum w^2 with w = q^age is (1 - q^n)(1 + q) / ((1 + q^n)(1 - q))."""
    q = 0.5 ** (1 / half_life)
    closed = (1 - q**days) * (1 + q) / ((1 + q**days) * (1 - q))
    assert measures.effective_days(days, half_life) == pytest.approx(closed, rel=1e-9)
    assert 1 < measures.effective_days(days, half_life) <= days * (1 + 1e-12)


def test_weights_are_those_of_numpy() -> None:
    weights = 2.0 ** (-np.arange(90)[::-1] / 20)
    mean = np.average(RETURNS, weights=weights)
    deviation = math.sqrt(np.cov(RETURNS, aweights=weights, ddof=1))
    assert measures.decayed_sharpe_ratio(RETURNS, 20) == pytest.approx(mean / deviation)


def test_a_very_long_half_life_forgets_nothing() -> None:
    assert measures.effective_days(90, 1e9) == pytest.approx(90)
    assert measures.decayed_sharpe_ratio(RETURNS, 1e9) == pytest.approx(measures.daily_sharpe_ratio(RETURNS), rel=1e-6)
    for trials, variance in ((1, None), (9, None), (40, 0.004)):
        forgetting = measures.decayed_deflated_sharpe_ratio(RETURNS, 1e9, trials, variance)
        assert forgetting == pytest.approx(measures.deflated_sharpe_ratio(RETURNS, trials, variance), rel=1e-6)


def test_what_was_earned_long_ago_counts_less_than_what_was_lost_since() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 90)
    ended = noise + np.where(np.arange(90) < 60, 0.01, -0.01)
    ratios = [measures.decayed_sharpe_ratio(ended, half_life) for half_life in (1e6, 60, 30, 15, 7)]
    assert ratios == sorted(ratios, reverse=True)  # type: ignore[type-var]  # all are known
    assert ratios[0] is not None
    assert ratios[0] > 0.2
    assert ratios[-1] is not None
    assert ratios[-1] < -0.5


def test_what_does_not_vary_or_has_no_weight_left_is_unknown() -> None:
    for returns in ([], [0.01], [0.01] * 5):
        assert measures.decayed_sharpe_ratio(returns, 10) is None
        assert measures.decayed_deflated_sharpe_ratio(returns, 10) is None
    assert measures.decayed_sharpe_ratio([0.5, *[0.0] * 2_000], 1) is None
    assert measures.effective_days(0, 10) == 0


def test_half_lives_under_a_day_and_lost_accounts_are_refused() -> None:
    for half_life in (0.5, -1.0, math.nan):
        with pytest.raises(ConfigError, match=r"`half_life` is .*; it must be 1 day or more"):
            measures.decayed_sharpe_ratio(RETURNS, half_life)
    with pytest.raises(SchemaError, match="must be above -1"):
        measures.decayed_sharpe_ratio([0.1, -1.0], 10)
