"""Track records and backtests that are too short, against the figures printed in the papers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.errors import ConfigError
from nightfold.tearsheet import measures

RETURNS = np.random.default_rng(4).normal(0.002, 0.02, 500)


def test_the_probabilistic_sharpe_ratio_of_the_paper() -> None:
    """Bailey and López de Prado (2012): two years of months at .458; .982 if normal, .913 as it was."""
    normal = measures.sharpe_confidence(0.458, days=24, skewness=0.0, kurtosis=3.0)
    as_was = measures.sharpe_confidence(0.458, days=24, skewness=-2.448, kurtosis=10.164)
    assert round(normal or 0, 3) == 0.982
    assert round(as_was or 0, 3) == 0.913


@pytest.mark.parametrize(
    ("n_trials", "skewness", "kurtosis", "expected"), [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)]
)
def test_the_deflated_sharpe_ratio_of_the_paper(
    n_trials: int, skewness: float, kurtosis: float, expected: float
) -> None:
    """Bailey and López de Prado (2014): 2.5 a year over 1250 days, 250 a year, variance of the trials one half."""
    best = measures.expected_max_sharpe(n_trials, 0.5 / 250)
    sharpe = 2.5 / math.sqrt(250)
    found = measures.sharpe_confidence(sharpe, best, days=1250, skewness=skewness, kurtosis=kurtosis)
    assert round(found or 0, 4) == expected


def test_the_best_of_a_hundred_in_the_paper() -> None:
    assert round(measures.expected_max_sharpe(100, 0.5 / 250), 4) == 0.1132


@pytest.mark.parametrize(
    ("a_year", "skewness", "kurtosis", "years"),
    [(252, 0, 3, 2.73), (52, 0, 3, 2.83), (12, 0, 3, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_minimum_track_records_of_the_paper(a_year: int, skewness: float, kurtosis: float, years: float) -> None:
    """Years until an annual Sharpe ratio of 2 is above 1, by days, weeks and months, and for a typical hedge fund."""
    sharpe, benchmark = 2 / math.sqrt(a_year), 1 / math.sqrt(a_year)
    found = measures.days_to_trust(sharpe, benchmark, skewness=skewness, kurtosis=kurtosis)
    assert found is not None
    assert round(found / a_year, 2) == years


@given(st.floats(0.01, 0.5), st.floats(-1, 1), st.floats(3, 9), st.floats(0.55, 0.99))
def test_after_its_minimum_track_record_a_ratio_is_as_sure_as_asked(
    sharpe: float, skewness: float, kurtosis: float, confidence: float
) -> None:
    days = measures.days_to_trust(sharpe, skewness=skewness, kurtosis=kurtosis, confidence=confidence)
    assert days is not None
    spread = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    score = sharpe * math.sqrt((days - 1) / spread)
    assert 0.5 * math.erfc(-score / math.sqrt(2)) == pytest.approx(confidence)


def test_the_track_record_of_returns_uses_their_own_moments() -> None:
    sharpe = measures.daily_sharpe_ratio(RETURNS)
    skewness, kurtosis = measures.skewness(RETURNS), measures.kurtosis(RETURNS)
    assert sharpe is not None
    assert skewness is not None
    assert kurtosis is not None
    found = measures.minimum_track_record(RETURNS, benchmark=0.01, confidence=0.9)
    assert found == measures.days_to_trust(sharpe, 0.01, skewness=skewness, kurtosis=kurtosis, confidence=0.9)


def test_a_ratio_that_is_not_above_its_benchmark_has_no_track_record() -> None:
    sharpe = measures.daily_sharpe_ratio(RETURNS)
    assert sharpe is not None
    assert measures.minimum_track_record(RETURNS, benchmark=sharpe) is None
    assert measures.minimum_track_record(-RETURNS) is None
    for few in ([], [0.01], [0.01, 0.01, 0.01]):
        assert measures.minimum_track_record(few) is None
    assert measures.days_to_trust(1.0, skewness=2.0, kurtosis=5.0) is None


@pytest.mark.parametrize(("years", "most"), [(2, 7), (5, 45)])
def test_trials_that_a_backtest_can_bear_in_the_paper(years: float, most: int) -> None:
    """Bailey et al. (2014): 7 trials for two years and 45 for five, else the best of luck is expected to reach 1."""
    assert measures.minimum_backtest_length(most) <= years < measures.minimum_backtest_length(most + 1)


def test_backtest_lengths_stay_under_their_bound_and_shrink_with_the_ratio_asked() -> None:
    for n_trials in (2, 10, 100, 10_000):
        assert measures.minimum_backtest_length(n_trials) < 2 * math.log(n_trials)
        assert measures.minimum_backtest_length(n_trials, 2.0) * 4 == pytest.approx(
            measures.minimum_backtest_length(n_trials)
        )
    assert measures.minimum_backtest_length(1) == 0.0


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(ConfigError, match="`sharpe` is 0"):
        measures.minimum_backtest_length(5, 0.0)
    with pytest.raises(ConfigError, match="`n_trials` is 0"):
        measures.minimum_backtest_length(0)
    with pytest.raises(ConfigError, match="`confidence` is 1"):
        measures.minimum_track_record(RETURNS, confidence=1.0)
