"""Time stamps in every form that bars come with."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from nightfold.errors import SourceError
from nightfold.schema import TIME
from resources.sources.stamps import time_expression

FIRST, SECOND = datetime(2024, 1, 1, 0, 5, tzinfo=UTC), datetime(2025, 6, 1, 12, tzinfo=UTC)
SECONDS = [int(FIRST.timestamp()), int(SECOND.timestamp())]


def read(values: pl.Series | list[Any]) -> pl.Series:
    frame = pl.DataFrame({"t": values}).lazy()
    return frame.select(time_expression(frame, "t", "a.csv")).collect()["t"]


@pytest.mark.parametrize("kind", [int, float, str], ids=["whole", "floating", "text"])
@pytest.mark.parametrize("per_second", [1, 1_000, 1_000_000, 1_000_000_000], ids=["s", "ms", "µs", "ns"])
def test_the_unit_of_numbers_is_told_by_their_size(kind: type, per_second: int) -> None:
    times = read([kind(second * per_second) for second in SECONDS])
    assert times.dtype == TIME
    assert times.to_list() == [FIRST, SECOND]


def test_parts_of_a_second_count() -> None:
    assert read([1704067200.25, 1704067201.0])[0].microsecond == 250_000
    assert read(["1704067200.25", "1704067201"])[0].microsecond == 250_000
    assert read([1704067200_123_456, 1704067201_000_000])[0].microsecond == 123_000


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-01-01T00:05:00Z", "2025-06-01T12:00:00Z"],
        ["2024-01-01 00:05:00", "2025-06-01 12:00:00"],
        ["2024-01-01 00:05", "2025-06-01 12:00"],
        ["2024-01-01T00:05:00.000000", "2025-06-01T12:00:00.000000"],
        ["2024-01-01 00:05:00+00:00", "2025-06-01 12:00:00+00:00"],
        ["2024-01-01T08:05:00+08:00", "2025-06-01T10:00:00-02:00"],
        [" 2024-01-01 00:05:00 UTC", "2025-06-01 12:00:00 UTC"],
    ],
)
def test_iso_text_is_read_and_is_utc_where_it_does_not_say(texts: list[str]) -> None:
    assert read(texts).to_list() == [FIRST, SECOND]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Shanghai", "America/New_York"])
def test_times_with_and_without_a_zone_are_read(unit: Any, zone: str | None) -> None:
    naive = pl.Series([FIRST.replace(tzinfo=None), SECOND.replace(tzinfo=None)], dtype=pl.Datetime(unit))
    values = naive if zone is None else naive.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    assert read(values).to_list() == [FIRST, SECOND]
    assert read(values).dtype == TIME


def test_dates_are_midnight_utc() -> None:
    expected = [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)]
    assert read([date(2024, 1, 1), date(2024, 1, 2)]).to_list() == expected
    assert read(["2024-01-01", "2024-01-02"]).to_list() == expected


def test_an_empty_column_has_no_times() -> None:
    for dtype in (pl.Int64, pl.Float64, pl.String, pl.Date, pl.Datetime("us")):
        assert read(pl.Series([], dtype=dtype)).dtype == TIME


@pytest.mark.parametrize(
    "values",
    [
        [SECONDS[0], SECONDS[1] * 1000],
        [SECONDS[0] * 1000, SECONDS[1] * 1_000_000],
        [str(SECONDS[0] * 1000), str(SECONDS[1] * 1_000_000)],
        [0, 1, 2],
        [20240101, 20240102],
        [202401010005, 202401010010],
        [-1, SECONDS[0]],
        [float("inf"), float(SECONDS[0])],
    ],
    ids=["s and ms", "ms and µs", "as text", "row numbers", "dates", "minutes", "before 1990", "infinite"],
)
def test_numbers_of_no_one_unit_are_refused(values: list[Any]) -> None:
    with pytest.raises(SourceError, match=r"a\.csv: stamps run from .* no one unit"):
        read(values)


@pytest.mark.parametrize("odd", ["01/02/2024 00:00", "Jan 1 2024", "yesterday"])
def test_text_that_may_mean_two_things_is_refused(odd: str) -> None:
    with pytest.raises(SourceError, match=rf"a\.csv: `t` holds '{odd}'"):
        read(["2024-01-01 00:00", odd])


def test_a_row_without_a_time_is_refused() -> None:
    with pytest.raises(SourceError, match=r"a\.csv: 1 rows have no `t`"):
        read([FIRST, None])


def test_another_type_is_refused() -> None:
    with pytest.raises(SourceError, match="`t` is of type Duration"):
        read([timedelta(1)])
