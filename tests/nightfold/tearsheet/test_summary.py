"""Figures made from small tables, each worked by hand."""

from datetime import date, timedelta

import polars as pl
import pytest

from nightfold.tearsheet.summary import (
    RETURN_MEASURES,
    by_model,
    by_symbol,
    fold_returns,
    measure_exposure,
    measure_returns,
    measure_trades,
    monthly_returns,
    sum_costs,
)


def days(returns: list[float], first: date = date(2024, 1, 30)) -> pl.DataFrame:
    return pl.DataFrame(
        {"day": [first + timedelta(days=day) for day in range(len(returns))], "daily_return": returns},
        schema={"day": pl.Date, "daily_return": pl.Float64},
    )


TRADES = pl.DataFrame(
    {
        "symbol": ["B", "A", "A", "A"],
        "profit": [10.0, -4.0, 2.0, 99.0],
        "fees": [1.0, 1.0, 2.0, 9.0],
        "funding": [0.5, 0.0, 0.0, 0.25],
        "return_": [0.1, -0.04, 0.02, 0.9],
        "bars": [3, 5, 4, 100],
        "is_open": [False, False, False, True],
    }
)


def test_a_window_runs_from_its_as_of_to_the_day_before_the_next() -> None:
    folds = fold_returns(days([0.5, 0.1, 0.1, -0.5, 0.2]), [date(2024, 2, 2), date(2024, 1, 31), date(2024, 5, 1)])
    assert folds["as_of"].to_list() == [date(2024, 1, 31), date(2024, 2, 2)]
    assert folds["days"].to_list() == [2, 2]
    assert folds["fold_return"].to_list() == pytest.approx([0.21, -0.4])


def test_without_as_ofs_there_are_no_windows() -> None:
    assert fold_returns(days([0.1]), []).is_empty()


def test_months_compound_to_the_whole() -> None:
    months = monthly_returns(days([0.1, 0.1, -0.5, 0.2]))
    assert months.select("year", "month").rows() == [(2024, 1), (2024, 2)]
    assert months["monthly_return"].to_list() == pytest.approx([0.21, -0.4])
    assert (1 + months["monthly_return"]).product() == pytest.approx(1.1 * 1.1 * 0.5 * 1.2)


def test_open_trades_are_counted_and_not_measured() -> None:
    trades = measure_trades(TRADES)
    assert (trades.closed, trades.open, trades.profit) == (3, 1, 8.0)
    assert trades.win_rate == pytest.approx(2 / 3)
    assert (trades.profit_factor, trades.expectancy, trades.payoff_ratio, trades.mean_bars) == (3, 8 / 3, 1.5, 4)


def test_no_trades_have_no_ratios() -> None:
    trades = measure_trades(TRADES.clear())
    assert (trades.closed, trades.profit, trades.win_rate, trades.mean_bars) == (0, 0.0, None, None)


def test_symbols_are_summed_apart() -> None:
    rows = by_symbol(TRADES).rows(named=True)
    assert [row["symbol"] for row in rows] == ["A", "B"]
    assert (rows[0]["closed"], rows[0]["win_rate"], rows[0]["profit"], rows[0]["fees"]) == (2, 0.5, -2.0, 3.0)


def test_costs_add_up() -> None:
    fills = pl.DataFrame({"fee": [1.0, 2.0], "spread_cost": [0.1, 0.2], "slippage_cost": [0.3, 0.4]})
    costs = sum_costs(fills, TRADES)
    assert (costs.fees, costs.funding) == (3.0, 0.75)
    assert costs.total == pytest.approx(3.0 + 0.3 + 0.7 + 0.75)


def test_exposure_is_a_share_of_equity_while_there_is_any() -> None:
    equity = pl.DataFrame({"equity": [100.0, 200.0, 0.0], "gross_exposure": [50.0, 0.0, 0.0]})
    fills = pl.DataFrame({"quantity": [1.0, -1.0], "price": [50.0, 50.0]})
    found = measure_exposure(equity, fills)
    assert found == {"exposure": 0.25, "time_in_market": 0.5, "turnover": 1.0}


def test_a_lost_account_has_no_measures() -> None:
    assert measure_returns(days([0.1, -1.0])) == dict.fromkeys(RETURN_MEASURES)
    assert measure_returns(days([0.1, -0.5]))["total_return"] == pytest.approx(-0.45)


def test_scores_are_means_over_windows_with_the_error_of_their_direction() -> None:
    metrics = pl.DataFrame(
        {
            "as_of": [date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 1)],
            "model": ["a", "a", "b"],
            "horizon": [20, 20, 5],
            "metric": "log_loss",
            "loss": [1.0, 1.2, 1.0],
            "constant_loss": [1.1, 1.1, 1.1],
            "macro_f1": [0.3, 0.5, None],
            "macro_f1_chance": [0.33, 0.33, 0.33],
            "direction_gain": [0.01, 0.03, 0.5],
            "r2": None,
            "sign_accuracy": None,
            "coverage": None,
        }
    )
    short, long = by_model(metrics).rows(named=True)
    assert (short["model"], short["windows"], short["macro_f1"], short["direction_error"]) == ("b", 1, None, None)
    assert long["loss"] == pytest.approx(1.1)
    assert long["loss_gain"] == pytest.approx(0.0)
    assert long["loss_error"] == pytest.approx(0.1)  # gains .1 and -.1 of two windows
    assert long["macro_f1"] == pytest.approx(0.4)
    assert long["direction_error"] == pytest.approx(0.01)


def test_symbols_with_models_of_their_own_are_one_window() -> None:
    """They move together: as windows of their own, two of them would seem to halve the error."""
    score = {"model": "a", "horizon": 5, "metric": "rmse", "constant_loss": 1.0, "macro_f1": None}
    score |= dict.fromkeys(("macro_f1_chance", "direction_gain", "r2", "sign_accuracy", "coverage"))
    losses = {date(2024, 1, 1): (0.8, 1.0), date(2024, 1, 8): (1.0, 1.4)}
    metrics = pl.DataFrame(
        [
            {"as_of": as_of, "universe": universe, "loss": loss, **score}
            for as_of, pair in losses.items()
            for universe, loss in zip("XY", pair, strict=True)
        ]
    )
    found = by_model(metrics).row(0, named=True)
    assert found["windows"] == 2
    assert (found["loss"], found["loss_gain"]) == (pytest.approx(1.05), pytest.approx(-0.05))
    assert found["loss_error"] == pytest.approx(0.15)  # mean gains .1 and -.2
