"""Runs started from this process: executed here, recorded where the UI sees them, and cleaned up after a kill."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from assets.keys import asset_key
from nightfold.errors import NightfoldError
from pipeline_defs.nightly import Step

PROCESS_TAG = "nightfold/process"

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class RunFailedError(NightfoldError, RuntimeError):
    """A run did not succeed; the message is the first cause."""


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
    """
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
    """Name a process so that a later one with the same number is not mistaken for it."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        started = "gone"
    return f"{pid}:{started}"


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs failed whose process was killed, so that they hold up no others; return their ids."""
    dead = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and process != process_tag(int(process.split(":")[0])):
            instance.report_run_failed(run, "the process that executed this run was killed; run it again.")
            dead.append(run.run_id)
    return dead


def _first_cause(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return error.message.strip() if error is not None else "no cause recorded"
    return "no step failed; see the run in the UI"

