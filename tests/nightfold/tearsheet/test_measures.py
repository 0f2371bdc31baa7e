"""Measures against worked examples, slow twins and closed forms."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nightfold.errors import ConfigError, SchemaError
from nightfold.tearsheet import measures

WORKED = [0.01, -0.02, 0.03, 0.0, 0.01]
RETURNS = np.random.default_rng(1).normal(0.001, 0.02, 400)
ONE_SERIES = [
    measures.total_return,
    measures.cagr,
    measures.volatility,
    measures.sharpe_ratio,
    measures.sortino_ratio,
    measures.calmar_ratio,
    measures.omega,
    measures.tail_ratio,
    measures.max_drawdown,
    measures.drawdown_length,
    measures.ulcer_index,
    measures.value_at_risk,
    measures.conditional_value_at_risk,
    measures.skewness,
    measures.kurtosis,
    measures.probabilistic_sharpe_ratio,
    measures.deflated_sharpe_ratio,
]
some_returns = st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=40)


def test_the_worked_example_comes_out_to_the_last_digit() -> None:
    assert round(measures.sharpe_ratio(WORKED) or 0, 4) == 6.3102
    assert round(measures.sortino_ratio(WORKED) or 0, 4) == 12.8160
    assert measures.max_drawdown(WORKED) == pytest.approx(-0.02, abs=1e-15)
    assert measures.value_at_risk(WORKED) == pytest.approx(-0.016, abs=1e-15)
    sr0 = measures.expected_max_sharpe(50, 0.0025)
    assert round(sr0, 5) == 0.11382
    deflated, plain = (
        measures.sharpe_confidence(0.08, benchmark, days=365, skewness=-0.5, kurtosis=6.0) for benchmark in (sr0, 0.0)
    )
    assert round(deflated or 0, 4) == 0.2643
    assert round(plain or 0, 4) == 0.9320


def test_total_return_compounds_and_cagr_is_it_over_a_year_of_365_days() -> None:
    assert measures.total_return([0.5, -0.5]) == pytest.approx(-0.25)
    year = RETURNS[:365]
    assert measures.cagr(year) == pytest.approx(measures.total_return(year))
    assert measures.cagr([0.21] + [0.0] * 729) == pytest.approx(0.1)


def test_a_growth_too_large_for_a_float_is_unknown() -> None:
    assert measures.cagr([9.0]) is None
    assert measures.calmar_ratio([99.0, -0.1]) is None


def test_volatility_and_sharpe_are_those_of_numpy() -> None:
    daily = RETURNS.mean() / RETURNS.std(ddof=1)
    assert measures.volatility(RETURNS) == pytest.approx(RETURNS.std(ddof=1) * math.sqrt(365))
    assert measures.daily_sharpe_ratio(RETURNS) == pytest.approx(daily)
    assert measures.sharpe_ratio(RETURNS) == pytest.approx(daily * math.sqrt(365))
    assert measures.sharpe_ratio(3 * RETURNS) == pytest.approx(measures.sharpe_ratio(RETURNS))


@settings(max_examples=200)
@given(some_returns)
def test_drawdowns_are_those_of_a_slow_loop(returns: list[float]) -> None:
    equity, peak, length, longest, falls = 1.0, 1.0, 0, 0, []
    for value in returns:
        equity *= 1 + value
        peak = max(peak, equity)
        falls.append(equity / peak - 1)
        length = length + 1 if equity < peak else 0
        longest = max(longest, length)
    assert measures.drawdowns(returns) == pytest.approx(falls)
    assert measures.max_drawdown(returns) == pytest.approx(min(falls))
    assert measures.drawdown_length(returns) == longest
    assert measures.ulcer_index(returns) == pytest.approx(math.sqrt(sum(f * f for f in falls) / len(falls)))


def test_a_loss_on_the_first_day_is_a_drawdown_and_an_open_one_counts() -> None:
    assert measures.max_drawdown([-0.1, 0.05]) == pytest.approx(-0.1)
    assert measures.drawdown_length([0.1, -0.05, 0.01, 0.2, -0.1, 0.0, 0.0]) == 3


def test_calmar_is_growth_over_the_deepest_fall() -> None:
    growth, fall = measures.cagr(RETURNS), measures.max_drawdown(RETURNS)
    assert growth is not None
    assert fall is not None
    assert measures.calmar_ratio(RETURNS) == pytest.approx(growth / abs(fall))


@settings(max_examples=100)
@given(some_returns)
def test_tail_measures_are_those_of_sorted_returns(returns: list[float]) -> None:
    ordered = sorted(returns)
    place = 0.05 * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    quantile = ordered[low] + (place - low) * (ordered[high] - ordered[low])
    assert measures.value_at_risk(returns) == pytest.approx(quantile, abs=1e-12)
    tail = [value for value in returns if value <= quantile + 1e-12]
    assert measures.conditional_value_at_risk(returns) == pytest.approx(sum(tail) / len(tail), abs=1e-9)


def test_a_deeper_level_is_a_larger_loss() -> None:
    losses = [measures.value_at_risk(RETURNS, level) or 0.0 for level in (0.9, 0.95, 0.99)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] < 0


@pytest.mark.parametrize("level", [0.05, 1.0, float("nan")])
def test_a_level_that_is_no_confidence_is_refused(level: float) -> None:
    with pytest.raises(ConfigError, match="`level`"):
        measures.value_at_risk(WORKED, level)


def test_omega_less_one_is_the_sum_over_the_losses() -> None:
    losses = -RETURNS[RETURNS < 0].sum()
    assert measures.omega(RETURNS) == pytest.approx(1 + RETURNS.sum() / losses)
    assert measures.omega([0.02, -0.01], threshold=0.01) == pytest.approx(0.5)


def test_tail_ratio_compares_the_outer_quantiles() -> None:
    low, high = np.quantile(RETURNS, [0.05, 0.95])
    assert measures.tail_ratio(RETURNS) == pytest.approx(high / -low)


def test_moments_are_those_of_the_population() -> None:
    assert measures.skewness(RETURNS) == pytest.approx(stats.skew(RETURNS))
    assert measures.kurtosis(RETURNS) == pytest.approx(stats.kurtosis(RETURNS, fisher=False))


def test_the_probabilistic_sharpe_ratio_follows_its_formula() -> None:
    sharpe = RETURNS.mean() / RETURNS.std(ddof=1)
    spread = 1 - stats.skew(RETURNS) * sharpe + (stats.kurtosis(RETURNS, fisher=False) - 1) / 4 * sharpe**2
    expected = stats.norm.cdf((sharpe - 0.02) * math.sqrt(399 / spread))
    assert measures.probabilistic_sharpe_ratio(RETURNS, benchmark=0.02) == pytest.approx(expected)


@pytest.mark.parametrize("n_trials", [5, 50, 500])
def test_the_expected_best_of_many_is_what_simulated_luck_shows(n_trials: int) -> None:
    luck = np.random.default_rng(2).normal(0, 0.05, (20_000, n_trials)).max(axis=1).mean()
    assert measures.expected_max_sharpe(n_trials, 0.05**2) == pytest.approx(luck, rel=0.03)


def test_deflating_by_one_trial_changes_nothing_and_more_trials_lower_the_probability() -> None:
    one = measures.deflated_sharpe_ratio(RETURNS, 1)
    assert one == measures.probabilistic_sharpe_ratio(RETURNS)
    falling = [measures.deflated_sharpe_ratio(RETURNS, n) or 0.0 for n in (1, 2, 10, 100)]
    assert falling == sorted(falling, reverse=True)
    assert len(set(falling)) == 4


def test_without_a_variance_trials_spread_as_ratios_without_skill_do() -> None:
    spread = 1 / (len(RETURNS) - 1)
    assert measures.deflated_sharpe_ratio(RETURNS, 5) == measures.deflated_sharpe_ratio(RETURNS, 5, spread)
    assert measures.deflated_sharpe_ratio(RETURNS, 5) != measures.deflated_sharpe_ratio(RETURNS, 5, 4 * spread)


def test_under_ten_trials_the_spread_of_ratios_is_that_of_no_skill() -> None:
    sharpes = np.linspace(-0.1, 0.1, 10)
    assert measures.sharpe_variance(sharpes[:9], days=101) == pytest.approx(0.01)
    assert measures.sharpe_variance(sharpes, days=101) == pytest.approx(np.var(sharpes, ddof=1))
    assert measures.sharpe_variance([], days=1) is None


def test_alike_trials_amount_to_one_and_unlike_ones_to_all() -> None:
    assert measures.effective_trials(20, 1.0) == 1
    assert measures.effective_trials(20, 0.0) == 20


@pytest.mark.parametrize(("n_trials", "variance"), [(0, 0.01), (3, -0.01), (3, math.nan), (3, math.inf)])
def test_impossible_trials_are_refused(n_trials: int, variance: float) -> None:
    with pytest.raises(ConfigError, match="`n_trials` is 0" if n_trials == 0 else "`variance` is"):
        measures.deflated_sharpe_ratio(WORKED, n_trials, variance)


@pytest.mark.parametrize("measure", ONE_SERIES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1.0, -1.5])
def test_what_is_no_return_raises(measure: type, bad: float) -> None:
    with pytest.raises(SchemaError, match="`returns`"):
        measure([0.01, bad, 0.02])


@pytest.mark.parametrize("measure", ONE_SERIES)
def test_a_null_raises_and_no_days_are_unknown(measure: type) -> None:
    with pytest.raises(SchemaError, match="1 values that are null"):
        measure(pl.Series([0.01, None]))
    assert measure([]) is None


def test_two_dimensions_are_refused() -> None:
    with pytest.raises(SchemaError, match="2 dimensions"):
        measures.sharpe_ratio([[0.1], [0.2]])


@pytest.mark.parametrize("returns", [[0.01], [0.01, 0.01, 0.01], [0.1] * 7, [0.0, 0.0]])
def test_ratios_without_variance_are_unknown(returns: list[float]) -> None:
    for measure in (
        measures.sharpe_ratio,
        measures.sortino_ratio,
        measures.skewness,
        measures.kurtosis,
        measures.probabilistic_sharpe_ratio,
        measures.deflated_sharpe_ratio,
    ):
        assert measure(returns) is None


def test_what_lacks_its_denominator_is_unknown() -> None:
    gains = [0.01, 0.02, 0.03]
    for measure in (measures.sortino_ratio, measures.omega, measures.tail_ratio, measures.calmar_ratio):
        assert measure(gains) is None
    assert measures.max_drawdown(gains) == 0.0
    assert measures.drawdown_length(gains) == 0
    assert measures.volatility([0.01]) is None
    assert measures.profit_factor([5.0, 0.0]) is None
    assert measures.payoff_ratio([5.0]) is None
    assert measures.turnover([1.0], []) is None
    for trade_measure in (measures.win_rate, measures.profit_factor, measures.expectancy, measures.payoff_ratio):
        assert trade_measure([]) is None


def test_a_confidence_without_variance_is_unknown() -> None:
    assert measures.sharpe_confidence(1.0, days=100, skewness=2.0, kurtosis=5.0) is None


def test_trades_are_counted_by_hand() -> None:
    profits = [10.0, -4.0, 0.0, 2.0]
    assert measures.win_rate(profits) == 0.5
    assert measures.profit_factor(profits) == 3.0
    assert measures.expectancy(profits) == 2.0
    assert measures.payoff_ratio(profits) == 1.5


def test_exposure_and_turnover_by_hand() -> None:
    assert measures.exposure([0.0, 0.5, 1.0, 0.5]) == 0.5
    assert measures.time_in_market([0.0, 0.5, 1.0, 0.5]) == 0.75
    assert measures.turnover([500.0, -500.0], [900.0, 1100.0]) == 1.0
    assert measures.exposure([]) is measures.time_in_market([]) is None


def test_a_day_that_loses_everything_is_ruin() -> None:
    assert measures.is_ruined([0.1, -1.0])
    assert not measures.is_ruined([0.1, -0.999])


def test_inputs_come_back_unchanged() -> None:
    before = RETURNS.copy()
    for measure in ONE_SERIES:
        measure(RETURNS)
    assert np.array_equal(before, RETURNS)
