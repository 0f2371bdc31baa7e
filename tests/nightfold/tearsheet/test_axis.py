"""Axes cover their data with round ticks."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.tearsheet.axis import Axis, day_number, linear_axis, log_axis, time_axis
from nightfold.tearsheet.number import tick_ratio

finite = st.floats(-1e6, 1e6).map(lambda value: round(value, 4))


@settings(max_examples=300)
@given(finite, finite)
def test_a_linear_axis_covers_its_data_with_few_even_ticks(one: float, two: float) -> None:
    low, high = min(one, two), max(one, two)
    axis = linear_axis(low, high, tick_ratio)
    slack = 1e-6 * (axis.high - axis.low)
    assert axis.low - slack <= low <= high <= axis.high + slack
    assert 2 <= len(axis.ticks) <= 9
    assert axis.at(axis.low) == 0
    assert axis.at(axis.high) == 1


def test_ticks_are_round_and_equally_precise() -> None:
    values, texts = zip(*linear_axis(0.61, 1.04, tick_ratio).ticks, strict=True)
    assert values == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0, 1.1])
    assert list(texts) == ["0.6", "0.7", "0.8", "0.9", "1.0", "1.1"]


@pytest.mark.parametrize("make_axis", [linear_axis, log_axis])
@pytest.mark.parametrize("high", [9.0, math.nextafter(9.0, 10.0)])
def test_one_value_but_for_rounding_has_room_around_it(make_axis: Callable[..., Axis], high: float) -> None:
    axis = make_axis(9.0, high, tick_ratio)
    assert axis.high - axis.low > 0.5
    assert 0 < axis.at(9.0) < 1


@settings(max_examples=200)
@given(st.floats(1e-3, 1e3), st.floats(1.0, 1e4))
def test_a_log_axis_covers_its_data_and_equal_ratios_are_equally_long(low: float, ratio: float) -> None:
    axis = log_axis(low, low * ratio, tick_ratio)
    assert -1e-9 <= axis.at(low) <= axis.at(low * ratio) <= 1 + 1e-9
    assert axis.at(2 * low) - axis.at(low) == pytest.approx(axis.at(4 * low) - axis.at(2 * low))
    assert axis.ticks


def test_days_count_from_1970_in_utc() -> None:
    assert day_number(date(2024, 1, 2)) - day_number(date(2024, 1, 1)) == 1
    assert day_number(datetime(2024, 1, 1, 6, tzinfo=UTC)) == day_number(date(2024, 1, 1)) + 0.25


@pytest.mark.parametrize(
    ("days", "labels"),
    [
        (3, ["30 Jan", "31 Jan", "1 Feb", "2 Feb"]),
        (35, ["30 Jan", "6 Feb", "13 Feb", "20 Feb", "27 Feb", "5 Mar"]),
        (190, ["Feb 2024", "Mar", "Apr", "May", "Jun", "Jul", "Aug"]),
        (800, ["Jul 2024", "Jan 2025", "Jul", "Jan 2026"]),
    ],
)
def test_time_ticks_fit_the_span(days: int, labels: list[str]) -> None:
    start = day_number(date(2024, 1, 30))
    assert [text for _, text in time_axis(start, start + days).ticks] == labels


def test_month_ticks_stand_on_the_first() -> None:
    start = date(2024, 1, 30)
    ticks = time_axis(day_number(start), day_number(start + timedelta(days=190))).ticks
    assert [place for place, _ in ticks] == [day_number(date(2024, month, 1)) for month in range(2, 9)]


def test_one_moment_still_has_an_axis() -> None:
    axis = time_axis(10.0, 10.0)
    assert axis.low < 10 < axis.high
