"""Many results on the same days: what each has of them, and its Sharpe ratio there."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.errors import SchemaError
from nightfold.same_days import SameDays
from nightfold.tearsheet.measures import daily_sharpe_ratio

FIRST = date(2024, 1, 1)


def daily(*returns: float | None, first: int = 0) -> pl.DataFrame:
    days = [FIRST + timedelta(days=first + number) for number in range(len(returns))]
    return pl.DataFrame({"day": days, "daily_return": returns}, schema={"day": pl.Date, "daily_return": pl.Float64})


def test_each_result_counts_with_the_days_it_has() -> None:
    moves = np.random.default_rng(3).normal(0, 0.01, 30)
    results = [daily(*moves), daily(*moves[:12], first=15), daily(0.1, 0.2, first=100)]
    shared, ratios = SameDays(results).on(results[1]["day"])
    assert shared.tolist() == [12, 12, 0]
    expected = [daily_sharpe_ratio(moves[15:27]), daily_sharpe_ratio(moves[:12]), None]
    assert [None if np.isnan(ratio) else ratio for ratio in ratios] == [pytest.approx(ratio) for ratio in expected]


def test_a_ratio_is_unknown_on_one_day_without_movement_and_where_all_was_lost() -> None:
    results = [daily(0.1), daily(0.1, 0.1, 0.1), daily(0.1, 0.2, -1.0), daily(0.1, 0.2, 0.4)]
    shared, ratios = SameDays(results).on(daily(0.0, 0.0, 0.0)["day"])
    assert shared.tolist() == [1, 3, 3, 3]
    assert np.isnan(ratios).tolist() == [True, True, True, False]
    before = SameDays(results).on(daily(0.0, 0.0)["day"])[1]
    assert np.isnan(before).tolist() == [True, True, False, False]  # the third was not lost yet


def test_nothing_is_shared_with_days_that_no_result_has() -> None:
    shared, ratios = SameDays([daily(0.1, 0.2)]).on(daily(0.0, first=9)["day"])
    assert (shared.tolist(), np.isnan(ratios).tolist()) == ([0], [True])
    assert [part.size for part in SameDays([]).on(daily(0.0)["day"])] == [0, 0]


def test_a_return_that_is_not_known_is_refused() -> None:
    with pytest.raises(SchemaError, match="`daily_return` holds 1 values that are null"):
        SameDays([daily(0.1, None)])
