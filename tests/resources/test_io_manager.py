"""Values on their way into the lake and out of it, in real runs on a temporary instance."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nightfold.schema import TIME, Column, Table
from nightfold.window import Window, parse_moment, window_of
from resources.io_manager import Frames, LakeIOManager, Piece
from resources.lake import Lake

TABLE = Table(
    "values",
    {"symbol": Column(pl.String, ""), "open_time": Column(TIME, ""), "value": Column(pl.Float64, "", minimum=0)},
)
RAW = Table(
    "raw",
    {
        "symbol": Column(pl.String, ""),
        "open_time": Column(TIME, ""),
        "venue": Column(pl.String, ""),
        "value": Column(pl.Float64, ""),
    },
    unique=False,
)
PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "month": dg.StaticPartitionsDefinition(["2024-01-01", "2024-02-01", "2024-03-01"]),
        "symbol": dg.StaticPartitionsDefinition(["A", "B", "C"]),
    }
)
Pieces = Callable[[list[tuple[str, Window]]], Iterable[Piece]]


def frame(symbol: str, start: datetime, count: int = 3, value: float = 1.0) -> pl.DataFrame:
    times = [start + timedelta(hours=number) for number in range(count)]
    columns = {"symbol": [symbol] * count, "open_time": times, "value": [value + number for number in range(count)]}
    return pl.DataFrame(columns, schema=TABLE.dtypes)


def usual(wanted: list[tuple[str, Window]]) -> Iterator[Piece]:
    for symbol, window in wanted:
        yield Piece(symbol, window, frame(symbol, window.start, window.start.month), {"repairs/outliers": 2})


def asset_of(pieces: Pieces, *, table: Table = TABLE, keep: bool = False) -> dg.AssetsDefinition:
    @dg.asset(
        key=["1h", "values"],
        partitions_def=PARTITIONS,
        io_manager_key="lake_io",
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def values(context: dg.AssetExecutionContext) -> Frames:
        keys = sorted(key.split("|")[::-1] for key in context.partition_keys)
        wanted = [(symbol, window_of(parse_moment(month, "month"), "month")) for symbol, month in keys]
        return Frames(table, pieces(wanted), keep=keep)

    return values


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory: fast, and with the same event log."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(
    instance: dg.DagsterInstance, lake: Lake, assets: Any, first: str, last: str | None = None, **arguments: Any
) -> dg.ExecuteInProcessResult:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last or first}
    assets = assets if isinstance(assets, list) else [assets]
    resources = {"lake_io": LakeIOManager(lake)}
    return dg.materialize(assets, instance=instance, resources=resources, tags=tags, raise_on_error=False, **arguments)


def materializations(instance: dg.DagsterInstance) -> dict[str, dg.AssetMaterialization]:
    records = instance.fetch_materializations(dg.AssetKey(["1h", "values"]), limit=100).records
    return {record.partition_key: record.asset_materialization for record in reversed(records)}


def cause(result: dg.ExecuteInProcessResult) -> str:
    error = next(event.step_failure_data.error for event in result.all_events if event.is_step_failure)
    while error.cause is not None:
        error = error.cause
    return error.message


def content(lake: Lake) -> dict[str, bytes]:
    root = Path(lake.root)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_range_run_writes_a_file_and_metadata_for_each_partition(local_lake: Lake) -> None:
    with dg.instance_for_test() as instance:  # one that stores its records as a deployment does
        assert run(instance, local_lake, asset_of(usual), "2024-01-01|A", "2024-02-01|B").success
        made = materializations(instance)
    assert sorted(content(local_lake)) == [
        f"1h/values/symbol={symbol}/2024-0{month}-01.parquet" for symbol in "AB" for month in (1, 2)
    ]
    assert sorted(made) == ["2024-01-01|A", "2024-01-01|B", "2024-02-01|A", "2024-02-01|B"]
    shown = {name: value.value for name, value in made["2024-02-01|B"].metadata.items()}
    path = local_lake.file("1h/values", "B", "2024-02-01")
    assert shown.pop("path") == path
    assert len(shown.pop("data_version")) == 16
    assert 0 <= shown.pop("seconds") < 60
    assert shown == {
        "dagster/row_count": 2,
        "first": "2024-02-01T00:00:00+00:00",
        "last": "2024-02-01T01:00:00+00:00",
        "repairs/outliers": 2,
    }
    versions = {partition: each.metadata["data_version"].value for partition, each in made.items()}
    assert len(set(versions.values())) == 4


def test_the_data_version_of_one_partition_is_the_hash_of_its_content(
    instance: dg.DagsterInstance, local_lake: Lake
) -> None:
    for _ in range(2):
        assert run(instance, local_lake, asset_of(usual), "2024-01-01|A").success
        made = materializations(instance)["2024-01-01|A"]
        assert made.tags["dagster/data_version"] == made.metadata["data_version"].value
    before = made.tags["dagster/data_version"]

    def other(wanted: list[tuple[str, Window]]) -> Iterator[Piece]:
        for symbol, window in wanted:
            yield Piece(symbol, window, frame(symbol, window.start, 1, value=7.0))

    assert run(instance, local_lake, asset_of(other), "2024-01-01|A").success
    assert materializations(instance)["2024-01-01|A"].tags["dagster/data_version"] != before


def test_a_range_run_equals_runs_of_single_partitions_byte_for_byte(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    at_once, one_by_one = (Lake(str(tmp_path / name), "month", tmp_path / "locks") for name in ("a", "b"))
    assert run(instance, at_once, asset_of(usual), "2024-01-01|A", "2024-02-01|B").success
    for month in (2, 1):
        for symbol in "BA":
            assert run(instance, one_by_one, asset_of(usual), f"2024-0{month}-01|{symbol}").success
    assert len(content(at_once)) == 4
    assert content(at_once) == content(one_by_one)


def test_pieces_are_stored_one_after_another(instance: dg.DagsterInstance, local_lake: Lake) -> None:
    seen = []

    def watched(wanted: list[tuple[str, Window]]) -> Iterator[Piece]:
        for piece in usual(wanted):
            seen.append(len(content(local_lake)))
            yield piece

    assert run(instance, local_lake, asset_of(watched), "2024-01-01|A", "2024-03-01|A").success
    assert seen == [0, 1, 2]


def test_what_breaks_the_table_is_refused_before_it_is_written(instance: dg.DagsterInstance, local_lake: Lake) -> None:
    def broken_in_february(wanted: list[tuple[str, Window]]) -> Iterator[Piece]:
        for symbol, window in wanted:
            yield Piece(symbol, window, frame(symbol, window.start, value=-1.0 if window.start.month == 2 else 1.0))

    result = run(instance, local_lake, asset_of(broken_in_february), "2024-01-01|A", "2024-03-01|A")
    assert not result.success
    assert "`values` breaks its schema: value" in cause(result)
    assert list(content(local_lake)) == ["1h/values/symbol=A/2024-01-01.parquet"]  # the one before it stays


@pytest.mark.parametrize(
    ("symbol", "start", "count"),
    [
        ("B", "2024-01-01", 1),
        ("A", "2024-02-01", 1),
        ("A", "2023-12-31T23:00", 3),
        ("A", "2024-01-31T23:00", 2),
    ],
)
def test_rows_outside_the_partition_are_refused(
    instance: dg.DagsterInstance, local_lake: Lake, symbol: str, start: str, count: int
) -> None:
    def astray(wanted: list[tuple[str, Window]]) -> Iterator[Piece]:
        for mine, window in wanted:
            yield Piece(mine, window, frame(symbol, parse_moment(start, "start"), count))

    result = run(instance, local_lake, asset_of(astray), "2024-01-01|A")
    assert not result.success
    assert "rows outside its partition 2024-01-01|A; a partition holds its own symbol and time" in cause(result)
    assert content(local_lake) == {}


def test_a_partition_that_was_not_asked_for_is_refused(instance: dg.DagsterInstance, local_lake: Lake) -> None:
    def too_many(wanted: list[tuple[str, Window]]) -> Iterator[Piece]:
        symbol, window = wanted[0]
        after = window_of(window.end, "month")
        yield from (Piece(symbol, each, frame(symbol, each.start)) for each in (window, after))

    result = run(instance, local_lake, asset_of(too_many), "2024-01-01|A")
    assert "made partition 2024-02-01|A, which this run was not asked for" in cause(result)
    assert list(content(local_lake)) == ["1h/values/symbol=A/2024-01-01.parquet"]


def test_missing_partitions_are_refused_and_named(instance: dg.DagsterInstance, local_lake: Lake) -> None:
    result = run(instance, local_lake, asset_of(lambda wanted: usual(wanted[:1])), "2024-01-01|A", "2024-03-01|A")
    assert "made no 2024-02-01|A, 2024-03-01|A; 2 partitions are missing" in cause(result)
    assert materializations(instance) == {}


def test_kept_rows_survive_a_smaller_refetch(instance: dg.DagsterInstance, local_lake: Lake) -> None:
    def fetched(hours: int, value: float) -> dg.AssetsDefinition:
        def pieces(wanted: list[tuple[str, Window]]) -> Iterator[Piece]:
            for symbol, window in wanted:
                rows = frame(symbol, window.start + timedelta(hours=1), hours).with_columns(
                    pl.lit(value).alias("value"), pl.lit("venue").alias("venue")
                )
                yield Piece(symbol, window, rows)

        return asset_of(pieces, table=RAW, keep=True)

    for hours, value in ((4, 1.0), (2, 2.0), (0, 3.0)):
        assert run(instance, local_lake, fetched(hours, value), "2024-01-01|A").success
    january = window_of(parse_moment("2024-01", "month"), "month")
    stored = local_lake.require("1h/values", ["A"], january.start, january.end)
    assert stored["value"].to_list() == [2.0, 2.0, 1.0, 1.0]
    made = materializations(instance)["2024-01-01|A"]
    assert made.metadata["dagster/row_count"].value == 4  # what is stored, not what came last


def test_a_downstream_asset_is_given_the_partitions_of_its_run_lazily(
    instance: dg.DagsterInstance, local_lake: Lake
) -> None:
    seen: list[pl.LazyFrame] = []
    upstream = asset_of(usual)

    @dg.asset(
        ins={"values": dg.AssetIn(["1h", "values"], input_manager_key="lake_io")},
        partitions_def=PARTITIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def reader(values: pl.LazyFrame) -> None:
        seen.append(values)

    assert run(instance, local_lake, upstream, "2024-01-01|A", "2024-03-01|C").success
    everything = [upstream, reader]
    assert run(instance, local_lake, everything, "2024-02-01|A", "2024-03-01|B", selection=[reader]).success
    rows = seen[0].select("symbol", pl.col("open_time").dt.month()).collect().rows()
    assert rows == [("A", 2)] * 2 + [("A", 3)] * 3 + [("B", 2)] * 2 + [("B", 3)] * 3


def test_a_downstream_asset_without_stored_input_is_refused(instance: dg.DagsterInstance, local_lake: Lake) -> None:
    upstream = asset_of(usual)

    @dg.asset(
        ins={"values": dg.AssetIn(["1h", "values"], input_manager_key="lake_io")},
        partitions_def=PARTITIONS,
    )
    def reader(values: pl.LazyFrame) -> None: ...

    result = run(instance, local_lake, [upstream, reader], "2024-02-01|A", selection=[reader])
    assert "the lake has none of the asked partitions of `1h/values`; materialize it first" in cause(result)
