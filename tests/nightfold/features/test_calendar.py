"""The clock features at times whose angle is known."""

from datetime import UTC, datetime

import polars as pl
import pytest

from nightfold.features.compute import compute_features

CLOCK = ["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"]


@pytest.mark.parametrize(
    ("time", "angles"),
    [
        (datetime(2024, 1, 1, tzinfo=UTC), (0, 1, 0, 1)),  # Monday, midnight
        (datetime(2024, 1, 4, 12, tzinfo=UTC), (0, -1, 0, -1)),  # Thursday noon, half of day and week
        (datetime(2024, 1, 2, 18, tzinfo=UTC), (-1, 0, 1, 0)),  # Tuesday 18:00, a quarter of the week
        (datetime(1969, 12, 29, 6, tzinfo=UTC), (1, 0, 0.2225209, 0.9749279)),  # a Monday before 1970
    ],
)
def test_clock_stands_where_it_should(lively: pl.DataFrame, time: datetime, angles: tuple[float, ...]) -> None:
    bar = lively[:1].with_columns(pl.lit(time).cast(pl.Datetime("ms", "UTC")).alias("open_time"))
    assert compute_features(bar, CLOCK).select(CLOCK).row(0) == pytest.approx(angles, abs=1e-6)
