"""Quantiles from the split to the pages: what few rows are worth, and how often what came lay under each level."""

import dagster as dg
import polars as pl
import pytest

from nightfold.backtest.table import TABLES
from nightfold.coverage import CONSTANT

RANGE = {
    "target": {"kind": "return", "task": "quantile", "horizons": [5], "quantiles": [0.05, 0.5, 0.95]},
    "models": {"climatological_quantiles": None, "lightgbm": {"rounds": 5}},
}


@pytest.fixture(scope="module")
def made(deploy):
    place = deploy(experiments={"ranged": RANGE})
    with place.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict", "evaluate"):
            workshop.backfill(layer)
    return place


def test_a_split_flags_levels_that_its_rows_can_hardly_tell(made) -> None:
    with made.workshop() as workshop:
        event = workshop.instance.get_latest_materialization_event(dg.AssetKey(["ranged", "splits"]))
    shown = event.asset_materialization.metadata
    worth = shown["effective_rows"].value
    assert worth < shown["train_rows"].value / 2 / 5  # two symbols, labels of five bars
    assert shown["thin_quantiles"].value == (
        f"0.05, 0.95: under 10 of {worth:.0f} independent rows lie beyond it; take a longer window"
    )


def test_pages_show_each_level_with_an_interval_beside_the_training_quantiles(made) -> None:
    (path,) = (made.lake / "ranged/backtest").rglob("levels.parquet")
    levels = TABLES["levels"].validate(pl.read_parquet(path))
    assert levels.height == 4 * 4  # ensemble, two members, training quantiles; three levels and the range between
    assert levels["low"].null_count() == 0
    assert levels.filter(model=CONSTANT, level=0.5)["share"].item() == pytest.approx(0.5, abs=0.2)
    (reports,) = (made.folder / "data").glob("*/reports")
    page = (reports / "ranged/model_comparison.html").read_text()
    assert '<th scope="row">training quantiles</th><td>5</td><td>0.05</td><td>5.0 %</td>' in page
    scores = pl.read_parquet(path.parent / "scores.parquet")
    assert scores["coverage"].null_count() == 0
    text = (reports / "ranged/model_comparison.md").read_text()
    assert "| coverage |" in text
