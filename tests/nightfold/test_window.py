"""Months, days and weeks in UTC, and what people may write for them."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.errors import ConfigError
from nightfold.window import Window, midnight, parse_end, parse_moment, window_of, windows

MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
LENGTHS = st.sampled_from(["day", "week", "month"])


def at(*numbers):
    return datetime(*numbers, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "start", "end"),
    [
        ("day", at(2024, 2, 29), at(2024, 3, 1)),
        ("week", at(2024, 2, 26), at(2024, 3, 4)),
        ("month", at(2024, 2, 1), at(2024, 3, 1)),
    ],
)
def test_the_window_of_leap_day_is_its_day_its_week_from_monday_and_its_month(length, start, end):
    assert window_of(at(2024, 2, 29, 23, 59), length) == Window(start, end)


def test_a_window_is_named_after_its_first_day():
    assert window_of(at(2024, 12, 31, 23), "month").key == "2024-12-01"


def test_a_moment_in_another_zone_counts_in_utc():
    tokyo = datetime(2024, 3, 1, 8, tzinfo=timezone(timedelta(hours=9)))
    assert window_of(tokyo, "month").key == "2024-02-01"


@given(MOMENTS, LENGTHS)
def test_a_moment_lies_in_its_window_and_windows_join_without_gap(moment, length):
    window = window_of(moment, length)
    assert window.start <= moment < window.end
    assert window_of(window.end, length).start == window.end
    assert window_of(window.end - timedelta(microseconds=1), length) == window


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=200)), LENGTHS)
def test_windows_cover_a_range_whole_once_and_in_order(start, span, length):
    found = list(windows(start, start + span, length))
    assert all(a.end == b.start for a, b in pairwise(found))
    assert all(window.start < start + span and window.end > start for window in found)
    if span:
        assert found[0].start <= start
        assert found[-1].end >= start + span


def test_an_empty_range_at_a_border_has_no_window():
    assert list(windows(at(2024, 2, 1), at(2024, 2, 1), "month")) == []


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024", at(2024, 1, 1), at(2025, 1, 1)),
        ("2024-02", at(2024, 2, 1), at(2024, 3, 1)),
        ("2024-12", at(2024, 12, 1), at(2025, 1, 1)),
        ("2024-02-29", at(2024, 2, 29), at(2024, 3, 1)),
        ("2024-02-29T13:30", at(2024, 2, 29, 13, 30), at(2024, 2, 29, 13, 30)),
        ("2024-02-29T13:30:00+02:00", at(2024, 2, 29, 11, 30), at(2024, 2, 29, 11, 30)),
    ],
)
def test_what_people_write_begins_and_ends_as_they_mean_it(text, start, end):
    assert parse_moment(text, "from") == start
    assert parse_end(text, "to") == end


@pytest.mark.parametrize("text", ["", "24-01", "2024-13", "2024-02-30", "yesterday", "2024-1", "2024/01/01"])
def test_what_is_no_time_is_refused_by_name_and_value(text):
    with pytest.raises(ConfigError, match=f"`to` is '{text}'; it must be a month"):
        parse_end(text, "to")


def test_midnight_is_the_start_of_the_utc_day():
    assert midnight(date(2024, 7, 1)) == at(2024, 7, 1)
