"""Kelly against its closed form, a fine grid, and the growth it promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.backtest.sizing.kelly import growth_optimal


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_two_outcomes_give_the_closed_form(chance: float, gain: float, loss: float) -> None:
    expected = chance / loss - (1 - chance) / gain
    found = growth_optimal(np.array([[chance, 1 - chance]]), np.array([[gain, -loss]]), most=2000.0)
    assert found[0] == pytest.approx(max(expected, 0.0), rel=1e-9, abs=1e-9)


def test_more_outcomes_give_the_best_point_of_a_fine_grid() -> None:
    rng = np.random.default_rng(2)
    chances, returns = rng.dirichlet((2, 2, 2), 60), rng.uniform(-0.4, 0.5, (60, 3))
    found = growth_optimal(chances, returns, most=2.0)
    grid = np.linspace(0, 2, 20_001)
    growth = np.einsum("rk,rkg->rg", chances, np.log1p(returns[:, :, None] * grid))
    assert found == pytest.approx(grid[growth.argmax(axis=1)], abs=1e-4)
    assert 5 < (found == 0).sum() < 55


def test_nothing_to_gain_is_nothing_to_hold_and_nothing_to_lose_is_the_most() -> None:
    chances = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0], [np.nan, 0.5]])
    found = growth_optimal(chances, np.array([0.01, -0.01]) * np.ones((4, 1)), most=3.0)
    assert found[:3].tolist() == [0.0, pytest.approx(3.0), 0.0]
    assert np.isnan(found[3])


def test_betting_it_makes_equity_grow_faster_than_betting_more_or_less() -> None:
    """A thousand made-up bets of .6 to win 2 % or lose 2 %: the full fraction is 10."""
    outcomes = np.where(np.random.default_rng(3).random(200_000) < 0.6, 0.02, -0.02)
    fraction = growth_optimal(np.array([[0.6, 0.4]]), np.array([[0.02, -0.02]]), most=40.0)[0]
    assert fraction == pytest.approx(10.0)
    growth = {part: np.log1p(part * fraction * outcomes).mean() for part in (0.5, 1.0, 1.5, 2.2)}
    assert growth[1.0] == max(growth.values())
    assert growth[2.2] < 0
