"""SQL over the lake."""

import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nightfold.errors import ConfigError, LakeError
from resources import warehouse
from resources.lake import Lake
from resources.warehouse import query, view_name

PROJECT = Path(__file__).parents[2]
Rows = Callable[..., pl.DataFrame]


@pytest.fixture
def filled(lake: Lake, rows: Rows) -> Lake:
    """A lake of bars of two symbols and months, hourly bars, and an experiment's predictions."""
    for symbol, value in (("BTCUSDT", 1.0), ("ETHUSDT", 2.0)):
        lake.write("bars", symbol, "2024-01-01", rows(symbol, value=value))
        february = datetime(2024, 2, 1, tzinfo=UTC)
        lake.write("bars", symbol, "2024-02-01", rows(symbol, february, count=2, value=value))
    lake.write("1h/bars", "BTCUSDT", "2024-01-01", rows(value=10.0))
    lake.write("baseline/predictions", "BTCUSDT", "2024-01-01", rows(value=20.0))
    return lake


def test_frames_are_views_of_all_symbols_and_partitions(filled: Lake) -> None:
    totals = query(filled, "select symbol, count(*) as rows, sum(value) as total from bars group by all order by all")
    assert totals.rows() == [("BTCUSDT", 5, 5.0), ("ETHUSDT", 5, 10.0)]


def test_experiments_and_intervals_are_schemas(filled: Lake) -> None:
    joined = query(
        filled,
        """
        select b.value, h.value as hourly, p.value as predicted
        from bars b join "1h".bars h using (symbol, open_time) join baseline.predictions p using (symbol, open_time)
        """,
    )
    assert joined.rows() == [(1.0, 10.0, 20.0)] * 3


def test_times_are_utc(filled: Lake) -> None:
    answer = query(filled, "select min(open_time) as first, cast(min(open_time) as varchar) as text from bars")
    assert answer.row(0) == (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01 00:00:00+00")


@pytest.mark.parametrize(
    "statement",
    ["from bars", "FROM BARS;", "with b as (from bars) select * from b", "describe bars", "show all tables"],
)
def test_whatever_reads_is_answered(filled: Lake, statement: str) -> None:
    assert query(filled, statement).height > 0


@pytest.mark.parametrize("statement", ["select * from nothing", "selct 1", "select no_column from bars", "select 'x"])
def test_bad_sql_shows_the_statement_the_cause_and_the_views(local_lake: Lake, rows: Rows, statement: str) -> None:
    local_lake.write("bars", "BTCUSDT", "2024-01-01", rows())
    local_lake.write("baseline/predictions", "BTCUSDT", "2024-01-01", rows())
    with pytest.raises(ConfigError) as caught:
        query(local_lake, statement)
    assert str(caught.value).startswith(f"`sql` is {statement!r}: ")
    assert str(caught.value).endswith('Views: "bars", "baseline"."predictions"')


def test_an_empty_lake_is_called_empty(lake: Lake) -> None:
    with pytest.raises(ConfigError, match="Views: none: the lake is empty"):
        query(lake, "from bars")
    assert query(lake, "select 1 as one").item() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "copy bars to '{place}/out.csv'",
        "copy (select 1) to '{lake}/bars/symbol=BTCUSDT/2024-01-01.parquet' (format parquet)",
        "create table t as from bars",
        "drop view bars",
        "attach '{place}/new.duckdb'",
        "explain analyze copy bars to '{place}/out.csv'",
        "export database '{place}'",
        "set threads = 1",
        "install httpfs",
        "select 1; copy bars to '{place}/out.csv'",
        "",
    ],
)
def test_what_would_write_is_refused(local_lake: Lake, rows: Rows, tmp_path: Path, statement: str) -> None:
    local_lake.write("bars", "BTCUSDT", "2024-01-01", rows())
    place = tmp_path / "place"
    place.mkdir()
    stored = Path(local_lake.file("bars", "BTCUSDT", "2024-01-01")).read_bytes()
    with pytest.raises(ConfigError, match="it must be one statement, and one that reads"):
        query(local_lake, statement.format(place=place, lake=local_lake.url))
    assert list(place.iterdir()) == []
    assert Path(local_lake.file("bars", "BTCUSDT", "2024-01-01")).read_bytes() == stored


@pytest.mark.parametrize("root", ["it's", 'a"b', "a[bc]*?", "x'); copy (select 1) to 'out.csv'; --", "ä ö"])
def test_odd_addresses_are_only_addresses(tmp_path: Path, rows: Rows, root: str) -> None:
    lake = Lake(str(tmp_path / root), "month", tmp_path / "locks")
    lake.write("bars", "BTCUSDT", "2024-01-01", rows())
    assert query(lake, "select count(*) from bars").item() == 3
    assert query(lake, "select count(*) from (describe bars)").item() == 3
    assert "bars" in query(lake, "show tables")["name"]
    assert not Path("out.csv").exists()


def test_odd_keys_are_only_names(local_lake: Lake, rows: Rows) -> None:
    for key in ('bars" as select 1; --', "order/by", "my bars"):
        local_lake.write(key, "BTCUSDT", "2024-01-01", rows())
        assert query(local_lake, f"select count(*) from {view_name(key)}").item() == 3


def test_queries_in_two_processes_see_whole_files_while_a_run_writes(local_lake: Lake, rows: Rows) -> None:
    code = """
import sys
from pathlib import Path
from resources.lake import Lake
from resources.warehouse import query
lake = Lake(sys.argv[1], "month", Path(sys.argv[2]))
for _ in range(40):
    found = query(lake, "select symbol, count(*) as rows, min(value) as low, max(value) as high from bars group by all")
    assert found.height == 2
    assert all(low == high == rows for _, rows, low, high in found.iter_rows()), found
"""
    versions = [rows(count=height, value=float(height)) for height in (30, 20_000)]
    for symbol in ("A", "B"):
        local_lake.write("bars", symbol, "2024-01-01", versions[0].with_columns(symbol=pl.lit(symbol)))
    command = [sys.executable, "-c", code, local_lake.url, str(local_lake.locks)]
    readers = [subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    number = 0
    while any(reader.poll() is None for reader in readers):
        number += 1
        for symbol in ("A", "B"):
            local_lake.write("bars", symbol, "2024-01-01", versions[number % 2].with_columns(symbol=pl.lit(symbol)))
    for reader in readers:
        _, errors = reader.communicate()
        assert reader.returncode == 0, errors
    assert number > 20


def test_a_lake_of_many_files_raises_the_limit_of_open_ones_or_says_so(
    local_lake: Lake, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for month in range(1, 13):
        local_lake.write("bars", "A", f"2024-{month:02}-01", rows("A", datetime(2024, month, 1, tzinfo=UTC)))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
        assert query(local_lake, "select count(*) from bars").item() == 36
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (12 + 256, limits[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (200, 200))
    with pytest.raises(LakeError, match="12 files there, and a process may open 200; raise `ulimit -Hn`"):
        query(local_lake, "select count(*) from bars")


def test_an_object_replaced_after_it_was_listed_is_listed_again_and_not_mixed(
    bucket: str, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(bucket, "month", tmp_path)
    lake.write("bars", "A", "2024-01-01", rows(count=3))
    list_once = warehouse._listing_once
    listed = []

    def replaced_at_first(lake: Lake) -> Any:
        files = list_once(lake)
        listed.append(files.ls(f"{lake.root}/bars/symbol=A"))
        if len(listed) == 1:
            lake.write("bars", "A", "2024-01-01", rows(count=5_000))
        return files

    monkeypatch.setattr(warehouse, "_listing_once", replaced_at_first)
    assert query(lake, "select count(*) from bars").item() == 5_000
    assert len(listed) == 2
