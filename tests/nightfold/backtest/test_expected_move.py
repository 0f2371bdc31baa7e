"""What forecasts without barriers say of the price."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from nightfold.backtest.cost import Costs
from nightfold.backtest.expected_move import expected_move, mean_size, quantile_weights, strength
from nightfold.backtest.signal import Strategy, move_targets
from nightfold.models.objective import Objective
from nightfold.schema import TIME

FREE = Costs(taker_fee_bps=0, maker_fee_bps=0, half_spread_bps=0, slippage_bps=0)


def moved(objective: Objective, **said: float) -> float:
    return pl.DataFrame([said]).select(expected_move(objective, 0.3)).item()


@pytest.mark.parametrize(("q05", "q50", "q95", "mean"), [(-0.03, 0.004, 0.05, 0.0073), (-0.05, -0.004, 0.02, -0.01005)])
def test_quantiles_of_the_worked_example(q05: float, q50: float, q95: float, mean: float) -> None:
    assert moved(Objective(task="quantile"), q05=q05, q50=q50, q95=q95) == pytest.approx(mean)


def test_the_weights_integrate_the_piecewise_linear_quantile_function() -> None:
    levels, values = [0.1, 0.25, 0.5, 0.9], np.array([-2.0, -0.5, 0.3, 4.0])
    grid = (np.arange(200_000) + 0.5) / 200_000
    assert quantile_weights(levels) @ values == pytest.approx(np.interp(grid, levels, values).mean(), abs=1e-8)


@pytest.mark.parametrize("beyond", [0.0, 0.3, 1.5])
def test_the_size_of_a_move_is_that_of_a_normal_tail(beyond: float) -> None:
    assert mean_size(beyond) == pytest.approx(stats.truncnorm(beyond, np.inf).mean())


def test_classes_move_by_their_difference_and_the_mean_by_itself() -> None:
    assert moved(Objective(task="regression"), mean=-0.02) == -0.02
    assert moved(Objective(task="binary"), p_no=0.4, p_yes=0.6, width=0.01) == pytest.approx(0.002 * mean_size(0))
    said = {"p_down": 0.5, "p_flat": 0.2, "p_up": 0.3, "width": 0.01}
    assert moved(Objective(), **said) == pytest.approx(-0.002 * mean_size(0.3))


def test_a_side_is_taken_only_where_the_move_is_beyond_cost() -> None:
    moves = [0.0031, 0.0029, None, -0.0031, 0.0]
    rows = pl.DataFrame(
        {"symbol": "A", "open_time": pl.Series(range(5)).cast(TIME), "width": 0.01, "mean": moves},
        schema_overrides={"mean": pl.Float64},
    )
    costs = FREE.model_copy(update={"taker_fee_bps": 10.0})
    strategy = Strategy(horizon=1, size=0.5, min_edge_bps=10)
    assert costs.round_trip == pytest.approx(0.002)
    assert move_targets(rows, strategy, costs, pl.col("mean"))["target"].to_list() == [0.5, 0, 0, -0.5, 0]


@pytest.mark.parametrize(
    ("said", "theirs", "found"),
    [((-0.03, 0.004, 0.05), 0.0052, 0.066), ((-0.05, -0.004, 0.02), -0.0062, 0.115)],
)
def test_other_weights_and_the_strength_of_the_worked_example(
    said: tuple[float, float, float], theirs: float, found: float
) -> None:
    """Worked example 6: weights .1, .8, .1 beside the mean; cost .002."""
    rows = pl.DataFrame([dict(zip(("q05", "q50", "q95"), said, strict=True))])
    quantiles = Objective(task="quantile")
    assert rows.select(expected_move(quantiles, 0.0, [0.1, 0.8, 0.1])).item() == pytest.approx(theirs)
    assert rows.select(strength(quantiles, 0.002)).item() == pytest.approx(found, abs=5e-4)


def test_quantiles_that_do_not_lie_apart_have_no_strength() -> None:
    rows = pl.DataFrame({"q05": [0.01, 0.02], "q50": [0.01, 0.01], "q95": [0.01, 0.00]})
    assert rows.select(strength(Objective(task="quantile"), 0.002)).to_series().to_list() == [None, None]
