"""Backfills as the UI's backfill page starts them: GraphQL, a code server, and the backfill daemon's own loop."""

import logging
import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_graphql.test.utils import execute_dagster_graphql

PROJECT = Path(__file__).parents[2]
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
IN_PROCESS = {
    "run_launcher": {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    },
    "run_coordinator": {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"},
    "telemetry": {"enabled": False},
}
MONTHS, SYMBOLS = ("2024-01-01", "2024-02-01"), ("AAAUSDT", "BBBUSDT")
AS_OFS = ("2024-02-12", "2024-02-19", "2024-02-26")
BARS = [f"{month}|{symbol}" for month in MONTHS for symbol in SYMBOLS]
POOLED = [f"{as_of}|pooled" for as_of in AS_OFS]
SINGLE = [f"{as_of}|{symbol}" for as_of in AS_OFS for symbol in SYMBOLS]
TRAINED = ("splits", "class_frequencies", "logistic_regression", "ensemble")
PARTITIONED = {
    **dict.fromkeys(("raw_bars", "bars", "features", "labels"), BARS),
    **{f"pooled_one/{stage}": POOLED for stage in TRAINED},
    **{f"single/{stage}": SINGLE for stage in TRAINED},
    "pooled_one/predictions": BARS[2:],
    "single/predictions": BARS[2:],
}

pytestmark = pytest.mark.xdist_group("ui_backfill")


class BackfillPage:
    """Launches backfills against a deployment and sees them through."""

    def __init__(self, instance, workspace):
        self.instance = instance
        self.workspace = workspace

    def launch(self, **params):
        request = self.workspace.create_request_context()
        answer = execute_dagster_graphql(request, LAUNCH, {"params": params}).data["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        backfill = answer["backfillId"]
        for _ in range(20):
            errors = list(filter(None, execute_backfill_iteration(self.workspace, logging.getLogger("daemon"))))
            assert not errors, errors[0].to_string()
            status = self.instance.get_backfill(backfill).status.value
            if status != "REQUESTED":
                break
        return status, self.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill}))


@pytest.fixture(scope="module")
def ours(finished, tmp_path_factory):
    return finished.copy(tmp_path_factory.mktemp("ui"))


@pytest.fixture(scope="module")
def page(ours, tmp_path_factory):
    target = ModuleTarget("pipeline_defs.definitions", None, str(PROJECT), "nightfold")
    with (
        ours.entered(),
        dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("home")), overrides=IN_PROCESS) as instance,
        WorkspaceProcessContext(instance, target) as workspace,
    ):
        yield BackfillPage(instance, workspace)


def by_names(keys, partitions):
    return {"assetSelection": [{"path": key.split("/")} for key in keys], "partitionNames": partitions}


def by_ranges(partitions_of):
    return {
        "partitionsByAssets": [
            {
                "assetKey": {"path": key.split("/")},
                "partitions": {"ranges": [{"start": partitions[0], "end": partitions[-1]}]},
            }
            for key, partitions in partitions_of.items()
        ]
    }


def succeeded(status, runs):
    return status == "COMPLETED_SUCCESS" and {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}


@pytest.mark.parametrize("key", PARTITIONED)
def test_each_partitioned_asset_can_be_backfilled_from_the_ui(page, ours, finished, key):
    shutil.rmtree(ours.lake / key)
    assert succeeded(*page.launch(**by_names([key], PARTITIONED[key])))
    assert ours.files(key) == finished.files(key)
    shutil.rmtree(ours.lake / key)
    assert succeeded(*page.launch(**by_ranges({key: PARTITIONED[key]})))
    assert ours.files(key) == finished.files(key)


def test_some_partitions_of_an_asset_are_all_that_a_backfill_of_them_makes(page, ours, finished):
    shutil.rmtree(ours.lake / "features")
    status, runs = page.launch(**by_names(["features"], [BARS[0], BARS[3]]))
    assert succeeded(status, runs)
    wanted = {"features/symbol=AAAUSDT/2024-01-01.parquet", "features/symbol=BBBUSDT/2024-02-01.parquet"}
    assert set(ours.files("features")) == wanted
    assert succeeded(*page.launch(**by_names(["features"], [BARS[1], BARS[2]])))
    assert ours.files("features") == finished.files("features")


def test_a_backfill_of_all_layers_from_nothing_equals_one_layer_after_another(page, ours, finished):
    """Runs of neighbouring windows start side by side; each must find the bars it looks back on and ahead to."""
    for place in [path for path in ours.lake.iterdir() if path.is_dir()]:
        shutil.rmtree(place)
    assert succeeded(*page.launch(**by_ranges(PARTITIONED)))
    for key in PARTITIONED:
        assert ours.files(key) == finished.files(key), key


def test_a_partition_that_does_not_exist_is_refused(page):
    request = page.workspace.create_request_context()
    params = by_names(["bars"], ["2023-12-01|AAAUSDT"])
    answer = execute_dagster_graphql(request, LAUNCH, {"params": params}).data["launchPartitionBackfill"]
    assert answer["__typename"] != "LaunchBackfillSuccess"
