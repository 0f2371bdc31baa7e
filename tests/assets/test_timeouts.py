"""What timeouts returned on the way from the split of an as-of to the predictions that are traded."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assets.partitions import AsOfPartition
from assets.timeouts import read_predictions
from nightfold.schema import KEY
from nightfold.window import window_of

AS_OFS = ["2024-02-12", "2024-02-19", "2024-02-26"]
SPAN = (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 5, tzinfo=UTC))
OTHER = {"target": {"kind": "direction", "horizons": [5]}}


@pytest.fixture(scope="module")
def made(deploy: Callable[..., Any]) -> Any:
    place = deploy(experiments={"e": {}, "sides": OTHER})
    with place.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict"):
            workshop.backfill(layer)
    return place


def plan_of(place: Any, name: str = "e") -> Any:
    return place.build()[1].plans[name]


def ensembles(place: Any, name: str = "e") -> dict[str, Path]:
    """The stored file of each as-of."""
    folder = place.lake / f"{name}/ensemble/universe=pooled"
    return {as_of: next((folder / as_of).rglob("ensemble.json")) for as_of in AS_OFS}


@pytest.mark.parametrize("as_of", AS_OFS)
def test_an_ensemble_knows_the_timeouts_of_its_training_rows_and_no_others(made: Any, as_of: str) -> None:
    plan, lake = plan_of(made), made.environment().lake
    partition = AsOfPartition(window_of(datetime.fromisoformat(f"{as_of}T00:00:00+00:00"), "week"), "pooled")
    keys = plan.samples(lake, partition)[5].keys["train"]
    labels = lake.require("labels", plan.symbols, datetime(2024, 1, 1, tzinfo=UTC), SPAN[1])
    rows = keys.join(labels, on=KEY)
    assert rows.height == keys.height
    stored = json.loads(ensembles(made)[as_of].read_text())["timeouts"]["5"]
    assert stored["edges"] == pytest.approx(np.quantile(rows["volatility"], [0.2, 0.4, 0.6, 0.8]))
    fifth = np.searchsorted(stored["edges"], rows["volatility"], side="right")
    for place, mean in enumerate(stored["means"]):
        flat = rows.filter(pl.Series(fifth == place) & (pl.col("label_5") == 0))
        expected = (flat["log_return_5"] / flat["volatility"]).mean() / sqrt(5) if flat.height else 0.0
        assert mean == pytest.approx(expected)


def test_each_prediction_carries_those_of_the_model_behind_it(made: Any) -> None:
    plan, lake = plan_of(made), made.environment().lake
    said = read_predictions(plan, lake, plan.symbols, *SPAN)
    assert said.drop("timeout_widths").equals(lake.require("e/predictions", plan.symbols, *SPAN))
    assert said["timeout_widths"].is_null().equals(said["as_of"].is_null() | said["volatility"].is_null())
    stored = {as_of: json.loads(path.read_text())["timeouts"]["5"] for as_of, path in ensembles(made).items()}
    for row in said.drop_nulls("timeout_widths").gather_every(17).iter_rows(named=True):
        known = stored[f"{row['as_of']:%Y-%m-%d}"]
        assert row["timeout_widths"] == known["means"][sum(row["volatility"] >= edge for edge in known["edges"])]


def test_without_barriers_there_are_no_timeouts(made: Any) -> None:
    plan, lake = plan_of(made, "sides"), made.environment().lake
    assert "timeout_widths" not in read_predictions(plan, lake, plan.symbols, *SPAN).columns
    assert json.loads(ensembles(made, "sides")[AS_OFS[0]].read_text())["timeouts"] == {}


def test_a_lake_of_an_older_version_is_traded_as_before(made: Any, tmp_path: Path) -> None:
    theirs = made.copy(tmp_path)
    for path in ensembles(theirs).values():
        document = json.loads(path.read_text())
        del document["timeouts"]
        path.write_text(json.dumps(document))
    plan, lake = plan_of(theirs), theirs.environment().lake
    said = read_predictions(plan, lake, plan.symbols, *SPAN)
    assert said["timeout_widths"].null_count() == said.height
    with theirs.workshop() as workshop:
        workshop.backfill("evaluate", experiment="e")
