"""Deployments for tests of orchestration: a lake filled without runs, and the daemon's loops over a code server."""

import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.line import build_line
from assets.policy import policy_settings
from nightfold.experiment import Experiment
from nightfold.interval import duration
from nightfold.labels.table import LabelSet
from nightfold.policy.choice import Flat
from nightfold.policy.record import PolicyCard
from nightfold.schema import TIME
from nightfold.universe import Universe
from nightfold.window import parse_moment, windows
from pipeline_defs.nightly import Night
from resources.lake import Lake

PROJECT = Path(__file__).parents[2]
SYMBOLS = ["AAAUSDT", "BBBUSDT", "CCCUSDT"]
IN_PROCESS = {
    "run_launcher": {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    },
    "run_coordinator": {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"},
    "telemetry": {"enabled": False},
    "code_servers": {"wait_for_local_processes_on_shutdown": True},
}


def at(*numbers):
    return datetime(*numbers, tzinfo=UTC)


LAUNCH = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PartitionKeysNotFoundError { message }
    ... on PythonError { message }
  }
}
"""


class Stage:
    """A universe with a lake into which rows are put without any run."""

    def __init__(self, folder, experiments=(), horizons=(20,), **universe):
        settings = {"source": "simulated", "symbols": SYMBOLS, "start": "2024-01-01", **universe}
        self.universe = Universe.model_validate(settings)
        label_sets = {"labels": LabelSet(horizons=list(horizons))}
        made = {each["name"]: self.experiment(**each) for each in experiments}
        self.line = build_line(self.universe, label_sets, made)
        self.lake = Lake(url=str(folder / "lake"), grain=self.universe.grain, locks=folder / "locks")

    @staticmethod
    def experiment(**settings):
        usual = {"models": {"class_frequencies": None}, "target": {"horizons": [20]}, "strategy": {"horizon": 20}}
        return Experiment.model_validate({**usual, **settings})

    def put(self, key, until, symbols=None, start=None, *, logged=True):
        """Store rows whose last bar closes at ``until``; of predictions also the forecast log."""
        if logged and key.endswith("/predictions"):
            self.put(key.replace("predictions", "forecast_log"), until, symbols, start)
        step = duration(next((i for i in self.universe.intervals if key.startswith(f"{i}/")), self.universe.interval))
        for symbol in symbols or self.universe.symbols:
            for window in windows(start or at(2024, 1, 1), until, self.universe.grain):
                times = pl.datetime_range(window.start, min(window.end, until), step, closed="left", eager=True)
                self.lake.write(key, symbol, window.key, pl.DataFrame({"open_time": times.cast(TIME)}))

    def put_data(self, until, **choices):
        for layer in ("ingest", "research"):
            for key in self.line.layers[layer]:
                self.put(key, until, **choices)

    def put_ensemble(self, folder, name, as_of, universe="pooled"):
        (folder / "ensemble.json").write_text("{}")
        self.lake.write_folder(f"{name}/ensemble", f"universe={universe}/{as_of}", "v1", folder)

    def put_policy(self, folder, name, as_of, made_by=None):
        made_by = made_by or policy_settings(self.line.plans[name])
        card = PolicyCard.flat(parse_moment(as_of, "as_of"), Flat("few_trades", "no trades"), made_by)
        (folder / "policy.json").write_text(card.model_dump_json())
        self.lake.write_folder(f"{name}/policy", f"universe=pooled/{as_of}", "v1", folder)

    def night(self, *now):
        return Night(self.line, self.universe, self.lake, at(*now))


@pytest.fixture
def stage(tmp_path):
    return lambda *experiments, **choices: Stage(tmp_path, experiments, **choices)


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


class Daemon:
    """The loops of Dagster's daemon over a real code server, turned by hand; runs are executed in this process."""

    def __init__(self, instance, workspace):
        self.instance = instance
        self.workspace = workspace
        self.logger = logging.getLogger("daemon")

    def query(self, text, **variables):
        from dagster_graphql.schema import create_schema

        request = self.workspace.create_request_context()
        answer = create_schema().execute(text, context_value=request, variable_values=variables)
        assert not answer.errors, answer.errors
        return answer.data

    def launch(self, **params):
        """Launch a backfill as the UI's page does, see it through, and return how it ended with the runs it made."""
        answer = self.query(LAUNCH, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        backfill = answer["backfillId"]
        for _ in range(20):
            self.backfills()
            status = self.instance.get_backfill(backfill).status.value
            if status != "REQUESTED":
                break
        return status, self.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill}))

    def backfills(self):
        from dagster._daemon.backfill import execute_backfill_iteration

        self._turn(execute_backfill_iteration(self.workspace, self.logger))

    def schedules(self, now):
        from dagster._core.test_utils import freeze_time
        from dagster._scheduler.scheduler import launch_scheduled_runs

        with freeze_time(now):
            self._turn(launch_scheduled_runs(self.workspace, self.logger, now, {}))

    def sensors(self, now):
        from dagster._core.test_utils import freeze_time
        from dagster._daemon.sensor import execute_sensor_iteration

        with freeze_time(now):
            self._turn(execute_sensor_iteration(self.workspace, self.logger, None, None))

    @staticmethod
    def _turn(loop):
        errors = [error for error in loop if error and hasattr(error, "to_string")]
        assert not errors, errors[0].to_string()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    """Open the daemon's loops over a deployment that has been entered: `with daemon() as loops:`."""
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import ModuleTarget

    @contextmanager
    def opened():
        target = ModuleTarget("pipeline_defs.definitions", None, str(PROJECT), "nightfold")
        home = tmp_path_factory.mktemp("home")
        (home / "dagster.yaml").touch()
        with (
            dg.DagsterInstance.local_temp(str(home), overrides=IN_PROCESS) as instance,
            WorkspaceProcessContext(instance, target) as workspace,
        ):
            yield Daemon(instance, workspace)

    return opened
