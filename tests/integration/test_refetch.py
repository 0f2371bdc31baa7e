"""A source that gives less than it once gave."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

pytestmark = pytest.mark.xdist_group("line")

HOUR = timedelta(hours=1)
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
JANUARY_BARS = 31 * 24


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two months of hourly bars, each with a volume of 1."""
    times = pl.datetime_range(START, END, HOUR, closed="left", time_unit="ms", eager=True)
    bars = pl.DataFrame({"open_time": times, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 1.0})
    bars.write_parquet(tmp_path / "venue_spot_AAAUSDT_1h.parquet")
    return tmp_path / "venue_spot_AAAUSDT_1h.parquet"


def shrink(file: Path, rows: int) -> None:
    """Leave the first rows only, with a volume of 2."""
    pl.read_parquet(file).head(rows).with_columns(volume=pl.lit(2.0)).write_parquet(file)


@pytest.mark.parametrize(
    ("left", "force", "renewed"),
    [
        (JANUARY_BARS - 44, True, JANUARY_BARS - 44),
        (JANUARY_BARS + 100, True, JANUARY_BARS + 100),
        (JANUARY_BARS + 100, False, 1),  # the last bar of January, where a fetch of what is new begins
        (JANUARY_BARS - 44, False, 0),
    ],
)
def test_a_refetch_with_fewer_rows_loses_none_and_takes_what_came_anew(deploy, file, left, force, renewed):
    deployment = deploy({"source": {"kind": "folder", "path": str(file.parent)}, "symbols": ["AAAUSDT"]})
    with deployment.workshop() as workshop:
        lake = workshop.environment.lake
        workshop.backfill("ingest")
        before = lake.require("raw_bars", ["AAAUSDT"], START, END)
        shrink(file, left)
        workshop.backfill("ingest", force=force)
        raw, bars = (lake.require(key, ["AAAUSDT"], START, END) for key in ("raw_bars", "bars"))
    assert before.height == (END - START) / HOUR
    assert raw.drop("volume").equals(before.drop("volume"))
    assert bars["open_time"].equals(before["open_time"])
    assert raw["volume"].to_list().count(2.0) == renewed
    assert bars["volume"].equals(raw["volume"])


def test_a_source_that_holds_nothing_any_more_is_refused_and_what_is_stored_stays(deploy, file):
    deployment = deploy({"source": {"kind": "folder", "path": str(file.parent)}, "symbols": ["AAAUSDT"]})
    with deployment.workshop() as workshop:
        workshop.backfill("ingest")
        before = deployment.files()
        shrink(file, 0)
        with pytest.raises(RuntimeError, match=r"delivered no 1h bars of AAAUSDT from 2024-01-01 to 2024-02-01; check"):
            workshop.backfill("ingest", force=True)
        workshop.backfill("ingest")
    assert deployment.files() == before
