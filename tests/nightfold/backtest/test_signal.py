"""From probabilities to targets."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nightfold.backtest.cost import Costs
from nightfold.backtest.signal import Strategy, expected_value, move_targets, targets
from nightfold.errors import SchemaError

Predict = Callable[..., pl.DataFrame]
START = datetime(2024, 1, 1, tzinfo=UTC)
TEN_BPS = Costs(taker_fee_bps=5, half_spread_bps=0, slippage_bps=0)  # a round trip of 10 bp


def predictions(rows: list[tuple[float | None, float | None, float | None]], width: float = 0.01) -> pl.DataFrame:
    """Rows of p_down, p_flat, p_up at a close of 100."""
    return pl.DataFrame(
        [("BTCUSDT", START + number * timedelta(minutes=5), 100.0, width, *row) for number, row in enumerate(rows)],
        schema={
            "symbol": pl.String,
            "open_time": pl.Datetime("ms", "UTC"),
            **dict.fromkeys(("close", "width", "p_down", "p_flat", "p_up"), pl.Float64),
        },
        orient="row",
    )


UP, DOWN, NONE = (0.1, 0.1, 0.8), (0.8, 0.1, 0.1), (None, None, None)
EVEN = (0.45, 0.1, 0.45)


def test_the_worked_example_of_probabilities_is_no_trade() -> None:
    long, short = expected_value(0.54, 0.10, 0.36, 0.0147, 0.01, 0.0, 0.002)
    assert (round(long, 4), round(short, 4)) == (-0.0021, -0.0019)
    # the same row: width .0098 at 1.5 / 1.0 would be .0147 / .0098; the largest class is down, and still nothing trades
    frame = predictions([(0.54, 0.10, 0.36)], width=0.01)
    costs = Costs(taker_fee_bps=10, half_spread_bps=0, slippage_bps=0)
    assert targets(frame, Strategy(), costs, upper=1.47, lower=1.0)["target"].to_list() == [0.0]


def test_expected_value_is_the_mean_over_outcomes() -> None:
    rng = np.random.default_rng(5)
    down, flat, up = rng.dirichlet((1, 1, 1), 1_000).T
    outcomes = np.array([-0.02, 0.001, 0.03])
    long, short = expected_value(
        down, flat, up, np.float64(0.03), np.float64(0.02), np.float64(0.001), np.float64(0.004)
    )
    np.testing.assert_allclose(long, np.stack([down, flat, up], axis=1) @ outcomes - 0.004)
    np.testing.assert_allclose(short, np.stack([down, flat, up], axis=1) @ -outcomes - 0.004)


def test_a_driftless_market_is_not_shorted_although_down_is_the_likeliest_class() -> None:
    """With barriers 1.5 up and 1.0 down a walk without drift touches the lower one more often: .6 to .4."""
    frame = predictions([(0.6, 0.0, 0.4)])
    assert targets(frame, Strategy(), Costs(), upper=1.5, lower=1.0)["target"].to_list() == [0.0]


def test_the_edge_after_cost_must_exceed_the_minimum() -> None:
    """.8 * .01 - .1 * .01 = 70 bp, less a round trip of 10 bp."""
    frame = predictions([UP])
    for minimum, target in ((59.9, 0.3), (60.1, 0.0)):
        assert targets(frame, Strategy(min_edge_bps=minimum), TEN_BPS, upper=1, lower=1)["target"].to_list() == [target]


def test_volatility_slippage_counts_at_both_ends_with_the_rows_own_volatility() -> None:
    """Width .01 over 4 bars is a volatility of .005: a coefficient of .1 costs 5 bp twice."""
    frame = predictions([UP])
    costs = TEN_BPS.model_copy(update={"volatility_slippage": 0.1})
    for minimum, target in ((49.9, 0.3), (50.1, 0.0)):
        strategy = Strategy(horizon=4, min_edge_bps=minimum)
        assert targets(frame, strategy, costs, upper=1, lower=1)["target"].to_list() == [target]


def test_the_timeout_return_joins_the_expected_value_where_it_is_known() -> None:
    frame = predictions([(0.3, 0.4, 0.3)]).with_columns(timeout_return=pl.lit(0.01))
    assert targets(frame, Strategy(min_edge_bps=29), TEN_BPS, upper=1, lower=1)["target"].to_list() == [0.3]
    assert targets(frame, Strategy(min_edge_bps=31), TEN_BPS, upper=1, lower=1)["target"].to_list() == [0.0]


def test_a_position_is_held_for_the_horizon_or_as_long_as_set() -> None:
    frame = predictions([UP, *[EVEN] * 5])
    by_horizon = targets(frame, Strategy(horizon=3, size=0.5), TEN_BPS, upper=1, lower=1)
    assert by_horizon["target"].to_list() == [0.5, 0.5, 0.5, 0, 0, 0]
    as_set = targets(frame, Strategy(horizon=3, hold_bars=2, size=0.5), TEN_BPS, upper=1, lower=1)
    assert as_set["target"].to_list() == [0.5, 0.5, 0, 0, 0, 0]


def test_without_a_forecast_a_position_runs_out_and_none_is_entered() -> None:
    frame = predictions([NONE, DOWN, NONE, NONE, NONE])
    assert targets(frame, Strategy(hold_bars=2), TEN_BPS, upper=1, lower=1)["target"].to_list() == [0, -0.3, -0.3, 0, 0]


def test_the_opposite_side_reverses_at_once() -> None:
    frame = predictions([UP, EVEN, DOWN, EVEN])
    result = targets(frame, Strategy(hold_bars=5), TEN_BPS, upper=1, lower=1)
    assert result["target"].to_list() == [0.3, 0.3, -0.3, -0.3]
    assert result.columns == ["symbol", "open_time", "target"]


def test_barrier_exits_are_the_labels_barriers_at_the_entry() -> None:
    frame = predictions([UP, EVEN, DOWN])
    result = targets(frame, Strategy(exit="barrier"), TEN_BPS, upper=1.5, lower=0.5)
    up, down = 100 * math.exp(0.015), 100 * math.exp(-0.005)
    assert result["stop"].to_list() == [pytest.approx(down), None, pytest.approx(up)]
    assert result["take_profit"].to_list() == [pytest.approx(up), None, pytest.approx(down)]


def test_each_row_can_have_barriers_of_its_own() -> None:
    frame = predictions([UP, EVEN, DOWN]).with_columns(far=pl.Series([1.5, 9.0, 2.0]), near=pl.Series([0.5, 9.0, 1.0]))
    result = targets(frame, Strategy(exit="barrier"), TEN_BPS, upper=pl.col("far"), lower=pl.col("near"))
    stops = [100 * math.exp(-0.005), None, 100 * math.exp(0.02)]
    profits = [100 * math.exp(0.015), None, 100 * math.exp(-0.01)]
    assert result["stop"].to_list() == pytest.approx(stops)
    assert result["take_profit"].to_list() == pytest.approx(profits)
    # Where the barriers of a row are not known, nothing is entered.
    unknown = targets(frame.with_columns(far=None), Strategy(), TEN_BPS, upper=pl.col("far"), lower=pl.col("near"))
    assert unknown["target"].to_list() == [0.0, 0.0, 0.0]


def test_under_barrier_exits_a_position_ends_before_it_is_entered_anew() -> None:
    frame = predictions([UP] * 6)
    barrier = targets(frame, Strategy(hold_bars=2, exit="barrier"), TEN_BPS, upper=1, lower=1)
    assert barrier["target"].to_list() == [0.3, 0.3, 0, 0.3, 0.3, 0]
    assert barrier["stop"].is_not_null().to_list() == [True, False, False, True, False, False]
    by_time = targets(frame, Strategy(hold_bars=2), TEN_BPS, upper=1, lower=1)
    assert by_time["target"].to_list() == [0.3] * 6


def test_symbols_do_not_touch_each_other_and_order_does_not_matter() -> None:
    one = predictions([UP, *[EVEN] * 3])
    two = predictions([EVEN] * 4).with_columns(symbol=pl.lit("ETHUSDT"))
    both = targets(
        pl.concat([two, one]).sample(fraction=1, shuffle=True, seed=2), Strategy(), TEN_BPS, upper=1, lower=1
    )
    assert both["target"].to_list() == [0.3] * 4 + [0.0] * 4


@pytest.mark.parametrize("exit_by", ["time", "barrier"])
def test_later_predictions_never_move_an_earlier_target(exit_by: str) -> None:
    rng = np.random.default_rng(11)
    rows = [(float(a), float(b), float(c)) for a, b, c in rng.dirichlet((1, 1, 1), 200)]
    other = [(float(a), float(b), float(c)) for a, b, c in rng.dirichlet((1, 1, 1), 200)]
    strategy = Strategy(hold_bars=7, min_edge_bps=20, exit=exit_by)
    whole = targets(predictions(rows), strategy, TEN_BPS, upper=1, lower=1)
    assert whole["target"].n_unique() == 3
    for cut in (1, 50, 199):
        changed = targets(predictions(rows[:cut] + other[cut:]), strategy, TEN_BPS, upper=1, lower=1)
        assert changed[:cut].equals(whole[:cut])
        shorter = targets(predictions(rows[:cut]), strategy, TEN_BPS, upper=1, lower=1)
        assert shorter.equals(whole[:cut])


def test_missing_columns_and_doubled_rows_are_refused() -> None:
    with pytest.raises(SchemaError, match="lack the columns width, p_up"):
        targets(predictions([UP]).drop("p_up", "width"), Strategy(), TEN_BPS, upper=1, lower=1)
    with pytest.raises(SchemaError, match="two rows"):
        targets(pl.concat([predictions([UP])] * 2), Strategy(), TEN_BPS, upper=1, lower=1)


@pytest.mark.parametrize("field", [{"size": 0}, {"min_edge_bps": -1}, {"hold_bars": 0}, {"exit": "never"}])
def test_settings_out_of_range_are_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Strategy(**field)


def test_a_gross_edge_is_compared_before_cost() -> None:
    """Worked example 6, the rule with threshold .005: .0052 and -.0062 are taken, which a round trip of 26 bps eats."""
    rows = pl.DataFrame(
        {"symbol": ["A", "B", "C"], "open_time": [START] * 3, "width": [0.01] * 3, "move": [0.0052, -0.0062, 0.0049]}
    )
    gross = Strategy(edge="gross", min_edge_bps=50, size=1.0)
    net = Strategy(min_edge_bps=50, size=1.0)
    assert move_targets(rows, gross, Costs(), pl.col("move"))["target"].to_list() == [1, -1, 0]
    assert move_targets(rows, net, Costs(), pl.col("move"))["target"].to_list() == [0, 0, 0]
