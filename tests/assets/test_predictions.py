"""Forecasts where one stored month ends and the next begins."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from assets.ensemble import load_ensemble
from assets.keys import asset_key
from assets.predictions import predictions
from nightfold.errors import LakeError
from nightfold.experiment import Experiment
from nightfold.forecast import forecast
from nightfold.schema import KEY

pytest.importorskip("torch", reason="networks come with the extra `neural`")

WINDOW = 8
NETWORK = {"model": "gru", "window": WINDOW, "epochs": 2, "learning_rate": 0.01, "device": "cpu"}


@pytest.fixture(scope="module")
def made(deploy):
    place = deploy(
        universe={"source": {"kind": "simulated", "trend_strength": 0.8}, "end": "2024-03-05"},
        experiments={
            "seen": {
                "first_as_of": "2024-02-26",
                "models": {"network": NETWORK, "logistic_regression": None},
                "features": {"names": ["log_return_1", "rsi_14"]},
            }
        },
    )
    with place.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict"):
            workshop.backfill(layer)
    return place


def test_windows_reach_over_the_border_of_a_month_and_only_into_their_own_symbol(made, tmp_path) -> None:
    plan, lake = made.build()[1].plans["seen"], made.environment().lake
    assert plan.window == WINDOW
    symbols, span = plan.symbols, (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 5, tzinfo=UTC))
    model = load_ensemble(plan, lake, "pooled", "2024-02-26", tmp_path)
    volatility = lake.require(plan.data("labels"), symbols, *span, [*KEY, "volatility"])
    rows = plan.read_features(lake, symbols, *span).join(volatility, on=KEY, maintain_order="left")
    target = plan.experiment.target
    asked = [(model, model.as_of, datetime(2024, 3, 4, tzinfo=UTC))]
    whole = forecast(rows, asked, target.objective, target.horizons, plan.features, plan.interval, plan.window)
    near = pl.col("open_time").is_between(*asked[0][1:], closed="left")
    stored = lake.require(plan.key("predictions"), symbols, *span)
    for column in ("network_p_up_5", "p_up_5"):
        told = stored.filter(near)[column]
        assert told.null_count() == 0
        assert told.n_unique() > 20
        assert told.to_list() == pytest.approx(whole.filter(near)[column].to_list(), abs=1e-6)


def test_forecasts_of_windows_depend_on_the_month_before(made) -> None:
    asset, _ = predictions(made.build()[1].plans["seen"], "above")
    months = asset.partitions_def
    found = asset.get_partition_mapping(asset_key("features")).get_upstream_mapped_partitions_result_for_partitions(
        months.subset_with_partition_keys(["2024-03-01|AAAUSDT"]), months, months
    )
    assert sorted(found.partitions_subset.get_partition_keys()) == ["2024-02-01|AAAUSDT", "2024-03-01|AAAUSDT"]


def test_a_model_of_longer_windows_than_the_experiment_has_now_is_refused(made, tmp_path) -> None:
    """Its windows would reach over holes, which are looked for as far as the experiment's windows go."""
    plan, lake = made.build()[1].plans["seen"], made.environment().lake
    models = {"network": {**NETWORK, "window": 4}, "logistic_regression": None}
    shorter = Experiment.model_validate({**plan.experiment.model_dump(), "models": models})
    with pytest.raises(LakeError, match="was made with other horizons, features or windows than the experiment has"):
        load_ensemble(replace(plan, experiment=shorter), lake, "pooled", "2024-02-26", tmp_path)
