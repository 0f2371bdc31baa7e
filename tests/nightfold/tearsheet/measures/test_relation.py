"""Alpha and beta against scipy's straight line."""

import numpy as np
import pytest
from scipy import stats

from nightfold.errors import SchemaError
from nightfold.tearsheet import measures

RNG = np.random.default_rng(9)
MARKET = RNG.normal(0.001, 0.03, 250)
RETURNS = 0.4 * MARKET + RNG.normal(0.0005, 0.01, 250)


def test_they_are_slope_and_intercept_of_the_line() -> None:
    line = stats.linregress(MARKET, RETURNS)
    assert measures.beta(RETURNS, MARKET) == pytest.approx(line.slope)
    assert measures.alpha(RETURNS, MARKET) == pytest.approx(line.intercept * 365)


def test_holding_a_part_of_the_market_has_that_beta_and_no_alpha() -> None:
    assert measures.beta(-0.3 * MARKET, MARKET) == pytest.approx(-0.3)
    assert measures.alpha(0.3 * MARKET, MARKET) == pytest.approx(0, abs=1e-15)
    assert measures.alpha([0.001] * 250, MARKET) == pytest.approx(0.365)


def test_a_market_that_never_moves_explains_nothing() -> None:
    for market in ([], [0.01], [0.01, 0.01]):
        assert measures.beta([0.02, 0.03][: len(market)], market) is None
        assert measures.alpha([0.02, 0.03][: len(market)], market) is None


def test_other_days_are_refused() -> None:
    with pytest.raises(SchemaError, match="250 days and `market` 249"):
        measures.beta(RETURNS, MARKET[1:])
    with pytest.raises(SchemaError, match="`returns` is -1"):
        measures.alpha([0.1, -1.0], [0.1, 0.2])
