"""The nightly retrain: a schedule starts the first layer, each success starts the next, a failure stops the night."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.line import Line
from nightfold.universe import Universe
from pipeline_defs.nightly import LAYERS, Step, next_layer
from resources.alerts import Alerts
from resources.lake import Lake

NIGHT_TAG = "nightfold/night"
PLACE_TAG = "nightfold/night_layer"
STEPS_TAG = "nightfold/night_steps"

_NIGHTLY_CRON = "10 0 * * *"
_FINISHED = [dg.DagsterRunStatus.SUCCESS]


def nightly_schedule(
    line: Line, universe: Universe, lake: Lake, jobs: Mapping[str, UnresolvedAssetJobDefinition], *, on: bool
) -> dg.ScheduleDefinition:
    """Start a night ten minutes after midnight UTC."""

    @dg.schedule(
        name="nightly",
        cron_schedule=_NIGHTLY_CRON,
        execution_timezone="UTC",
        job=jobs[LAYERS[0].__name__],
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
        description="New bars, features and labels, tonight's models, predictions, reports: layer after layer.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        now = context.scheduled_execution_time
        steps = LAYERS[0](line, universe, lake, now)
        if not steps:
            yield dg.SkipReason(f"all bars up to {universe.horizon(now):%Y-%m-%d %H:%M} are there.")
        yield from requests(0, steps, now)

    return nightly


def next_layer_sensor(
    line: Line, universe: Universe, lake: Lake, jobs: Mapping[str, UnresolvedAssetJobDefinition]
) -> dg.SensorDefinition:
    """Start the next layer of a night when every run of the one before has succeeded."""

    @dg.run_status_sensor(
        name="nightly_next_layer",
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=list(jobs.values()),
        request_jobs=list(jobs.values()),
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the next layer of a night when the one before is done.",
    )
    def sensor(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        tags = context.dagster_run.tags
        if NIGHT_TAG not in tags:
            yield dg.SkipReason("not a nightly run.")
            return
        layer = {NIGHT_TAG: tags[NIGHT_TAG], PLACE_TAG: tags[PLACE_TAG]}
        done = context.instance.get_runs(dg.RunsFilter(tags=layer, statuses=_FINISHED))
        waiting = set(json.loads(tags[STEPS_TAG])) - {run.tags["dagster/run_key"] for run in done}
        if waiting:
            yield dg.SkipReason(f"the layer still waits for {', '.join(sorted(waiting))}.")
            return
        now = datetime.fromisoformat(tags[NIGHT_TAG])
        number, steps = next_layer(int(tags[PLACE_TAG]) + 1, line, universe, lake, now)
        if not steps:
            yield dg.SkipReason("the night is over.")
        yield from requests(number, steps, now)

    return sensor


def failure_sensor(
    alerts: Alerts, jobs: Mapping[str, UnresolvedAssetJobDefinition]
) -> dg.SensorDefinition:
    """Say that a night has stopped."""

    @dg.run_failure_sensor(
        name="nightly_failed",
        monitored_jobs=list(jobs.values()),
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Alerts when a layer of a night fails; the layers after it do not start.",
    )
    def sensor(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        if NIGHT_TAG in run.tags:
            alerts.send(f"Nightfold: the night stopped at {run.job_name}", context.failure_event.message or run.run_id)

    return sensor


def requests(number: int, steps: Sequence[Step], now: datetime) -> Iterator[dg.RunRequest]:
    """Ask for the runs of one layer; each knows the others, so that the last to finish starts the next layer."""
    night = now.isoformat()
    keys = [f"{night}/{number}/{step.job}/{step.first or ''}" for step in steps]
    tags = {NIGHT_TAG: night, PLACE_TAG: str(number), STEPS_TAG: json.dumps(keys)}
    for key, step in zip(keys, steps, strict=True):
        yield dg.RunRequest(run_key=key, job_name=step.job, tags={**step.tags, **tags})
