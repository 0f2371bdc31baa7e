"""The asset graph as a whole: a change of it is a change of these lines."""

import json
from pathlib import Path

import dagster as dg
import pytest

from nightfold.errors import ConfigError

DATA = ["month", "symbol"]
TRAINED = ["as_of", "universe"]
GRAPH = {
    "exchange": ("market_data", [], []),
    "raw_bars": ("market_data", ["exchange"], DATA),
    "bars": ("market_data", ["raw_bars"], DATA),
    "features": ("features", ["bars"], DATA),
    "labels": ("labels", ["bars"], DATA),
    "wide": ("labels", ["bars"], DATA),
    "4h/raw_bars": ("market_data", ["exchange"], DATA),
    "4h/bars": ("market_data", ["4h/raw_bars"], DATA),
    "4h/features": ("features", ["4h/bars"], DATA),
    "4h/labels": ("labels", ["4h/bars"], DATA),
    "4h/wide": ("labels", ["4h/bars"], DATA),
    "plain/splits": ("plain", ["features", "labels"], TRAINED),
    "plain/class_frequencies": ("plain", ["plain/splits"], TRAINED),
    "plain/logistic_regression": ("plain", ["plain/splits"], TRAINED),
    "plain/ensemble": ("plain", ["plain/class_frequencies", "plain/logistic_regression"], TRAINED),
    "plain/predictions": ("plain", ["features", "labels", "plain/ensemble"], DATA),
    "plain/forecast_log": ("plain", ["bars", "labels", "plain/predictions"], DATA),
    "plain/backtest": ("plain", ["bars", "plain/predictions"], []),
    "plain/tearsheet": ("plain", ["plain/backtest", "plain/forecast_log"], []),
    "plain/comparison": ("plain", ["plain/backtest", "plain/predictions"], []),
    "slow/splits": ("slow", ["4h/features", "4h/wide"], TRAINED),
    "slow/boosted": ("slow", ["slow/splits"], TRAINED),
    "slow/ensemble": ("slow", ["slow/boosted"], TRAINED),
    "slow/predictions": ("slow", ["4h/features", "4h/wide", "slow/ensemble"], DATA),
    "slow/forecast_log": ("slow", ["4h/bars", "4h/wide", "slow/predictions"], DATA),
    "slow/backtest": ("slow", ["4h/bars", "slow/predictions"], []),
    "slow/tearsheet": ("slow", ["slow/backtest", "slow/forecast_log"], []),
    "slow/comparison": ("slow", ["slow/backtest", "slow/predictions"], []),
    "leaderboard": ("operations", ["plain/tearsheet", "slow/tearsheet"], []),
}
CHECKS = {
    *(f"{at}bars:{name}" for at in ("", "4h/") for name in ("schema", "completeness", "freshness")),
    *(f"{at}features:{name}" for at in ("", "4h/") for name in ("schema", "leaks", "functions")),
    *(f"{at}{labels}:{name}" for at in ("", "4h/") for labels in ("labels", "wide") for name in ("schema", "balance")),
    *(f"{experiment}/forecast_log:reliability" for experiment in ("plain", "slow")),
}
JOBS = {
    "ingest": {"raw_bars", "bars", "4h/raw_bars", "4h/bars"},
    "research": {"features", "labels", "wide", "4h/features", "4h/labels", "4h/wide"},
    "plain_train": {f"plain/{name}" for name in ("splits", "class_frequencies", "logistic_regression", "ensemble")},
    "plain_predict": {"plain/predictions", "plain/forecast_log"},
    "plain_evaluate": {"plain/backtest", "plain/tearsheet", "plain/comparison", "leaderboard"},
    "slow_train": {f"slow/{name}" for name in ("splits", "boosted", "ensemble")},
    "slow_predict": {"slow/predictions", "slow/forecast_log"},
    "slow_evaluate": {"slow/backtest", "slow/tearsheet", "slow/comparison", "leaderboard"},
}


@pytest.fixture(scope="module")
def ours(deploy):
    return deploy(
        universe={"intervals": ["1h", "4h"]},
        labels={"labels": {"horizons": [5]}, "wide": {"horizons": [5, 10], "upper": 1.5, "lower": 1.5}},
        experiments={
            "plain": {},
            "slow": {
                "interval": "4h",
                "pooling": "per_symbol",
                "target": {"label_set": "wide", "horizons": [5, 10]},
                "features": {"names": ["log_return_1"]},
                "models": {"boosted": {"model": "lightgbm", "learning_rate": 0.1}},
            },
        },
    )


@pytest.fixture(scope="module")
def definitions(ours):
    return ours.build()[0]


@pytest.fixture(scope="module")
def graph(definitions):
    return definitions.resolve_asset_graph()


def names(keys):
    return {key.to_user_string() for key in keys}


def test_assets_groups_dependencies_and_partitions(graph):
    found = {
        node.key.to_user_string(): (
            node.group_name,
            sorted(names(node.parent_keys)),
            node.partitions_def.partition_dimension_names if node.partitions_def else [],
        )
        for node in graph.asset_nodes
    }
    assert found == GRAPH


def test_checks(graph):
    assert {key.to_user_string() for key in graph.asset_check_keys} == CHECKS


def test_jobs_hold_one_layer_each(definitions):
    found = {
        job.name: names(job.asset_layer.selected_asset_keys)
        for job in definitions.resolve_all_job_defs()
        if not job.name.startswith("__")
    }
    assert found == JOBS


def test_schedule_and_sensors(definitions):
    assert [schedule.name for schedule in definitions.schedules] == ["nightly"]
    assert {sensor.name for sensor in definitions.sensors} >= {"nightly_next_layer", "nightly_failed"}
    assert definitions.schedules[0].default_status == dg.DefaultScheduleStatus.STOPPED


def test_every_asset_says_what_it_is_whose_it_is_and_of_which_layer(graph):
    for node in graph.asset_nodes:
        assert node.description, node.key
        assert node.owners, node.key
        assert node.kinds, node.key
        if node.group_name in ("plain", "slow"):
            assert node.tags["experiment"] == node.group_name
            assert node.tags["layer"] in {"train", "predict", "evaluate"}


@pytest.mark.parametrize("key", ["raw_bars", "bars", "features", "labels", "plain/predictions"])
def test_every_column_of_a_table_is_described(graph, key):
    schema = graph.get(dg.AssetKey(key.split("/"))).metadata["dagster/column_schema"].value
    assert len(schema.columns) > 5
    assert all(column.description for column in schema.columns)


def test_every_partitioned_asset_has_a_code_version_of_its_own(graph):
    versions = [node.code_version for node in graph.asset_nodes if node.key != dg.AssetKey("exchange")]
    assert all(versions)
    assert len(set(versions)) == len(versions)


def test_a_third_file_makes_a_third_group_and_json_does_as_well(ours, tmp_path):
    theirs = ours.copy(tmp_path)
    settings = {"first_as_of": "2024-02-12", "target": {"horizons": [5]}, "split": {"purge": 5}}
    settings |= {"models": {"class_frequencies": None}}
    (theirs.configs / "experiments/third.json").write_text(json.dumps({**settings, "strategy": {"horizon": 5}}))
    graph = theirs.build()[0].resolve_asset_graph()
    found = {node.key.to_user_string() for node in graph.asset_nodes if node.group_name == "third"}
    made = ("splits", "class_frequencies", "ensemble", "predictions", "forecast_log")
    stages = (*made, "backtest", "tearsheet", "comparison")
    assert found == {f"third/{stage}" for stage in stages}


def test_a_wrong_file_is_refused_at_load_with_file_key_value_and_what_is_allowed(ours, tmp_path):
    theirs = ours.copy(tmp_path)
    theirs.write("experiments/wrong.yaml", {"first_as_of": "2024-02-12", "models": {"lightgmb": None}})
    with pytest.raises(ConfigError, match=r"experiments/wrong.yaml: .*`lightgmb` is unknown; did you mean lightgbm"):
        theirs.build()


def test_the_whole_graph_is_valid_to_dagster(definitions):
    dg.Definitions.validate_loadable(definitions)


SHIPPED = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("folder", [".", "binance_spot", "research"])
def test_every_shipped_deployment_makes_definitions(folder, tmp_path):
    from pipeline_defs.definitions import build
    from resources.environments import Settings, load_environment

    settings = Settings(config=SHIPPED / folder, data=tmp_path)
    definitions, line = build(load_environment(settings))
    definitions.resolve_asset_graph()
    assert line.plans
