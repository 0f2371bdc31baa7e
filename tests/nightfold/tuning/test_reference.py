"""The reference policy, by hand."""

import numpy as np
import pytest

from nightfold.models.objective import Objective
from nightfold.tuning.reference import daily_returns, series, sides

DAY = 86_400_000


@pytest.mark.parametrize(
    ("objective", "prediction", "expected"),
    [
        (Objective(), [[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.3, 0.4, 0.3]], [-1, 1, 0]),
        (Objective(task="binary"), [[0.4, 0.6], [0.5, 0.5], [0.9, 0.1]], [1, 0, -1]),
        (Objective(task="regression"), [[0.1], [0.0], [-2.0]], [1, 0, -1]),
        (Objective(task="quantile"), [[-1, 0.5, 2], [-3, -0.1, 5], [-1, 0, 1]], [1, -1, 0]),
        (Objective(task="quantile", quantiles=[0.1, 0.6]), [[-1, 0.5], [-1, -0.5]], [1, -1]),
    ],
)
def test_a_forecast_takes_the_side_it_leans_to(
    objective: Objective, prediction: list[list[float]], expected: list[float]
) -> None:
    assert sides(objective, np.array(prediction, dtype=float)).tolist() == expected


def test_what_a_position_earned_counts_on_the_day_its_label_ended_and_midnight_belongs_to_the_day_before() -> None:
    side = np.array([1.0, -1.0, 1.0, 0.0, -1.0])
    log_return = np.log([1.02, 1.01, 0.96, 3.0, 0.95])
    ends = np.array([19_000 * DAY + 1, 19_001 * DAY, 19_001 * DAY + 1, 19_003 * DAY, 19_004 * DAY])
    days = daily_returns(side, log_return, ends, stake=0.5)
    assert days == pytest.approx({19_000: 0.5 * (0.02 - 0.01), 19_001: -0.5 * 0.04, 19_002: 0.0, 19_003: 0.5 * 0.05})


def test_days_on_which_nothing_ended_are_zero() -> None:
    assert series({5: 1.0, 8: 2.0}) == (5, [1.0, 0.0, 0.0, 2.0])
    assert series({}) == (None, [])
