import sqlite3
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from resources.event_log import BatchedEventLog
from resources.project import PROJECT

SYMBOLS = ["A", "B", "C"]
DAYS = [f"2024-01-0{day}" for day in range(1, 6)]
KEY = dg.AssetKey("thing")
PARTITIONS = dg.MultiPartitionsDefinition(
    {"day": dg.StaticPartitionsDefinition(DAYS), "symbol": dg.StaticPartitionsDefinition(SYMBOLS)}
)


@dg.asset(partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run())
def thing(context) -> None:
    for key in context.partition_keys:
        context.add_asset_metadata({"length": len(key)}, partition_key=key)


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster_home" / "dagster.yaml").read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    return tmp_path


def run(instance):
    job = dg.define_asset_job("job", [thing], executor_def=dg.in_process_executor)
    block = {"dagster/asset_partition_range_start": "2024-01-01|A", "dagster/asset_partition_range_end": "2024-01-05|C"}
    return (
        dg.Definitions([thing], jobs=[job])
        .resolve_job_def("job")
        .execute_in_process(
            instance=instance,
            tags=block,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    )


def recorded(instance, run_id):
    """What a reader of the run and a reader of the asset find."""
    events = [event.dagster_event.event_type_value for event in instance.all_logs(run_id) if event.dagster_event]
    made = instance.fetch_materializations(KEY, limit=100).records
    return sorted(events), sorted(
        (each.partition_key, each.asset_materialization.metadata["length"].value) for each in made
    )


def test_the_project_s_instance_stores_events_in_batches(home):
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, BatchedEventLog)


def test_a_batch_records_what_single_events_record(home, monkeypatch):
    with dg.DagsterInstance.get() as instance:
        batched = recorded(instance, run(instance).run_id)
        instance.wipe_assets([KEY])
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
        single = recorded(instance, run(instance).run_id)
    assert batched == single
    assert len(batched[1]) == len(DAYS) * len(SYMBOLS)


def test_dagster_s_own_storage_reads_what_was_written(home):
    with dg.DagsterInstance.get() as instance:
        run_id = run(instance).run_id
        written = recorded(instance, run_id)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.get() as instance:
        assert not isinstance(instance.event_log_storage, BatchedEventLog)
        assert recorded(instance, run_id) == written


def test_a_batch_that_fails_leaves_nothing_and_its_events_are_stored_one_by_one(home, monkeypatch, capsys):
    with dg.DagsterInstance.get() as instance:
        storage, calls = instance.event_log_storage, []
        store = storage.store_event

        def fail_once(event):
            calls.append(event)
            if len(calls) == 10:  # within the batch of planned events, which comes first
                raise OSError("the disk is full")
            store(event)

        monkeypatch.setattr(storage, "store_event", fail_once)
        events, made = recorded(instance, run(instance).run_id)
    assert "the disk is full" in capsys.readouterr().err
    assert events.count("ASSET_MATERIALIZATION_PLANNED") == len(made) == len(DAYS) * len(SYMBOLS)


def test_an_error_of_the_database_does_not_recite_the_event(home):
    with dg.DagsterInstance.get() as instance:
        run_id = run(instance).run_id
        shard = home / "history" / "runs" / f"{run_id}.db"
        with sqlite3.connect(shard) as database:
            database.execute("drop table event_logs")
        with pytest.raises(OperationalError) as told:
            instance.all_logs(run_id)
    assert str(told.value) == "(sqlite3.OperationalError) no such table: event_logs"


def test_the_files_are_where_dagster_keeps_them(home):
    with dg.DagsterInstance.get() as instance:
        run_id = run(instance).run_id
    assert Path(home, "history", "runs", f"{run_id}.db").exists()
