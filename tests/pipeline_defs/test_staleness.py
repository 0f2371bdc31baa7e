"""One setting changes: what it touches shows as stale in the UI, and nothing else does."""

import pytest
import yaml
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

pytestmark = pytest.mark.xdist_group("line")

MODELS = {"class_frequencies", "logistic_regression"}
BELOW_MODELS = {"ensemble", "predictions", "forecast_log", "backtest", "tearsheet", "comparison"}
DATA = {"raw_bars", "bars", "features", "labels"}


def of(stages, *experiments):
    return {f"{name}/{stage}" for name in experiments or ("pooled_one", "single") for stage in stages}


LAST = {"symbol": "2024-02-01|BBBUSDT", "universe": "2024-02-26|BBBUSDT"}


def stale(deployment):
    """Assets that the UI shows as stale, by the instance that made them and the definitions as they are now."""
    with deployment.workshop() as workshop:
        graph = workshop.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(workshop.instance, graph, LoadingContextForTest(workshop.instance))
        found = {}
        for node in graph.asset_nodes:
            partition = LAST[node.partitions_def.partition_dimension_names[1]] if node.partitions_def else None
            if partition and node.group_name == "pooled_one":
                partition = partition.replace("2024-02-26|BBBUSDT", "2024-02-26|pooled")
            found[node.key.to_user_string()] = resolver.get_status(node.key, partition)
    assert StaleStatus.MISSING not in {status for key, status in found.items() if key != "exchange"}
    return {key for key, status in found.items() if status == StaleStatus.STALE}


def edit(deployment, name, change):
    path = deployment.configs / name
    settings = yaml.safe_load(path.read_text())
    change(settings)
    path.write_text(yaml.safe_dump(settings))


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        pytest.param(
            "universe.yaml",
            lambda file: file.update(cleaning={"max_fill_bars": 3}),
            (DATA - {"raw_bars"}) | of({"splits"} | MODELS | BELOW_MODELS),
            id="cleaning",
        ),
        pytest.param(
            "universe.yaml",
            lambda file: file.update(source={"kind": "simulated", "annual_volatility": 0.6}),
            set(),
            id="the same source in other words",
        ),
        pytest.param(
            "labels.yaml",
            lambda file: file["labels"].update(upper=1.0),
            {"labels"} | of({"splits"} | MODELS | BELOW_MODELS),
            id="one label setting",
        ),
        pytest.param(
            "experiments/pooled_one.yaml",
            lambda file: file["split"].update(train_days=35),
            of({"splits"} | MODELS | BELOW_MODELS, "pooled_one"),
            id="split",
        ),
        pytest.param(
            "experiments/single.yaml",
            lambda file: file["models"].update(logistic_regression={"clip_deviations": 2.0}),
            of({"logistic_regression"} | BELOW_MODELS, "single"),
            id="one model's settings",
        ),
        pytest.param(
            "experiments/single.yaml",
            lambda file: file.update(max_model_age=20),
            of({"predictions", "forecast_log", "backtest", "tearsheet", "comparison"}, "single"),
            id="how long a model may predict",
        ),
        pytest.param(
            "experiments/pooled_one.yaml",
            lambda file: file.update(costs={"taker_fee_bps": 9.0}),
            of({"backtest", "tearsheet", "comparison"}, "pooled_one"),
            id="costs",
        ),
        pytest.param(
            "universe.yaml",
            lambda file: file["symbols"].append("CCCUSDT"),
            of({"splits"} | MODELS | BELOW_MODELS, "pooled_one")
            | of({"backtest", "tearsheet", "comparison"}, "single"),
            id="a symbol more",
        ),
        pytest.param(
            "experiments/single.yaml",
            lambda file: file.update(first_as_of="2024-02-14"),
            of({"backtest", "tearsheet", "comparison"}, "single"),
            id="where the account begins",
        ),
        pytest.param(
            "experiments/pooled_one.yaml",
            lambda file: file.update(gates={"max_drawdown": 0.3}),
            of({"tearsheet"}, "pooled_one"),
            id="gates",
        ),
    ],
)
def test_a_changed_setting_makes_its_asset_and_what_depends_on_it_stale_and_nothing_else(
    finished, tmp_path, name, change, expected
):
    ours = finished.copy(tmp_path)
    edit(ours, name, change)
    assert stale(ours) == expected


def test_nothing_is_stale_where_nothing_changed(finished):
    assert stale(finished) == set()


def test_what_was_made_again_with_the_new_setting_is_stale_no_more(finished, tmp_path):
    ours = finished.copy(tmp_path)
    edit(ours, "experiments/single.yaml", lambda file: file.update(costs={"taker_fee_bps": 9.0}))
    with ours.workshop() as workshop:
        workshop.backfill("evaluate", experiment="single")
    assert stale(ours) == set()
