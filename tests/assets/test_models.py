"""Fits that are taken as they are, and fits that are not: what a model was made from decides."""

import json

import polars as pl
import pytest

LEVELS = {"kind": "return", "task": "quantile", "horizons": [5]}
FIRST, SECOND = "2024-02-12", "2024-02-19"


@pytest.fixture
def made(deploy):
    models = {"climatological_quantiles": None, "monthly": {"model": "climatological_quantiles", "retrain": "month"}}
    place = deploy(experiments={"levels": {"target": LEVELS, "models": models}})
    with place.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer)
        workshop.backfill("train", FIRST, FIRST)
    return place


def change(place, **settings) -> None:
    import yaml

    path = place.configs / "experiments/levels.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **settings}))


def stored(place, member: str, as_of: str, file: str):
    current = json.loads((place.lake / f"levels/{member}/universe=pooled/{as_of}/current.json").read_text())
    return place.lake / f"levels/{member}/universe=pooled/{as_of}/{current['version']}/{file}"


def test_other_quantiles_of_the_same_rows_are_fitted_anew(made) -> None:
    change(made, target={**LEVELS, "quantiles": [0.1, 0.5, 0.9]})
    with made.workshop() as workshop:
        workshop.backfill("train", FIRST, FIRST)
    for member in ("climatological_quantiles", "monthly"):
        manifest = json.loads(stored(made, member, FIRST, "bundle/bundle.json").read_text())
        assert manifest["objective"]["quantiles"] == [0.1, 0.5, 0.9]
        assert "q10" in pl.read_parquet(stored(made, member, FIRST, "validation.parquet")).columns


def test_a_model_does_not_go_on_where_something_else_is_to_be_learnt(made) -> None:
    change(made, features={"groups": ["volatility"]})
    with made.workshop() as workshop:
        workshop.backfill("train", SECOND, SECOND)
    assert json.loads(stored(made, "monthly", SECOND, "fitted.json").read_text())["as_of"] == SECOND
