"""The schedule and its sensors, with the clock in our hands."""

import json
import logging
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType, JobFailureData
from dagster._core.test_utils import create_run_for_test

from pipeline_defs.automation import (
    NIGHT_TAG,
    PLACE_TAG,
    STEP_TAG,
    STEPS_TAG,
    failure_sensor,
    next_layer_sensor,
    nightly_schedule,
    requests,
)
from pipeline_defs.jobs import layer_jobs
from pipeline_defs.nightly import LAYERS, Night, Step
from resources.alerts import Alerts

NOW = datetime(2024, 2, 3, 0, 10, tzinfo=UTC)
EXPERIMENTS = [{"name": name, "first_as_of": "2024-01-20"} for name in ("one", "two")]


class Scene:
    """Schedule and sensors over a lake that was filled by hand."""

    def __init__(self, stage, instance):
        self.stage = stage
        self.instance = instance
        self.night_at = partial(Night, stage.line, stage.universe, stage.lake)
        self.jobs = layer_jobs(stage.line.layers)

    def tick(self, now=NOW, clock=None):
        schedule = nightly_schedule(self.night_at, lambda: clock or now, Alerts(), self.jobs, on=False)
        return schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=now))

    def run(self, request, status=dg.DagsterRunStatus.SUCCESS):
        return create_run_for_test(
            self.instance, job_name=request.job_name or "ingest", tags=request.tags, status=status
        )

    def after(self, run):
        """What the sensor makes of a run that succeeded: requests, or the reason why there are none."""
        event = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, run.job_name)
        context = dg.build_run_status_sensor_context("nightly_next_layer", event, self.instance, run)
        answers = list(next_layer_sensor(self.night_at, Alerts(), self.jobs)(context))
        skipped = [answer.skip_message for answer in answers if isinstance(answer, dg.SkipReason)]
        return [answer for answer in answers if isinstance(answer, dg.RunRequest)], skipped


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def scene(stage, instance):
    return Scene(stage(*EXPERIMENTS), instance)


def test_a_night_begins_with_one_run_for_all_symbols(scene):
    (request,) = scene.tick().run_requests
    assert request.tags["dagster/asset_partition_range_start"] == "2024-01-01|AAAUSDT"
    assert request.tags["dagster/asset_partition_range_end"] == "2024-02-01|CCCUSDT"
    assert request.tags[NIGHT_TAG] == "2024-02-03T00:10:00+00:00"


def test_run_keys_differ_from_night_to_night_and_from_step_to_step(scene):
    steps = [Step("ingest", "2024-01-01|A", "2024-01-01|A"), Step("ingest", "2024-01-01|C", "2024-01-01|C"), Step("x")]
    nights = [NOW + timedelta(days=n) for n in range(3)]
    keys = [request.run_key for night in nights for place in (0, 1) for request in requests(place, steps, night)]
    assert len(set(keys)) == len(keys) == 18


def test_of_several_missed_nights_only_the_last_is_made_up_for(scene):
    morning = NOW + timedelta(days=3, hours=9)
    ticks = [scene.tick(NOW + timedelta(days=n), clock=morning) for n in range(4)]
    assert [len(tick.run_requests) for tick in ticks] == [0, 0, 0, 1]
    assert ticks[0].skip_message == "a later night covers this one."


def test_a_night_with_nothing_to_make_is_skipped_with_the_reason(stage, instance):
    ours = stage()
    ours.put_data(NOW)
    tick = Scene(ours, instance).tick()
    assert tick.run_requests == []
    assert tick.skip_message == "everything up to 2024-02-03 00:10 is there."


@pytest.mark.parametrize(("on", "status"), [(False, "STOPPED"), (True, "RUNNING")])
def test_the_schedule_is_off_until_it_is_switched_on(scene, on, status):
    schedule = nightly_schedule(scene.night_at, lambda: NOW, Alerts(), scene.jobs, on=on)
    assert schedule.default_status.value == status
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("10 0 * * *", "UTC")


def test_a_layer_starts_only_when_every_run_of_the_one_before_has_succeeded(scene):
    steps = [Step("ingest", f"2024-01-01|{symbol}", f"2024-02-01|{symbol}") for symbol in ("AAAUSDT", "CCCUSDT")]
    first, second = requests(0, steps, NOW)
    scene.stage.put("bars", NOW)
    done, still = scene.run(first), scene.run(second, dg.DagsterRunStatus.STARTED)
    assert scene.after(done) == ([], [f"the layer still waits for {second.run_key}."])
    scene.instance.report_run_failed(still)
    assert scene.after(done)[0] == []


def test_the_last_run_of_a_layer_starts_the_next_one(scene):
    steps = [Step("ingest", f"2024-01-01|{symbol}", f"2024-02-01|{symbol}") for symbol in ("AAAUSDT", "CCCUSDT")]
    scene.stage.put("bars", NOW)
    runs = [scene.run(request) for request in requests(0, steps, NOW)]
    for run in runs:  # both ask where both had ended before the sensor looked; their run keys make it one run
        (request,), _ = scene.after(run)
        assert (request.job_name, request.tags[PLACE_TAG]) == ("research", "1")
        assert request.run_key == "2024-02-03T00:10:00+00:00/1/research/2024-01-01|AAAUSDT"


def test_each_layer_follows_the_one_before_until_the_night_is_over(scene, scratch):
    ours = scene.stage
    (request,) = scene.tick().run_requests
    for key in ("raw_bars", "bars"):
        ours.put(key, NOW)
    (request,), _ = scene.after(scene.run(request))
    assert request.job_name == "research"
    for key in ("features", "labels"):
        ours.put(key, NOW)
    trained, _ = scene.after(scene.run(request))
    assert [each.job_name for each in trained] == ["one_train", "two_train"]
    assert json.loads(trained[0].tags[STEPS_TAG]) == [each.tags[STEP_TAG] for each in trained]
    runs = []
    for each in trained:
        ours.put_ensemble(scratch, each.job_name.removesuffix("_train"), "2024-02-03")
        runs.append(scene.run(each))
    predicted, _ = scene.after(runs[-1])
    assert [each.job_name for each in predicted] == ["one_predict", "two_predict"]
    for each in predicted:
        ours.put(f"{each.job_name.removesuffix('_predict')}/predictions", NOW, start=datetime(2024, 2, 1, tzinfo=UTC))
        runs.append(scene.run(each))
    assert scene.after(runs[-1]) == ([], ["the night is over."])


def test_a_layer_with_nothing_to_do_is_passed_over(stage, instance):
    ours = stage(*EXPERIMENTS)
    ours.put_data(NOW)
    scene = Scene(ours, instance)
    (request,) = requests(0, [Step("ingest", "2024-02-01|AAAUSDT", "2024-02-01|CCCUSDT")], NOW)
    assert [each.tags[PLACE_TAG] for each in scene.after(scene.run(request))[0]] == ["3", "3"]


def test_a_run_started_again_from_the_ui_carries_the_night_on(scene):
    (request,) = requests(0, [Step("ingest", "2024-01-01|AAAUSDT", "2024-02-01|CCCUSDT")], NOW)
    scene.run(request, dg.DagsterRunStatus.FAILURE)
    scene.stage.put("bars", NOW)
    again = {key: value for key, value in request.tags.items() if not key.startswith("dagster/run_key")}
    run = create_run_for_test(scene.instance, job_name="ingest", tags=again, status=dg.DagsterRunStatus.SUCCESS)
    assert [each.job_name for each in scene.after(run)[0]] == ["research"]


def test_a_run_by_day_starts_nothing(scene):
    run = create_run_for_test(scene.instance, job_name="ingest", status=dg.DagsterRunStatus.SUCCESS)
    assert scene.after(run) == ([], ["not a nightly run."])


def broken(now):
    raise OSError("the lake is away")


def test_a_layer_that_cannot_be_planned_is_told(scene, caplog):
    (request,) = requests(0, [Step("ingest", "2024-01-01|AAAUSDT", "2024-02-01|CCCUSDT")], NOW)
    scene.night_at = broken
    with caplog.at_level(logging.ERROR), pytest.raises(OSError, match="the lake is away"):
        scene.after(scene.run(request))
    assert "the night stopped after ingest: the lake is away" in caplog.text


def test_a_night_that_cannot_be_planned_is_told(scene, caplog, monkeypatch):
    monkeypatch.setattr("pipeline_defs.automation.first_layer", broken)
    with caplog.at_level(logging.ERROR), pytest.raises(Exception, match="during the evaluation of schedule nightly"):
        scene.tick()
    assert "the night stopped before it began: the lake is away" in caplog.text


@pytest.mark.parametrize(("tags", "told"), [({NIGHT_TAG: NOW.isoformat()}, True), ({}, False)])
def test_a_failed_run_of_a_night_is_told_and_others_are_not(scene, caplog, tags, told):
    run = create_run_for_test(scene.instance, job_name="research", tags=tags, status=dg.DagsterRunStatus.FAILURE)
    event = DagsterEvent(
        DagsterEventType.RUN_FAILURE.value,
        "research",
        message="the disk is full",
        event_specific_data=JobFailureData(error=None, failure_reason=None, first_step_failure_event=None),
    )
    context = dg.build_run_status_sensor_context("nightly_failed", event, scene.instance, run).for_run_failure()
    with caplog.at_level(logging.ERROR):
        failure_sensor(Alerts(), scene.jobs)(context)
    assert ("the night stopped at research: the disk is full" in caplog.text) == told


def test_there_is_a_job_for_every_layer_of_the_night(scene):
    names = {f"{name}_{layer}" for name in ("one", "two") for layer in ("train", "predict", "evaluate")}
    assert set(scene.jobs) == {"ingest", "research", *names}
    assert {layer.__name__ for layer in LAYERS} >= {"ingest", "research"}
