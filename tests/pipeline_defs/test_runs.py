"""Runs of this process: what is recorded of them, and what becomes of those whose process was killed."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from nightfold.errors import LakeError
from pipeline_defs.nightly import Step
from pipeline_defs.runs import (
    PROCESS_TAG,
    RecordError,
    RunFailedError,
    dead_run_sensor,
    execute,
    fail_dead_runs,
    process_tag,
    recording,
)
from resources.dagster_home import make_dagster_home
from resources.project import PROJECT


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as opened:
        yield opened


def add_run(instance: dg.DagsterInstance, process: str | None, status: dg.DagsterRunStatus) -> str:
    run = dg.DagsterRun("job", tags={} if process is None else {PROCESS_TAG: process}, status=status)
    return instance.add_run(run).run_id


def state(instance: dg.DagsterInstance, run: str) -> str:
    return instance.get_run_by_id(run).status.value


STARTED, SUCCESS = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS


def test_a_killed_process_has_another_tag_even_while_nobody_has_asked_how_it_ended():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    alive = process_tag(process.pid)
    assert alive == process_tag(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{process.pid}").exists()
    assert process_tag(process.pid) != alive
    process.communicate()
    assert process_tag(process.pid) != alive


def test_runs_of_killed_processes_are_marked_failed_and_no_others(instance):
    mine = process_tag(os.getpid())
    machine, pid, started = mine.split(":")
    reused = add_run(instance, f"{machine}:{pid}:{int(started) - 1}", STARTED)
    queued = add_run(instance, f"{machine}:{pid}:1", dg.DagsterRunStatus.NOT_STARTED)
    kept = {
        add_run(instance, mine, STARTED): "STARTED",
        add_run(instance, f"elsewhere:{pid}:1", STARTED): "STARTED",
        add_run(instance, None, STARTED): "STARTED",
        add_run(instance, f"{machine}:{pid}:1", SUCCESS): "SUCCESS",
    }
    assert sorted(fail_dead_runs(instance)) == sorted([reused, queued])
    assert state(instance, reused) == state(instance, queued) == "FAILURE"
    assert {run: state(instance, run) for run in kept} == kept
    assert fail_dead_runs(instance) == []


def test_the_sensor_marks_them_while_the_ui_is_open(instance):
    run = add_run(instance, process_tag(os.getpid()) + "1", STARTED)
    sensor = dead_run_sensor()
    assert run in sensor(dg.build_sensor_context(instance)).skip_message
    assert state(instance, run) == "FAILURE"
    assert sensor(dg.build_sensor_context(instance)).skip_message == "every run has its process."


def failing(error: Exception) -> dg.Definitions:
    @dg.asset
    def asset() -> None:
        try:
            raise OSError(28, "No space left on device")
        except OSError as cause:
            raise error from cause

    return dg.Definitions([asset], jobs=[dg.define_asset_job("job", executor_def=dg.in_process_executor)])


def test_our_own_error_is_told_and_not_what_caused_it(instance):
    with pytest.raises(RunFailedError, match=r"^job failed: `bars` cannot be written: make room\.$"):
        execute(failing(LakeError("`bars` cannot be written: make room.")), instance, Step("job"))


def test_of_a_foreign_error_the_innermost_cause_is_told(instance):
    with pytest.raises(RunFailedError, match=r"^job failed: OSError: \[Errno 28\] No space left on device$"):
        execute(failing(RuntimeError("something")), instance, Step("job"))


def test_a_run_names_its_process(instance):
    with pytest.raises(RunFailedError):
        execute(failing(RuntimeError("something")), instance, Step("job"))
    assert [run.tags[PROCESS_TAG] for run in instance.get_runs()] == [process_tag(os.getpid())]


@pytest.mark.parametrize(
    "fault",
    [
        OperationalError("insert into runs", {}, sqlite3.OperationalError("database or disk is full")),
        OSError(28, "the database or disk is full"),
    ],
)
def test_records_that_cannot_be_kept_are_one_clear_error(fault):
    message = r"^Dagster's records in /home cannot be kept: .*database or disk is full.* make room or mend access"
    with pytest.raises(RecordError, match=message), recording("/home"):
        raise fault


@pytest.mark.parametrize(("name", "said"), [("", "full (the disk has 12 KiB of room left). "), ("gone", "full. ")])
def test_it_is_told_how_much_room_is_left_where_that_can_be_asked(tmp_path, monkeypatch, name, said):
    ask = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda place: ask(place)._replace(free=12 * 1024 + 100))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError) as told, recording(Path(name)):
        raise OSError("the disk is full")
    assert said in str(told.value)


REFUSED = """
import resource
from pathlib import Path
import dagster as dg, typer
from pipeline_defs.console import ERRORS, OUT, reported
from pipeline_defs.nightly import Step
from pipeline_defs.runs import execute, open_instance

@dg.asset
def asset():
    OUT.print("half done")
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    ERRORS.print("something is odd")
    OUT.print("on we go")
    raise OSError(28, "No space left on device")

def main(home: Path):
    definitions = dg.Definitions([asset], jobs=[dg.define_asset_job("job", executor_def=dg.in_process_executor)])
    with reported(), open_instance(home) as instance:
        execute(definitions, instance, Step("job"))

typer.run(main)
"""


def test_what_is_said_while_no_file_can_be_written_reaches_the_person(tmp_path):
    """A limit on the size of files stands for the full disk: no file can grow, while pipes still take all there is."""
    make_dagster_home(tmp_path, PROJECT / "dagster_home" / "dagster.yaml")
    command = [sys.executable, "-c", REFUSED, str(tmp_path)]
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    process = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stdout.splitlines() == ["half done", "on we go"]
    said = process.stderr.splitlines()
    assert said[0] == "something is odd"
    assert said[-1].startswith(f"error: Dagster's records in {tmp_path} cannot be kept: ")
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("fault", [LakeError("the lake's own"), KeyError("a fault of ours")])
def test_other_errors_pass_as_they_are(fault):
    with pytest.raises(type(fault)) as told, recording("/home"):
        raise fault
    assert told.value is fault
