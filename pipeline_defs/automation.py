"""The nightly retrain: a schedule starts the first layer, each success starts the next, a failure stops the night."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from pipeline_defs.nightly import LAYERS, Night, Step, first_layer, next_layer
from resources.alerts import Alerts

NIGHT_TAG = "nightfold/night"
PLACE_TAG = "nightfold/night_layer"
STEP_TAG = "nightfold/night_step"
STEPS_TAG = "nightfold/night_steps"

_NIGHTLY_CRON = "10 0 * * *"
_A_NIGHT = timedelta(days=1)
_FINISHED = [dg.DagsterRunStatus.SUCCESS]

Jobs = Mapping[str, UnresolvedAssetJobDefinition]


def nightly_schedule(
    night_at: Callable[[datetime], Night], clock: Callable[[], datetime], alerts: Alerts, jobs: Jobs, *, on: bool
) -> dg.ScheduleDefinition:
    """Start a night ten minutes after midnight UTC.

    Parameters
    ----------
    night_at
        Makes the night of a moment.
    clock
        The time it is: of several nights that were missed, only the last is made up for, and it covers the others.
    alerts
        Where it is told that a night could not be planned.
    jobs
        Jobs by name.
    on
        Whether the schedule starts switched on.
    """

    @dg.schedule(
        name="nightly",
        cron_schedule=_NIGHTLY_CRON,
        execution_timezone="UTC",
        job=jobs[LAYERS[0].__name__],
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
        description="New bars, features and labels, tonight's models, predictions, reports: layer after layer.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        night = night_at(context.scheduled_execution_time)
        if clock() - night.now >= _A_NIGHT:
            yield dg.SkipReason("a later night covers this one.")
            return
        with _told(alerts, "before it began"):
            steps = first_layer(night)
        if not steps:
            yield dg.SkipReason(f"everything up to {night.universe.horizon(night.now):%Y-%m-%d %H:%M} is there.")
        yield from requests(0, steps, night.now)

    return nightly


def next_layer_sensor(night_at: Callable[[datetime], Night], alerts: Alerts, jobs: Jobs) -> dg.SensorDefinition:
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
        waiting = set(json.loads(tags[STEPS_TAG])) - {run.tags[STEP_TAG] for run in done}
        if waiting:
            yield dg.SkipReason(f"the layer still waits for {', '.join(sorted(waiting))}.")
            return
        now = datetime.fromisoformat(tags[NIGHT_TAG])
        with _told(alerts, f"after {context.dagster_run.job_name}"):
            number, steps = next_layer(int(tags[PLACE_TAG]) + 1, night_at(now))
        if not steps:
            yield dg.SkipReason("the night is over.")
        yield from requests(number, steps, now)

    return sensor


def failure_sensor(alerts: Alerts, jobs: Jobs) -> dg.SensorDefinition:
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


@contextmanager
def _told(alerts: Alerts, where: str) -> Iterator[None]:
    """Alert where a night cannot be planned, which no run would tell."""
    try:
        yield
    except Exception as error:
        alerts.send(f"Nightfold: the night stopped {where}", str(error))
        raise


def requests(number: int, steps: Sequence[Step], now: datetime) -> Iterator[dg.RunRequest]:
    """Ask for the runs of one layer; each knows the others, so that the last to finish starts the next layer."""
    night = now.isoformat()
    keys = [f"{night}/{number}/{step.job}/{step.first or ''}" for step in steps]
    tags = {NIGHT_TAG: night, PLACE_TAG: str(number), STEPS_TAG: json.dumps(keys)}
    for key, step in zip(keys, steps, strict=True):
        yield dg.RunRequest(run_key=key, job_name=step.job, tags={**step.tags, **tags, STEP_TAG: key})
