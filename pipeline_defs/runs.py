"""Runs started from this process: executed here, recorded where the UI sees them, and cleaned up after a kill."""

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from platform import node
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.tags import GRPC_INFO_TAG
from sqlalchemy.exc import DBAPIError

from assets.keys import asset_key
from nightfold.errors import NightfoldError
from pipeline_defs.nightly import Step

PROCESS_TAG = "nightfold/process"

_STREAMS_AS_THEY_ARE = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
}
_IN_PROGRESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_UNFINISHED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, *_IN_PROGRESS]


class RunFailedError(NightfoldError, RuntimeError):
    """A run did not succeed; the message is the first cause."""


class RecordError(NightfoldError, OSError):
    """Dagster cannot keep its records of runs."""


def open_instance(home: Path) -> dg.DagsterInstance:
    """Open Dagster's storage for runs of this process, whose output stays on the process's own streams.

    Dagster would turn both streams into files below ``home`` while a run is on. What cannot be written there, because
    the disk is full, is lost, and so may be the stream itself: the error that says so has to reach the person.
    """
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=_STREAMS_AS_THEY_ARE))


@contextmanager
def recording(home: Path | str) -> Iterator[None]:
    """Say clearly what to do where Dagster's own storage fails, which is not the fault of any step.

    Raises
    ------
    RecordError
        In place of what the disk or the database raised.
    """
    try:
        yield
    except NightfoldError:
        raise
    except (DBAPIError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise RecordError(
            f"Dagster's records in {home} cannot be kept: {cause}{_room(Path(home))}. What the lake holds is "
            "untouched; make room or mend access, then run the same command again."
        ) from error


def _room(home: Path) -> str:
    """Say how full the disk is, which SQLite may call an I/O error."""
    try:
        free = shutil.disk_usage(home).free
    except OSError:
        return ""
    return f" (the disk has {free // 1024:,} KiB of room left)"


def execute(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    step: Step,
    tags: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    only: Sequence[str] | None = None,
) -> None:
    """Run one step in this process.

    Parameters
    ----------
    definitions
        Where the job is defined.
    instance
        Where the run is recorded.
    step
        Job and partitions.
    tags
        Further tags of the run.
    config
        Launchpad settings by asset, such as ``{"raw_bars": {"force": True}}``.
    only
        Assets of the job to make; all by default.

    Raises
    ------
    RunFailedError
        With the error that stopped it.
    RecordError
        If Dagster cannot record the run.
    """
    with recording(instance.root_directory):
        result = definitions.resolve_job_def(step.job).execute_in_process(
            instance=instance,
            tags={**step.tags, **(tags or {}), PROCESS_TAG: process_tag(os.getpid())},
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "ops": {name.replace("/", "__"): {"config": dict(values)} for name, values in (config or {}).items()},
            },
            asset_selection=None if only is None else [asset_key(key) for key in only],
            raise_on_error=False,
        )
    if not result.success:
        raise RunFailedError(f"{step.job} failed: {_first_cause(result)}")


def process_tag(pid: int) -> str:
    """Name a process so that neither a later one with the same number nor one elsewhere is mistaken for it."""
    return f"{node()}:{pid}:{_start_of(pid)}"


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs failed whose process was killed on this machine, so that they hold up no others; return their ids."""
    dead = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        machine, pid, _ = run.tags.get(PROCESS_TAG, "::").split(":")
        if machine == node() and run.tags[PROCESS_TAG] != process_tag(int(pid)):
            instance.report_run_failed(run, "the process that executed this run was killed; run it again.")
            dead.append(run.run_id)
    return dead


def fail_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs failed which a web UI launched that is gone without a trace; return their ids.

    To be called when a new UI starts, and only then: Dagster's monitoring does not see that their worker is gone.
    """
    lost = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_IN_PROGRESS)):
        server = json.loads(run.tags.get(GRPC_INFO_TAG, "{}")).get("socket")
        if server is not None and not _listens(Path(server)):
            instance.report_run_failed(run, "the web UI that executed this run was killed; run it again.")
            lost.append(run.run_id)
    return lost


def dead_run_sensor() -> dg.SensorDefinition:
    """Mark runs of killed processes failed while the UI is open, or they would take the places of its own runs."""

    @dg.sensor(
        name="dead_runs",
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs failed whose command line process was killed.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        dead = fail_dead_runs(context.instance)
        return dg.SkipReason(f"marked failed: {', '.join(dead)}." if dead else "every run has its process.")

    return sensor


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _start_of(pid: int) -> str:
    """Tell when a process began, in ticks since the machine's start; a killed one that nobody asked about is gone."""
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "gone"
    return "gone" if state in "ZX" else numbers[18]


def _first_cause(result: dg.ExecuteInProcessResult) -> str:
    """Say what went wrong: our own error where there is one, which knows a way out, else the innermost."""
    failures = (event.step_failure_data.error for event in result.all_events if event.is_step_failure)
    error = next(failures, None)
    if error is None:
        return "no step failed; see the run in the UI"
    chain = [error]
    while (cause := chain[-1].cause) is not None:
        chain.append(cause)
    ours = next((each for each in chain if each.cls_name in _own_errors(NightfoldError)), None)
    return chain[-1].message.strip() if ours is None else ours.message.partition(": ")[2].strip()


def _own_errors(root: type[Exception]) -> set[str]:
    return {root.__name__}.union(*(_own_errors(child) for child in root.__subclasses__()))
