"""Measures against empyrical-reloaded, where the two mean the same."""

from typing import Any

import numpy as np
import pytest

from nightfold.tearsheet import measures

RNG = np.random.default_rng(12)
MARKET = RNG.standard_t(5, 900) * 0.02 + 0.0005
RETURNS = 0.5 * MARKET + RNG.normal(0.0005, 0.01, 900)


@pytest.fixture(scope="module")
def empyrical() -> Any:
    return pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed: it is only compared with here")


def test_growth_and_risk_are_the_same(empyrical: Any) -> None:
    assert measures.total_return(RETURNS) == pytest.approx(empyrical.cum_returns_final(RETURNS))
    assert measures.cagr(RETURNS) == pytest.approx(empyrical.annual_return(RETURNS, annualization=365))
    assert measures.volatility(RETURNS) == pytest.approx(empyrical.annual_volatility(RETURNS, annualization=365))
    assert measures.sharpe_ratio(RETURNS) == pytest.approx(empyrical.sharpe_ratio(RETURNS, annualization=365))
    assert measures.sortino_ratio(RETURNS) == pytest.approx(empyrical.sortino_ratio(RETURNS, annualization=365))
    assert measures.max_drawdown(RETURNS) == pytest.approx(empyrical.max_drawdown(RETURNS))
    assert measures.calmar_ratio(RETURNS) == pytest.approx(empyrical.calmar_ratio(RETURNS, annualization=365))
    assert measures.omega(RETURNS) == pytest.approx(empyrical.omega_ratio(RETURNS, annualization=365))
    assert measures.tail_ratio(RETURNS) == pytest.approx(empyrical.tail_ratio(RETURNS))


def test_values_at_risk_are_the_same(empyrical: Any) -> None:
    assert measures.value_at_risk(RETURNS) == pytest.approx(empyrical.value_at_risk(RETURNS, cutoff=0.05))


def test_the_conditional_one_is_the_same_where_the_quantile_falls_on_a_day(empyrical: Any) -> None:
    """It takes the floor of (n - 1) x .05 days and one; 901 days put the linear quantile on a day as well."""
    returns = np.append(RETURNS, 0.001)
    theirs = empyrical.conditional_value_at_risk(returns, cutoff=0.05)
    assert measures.conditional_value_at_risk(returns) == pytest.approx(theirs)


def test_alpha_and_beta_are_the_same(empyrical: Any) -> None:
    """It compounds the daily alpha over a year, where ours adds it up."""
    assert measures.beta(RETURNS, MARKET) == pytest.approx(empyrical.beta(RETURNS, MARKET))
    alpha = measures.alpha(RETURNS, MARKET)
    assert alpha is not None
    assert (1 + alpha / 365) ** 365 - 1 == pytest.approx(empyrical.alpha(RETURNS, MARKET, annualization=365))
