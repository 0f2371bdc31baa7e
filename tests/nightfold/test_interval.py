"""Lengths of bars."""

from datetime import timedelta

import pytest

from nightfold.interval import INTERVALS, duration, milliseconds


@pytest.mark.parametrize(
    ("interval", "length"),
    [
        ("1m", timedelta(minutes=1)),
        ("5m", timedelta(minutes=5)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("4h", timedelta(hours=4)),
        ("1d", timedelta(days=1)),
    ],
)
def test_an_interval_is_as_long_as_it_says(interval: str, length: timedelta) -> None:
    assert duration(interval) == length
    assert milliseconds(interval) == length / timedelta(milliseconds=1)


def test_intervals_are_listed_from_the_finest_on_and_each_divides_a_day() -> None:
    lengths = [milliseconds(interval) for interval in INTERVALS]
    assert lengths == sorted(lengths)
    assert all(milliseconds("1d") % length == 0 for length in lengths)
