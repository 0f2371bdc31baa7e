"""Daily returns of equity."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from nightfold.backtest.result import Backtest, daily_returns


def backtest(points: list[tuple[datetime, float]]) -> Backtest:
    nothing = pl.DataFrame()
    equity = pl.DataFrame(points, schema={"close_time": pl.Datetime("ms", "UTC"), "equity": pl.Float64}, orient="row")
    return Backtest(100.0, equity, *[nothing] * 5, is_ruined=False, triggers=nothing)


def test_the_first_day_counts_from_the_capital_and_midnight_ends_the_day_before() -> None:
    points = [
        (datetime(2024, 1, 1, 12, tzinfo=UTC), 104.0),
        (datetime(2024, 1, 2, tzinfo=UTC), 110.0),
        (datetime(2024, 1, 2, 0, 5, tzinfo=UTC), 90.0),
        (datetime(2024, 1, 3, tzinfo=UTC), 99.0),
    ]
    assert daily_returns(backtest(points)).rows() == [
        (date(2024, 1, 1), pytest.approx(0.1)),
        (date(2024, 1, 2), pytest.approx(-0.1)),
    ]


def test_days_in_a_hole_are_zero_and_a_partial_last_day_counts() -> None:
    points = [(datetime(2024, 1, 1, 12, tzinfo=UTC), 100.0), (datetime(2024, 1, 4, 0, 5, tzinfo=UTC), 120.0)]
    result = daily_returns(backtest(points))
    assert result["day"].to_list() == [date(2024, 1, day) for day in (1, 2, 3, 4)]
    assert result["daily_return"].to_list() == [0, 0, 0, pytest.approx(0.2)]


def test_daily_returns_compound_to_the_whole() -> None:
    points = [
        (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour), 100 + hour * (-1) ** hour / 7)
        for hour in range(1, 99)
    ]
    result = daily_returns(backtest(points))
    assert (result["daily_return"] + 1).product() == pytest.approx(points[-1][1] / 100)
    assert result.height == 5
