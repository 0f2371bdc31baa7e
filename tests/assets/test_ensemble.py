"""Blends of every kind, through the assets: what they learn from had not been learnt by their members."""

import io
import json
import shutil

import dagster as dg
import polars as pl
import pytest
import yaml

from nightfold.tuning.selection import BEST_CONFIG

BLENDS = {
    "averaged": {"method": "mean"},
    "weighed": {"method": "weighted", "oof": "past"},
    "gathered": {"method": "stack", "oof": "past"},
    "ranked": {"method": "rank"},
    "stacked": {"method": "stack", "oof_blocks": 2},
    "folded": {"method": "stack", "oof": "purged_kfold", "oof_blocks": 3},
}


@pytest.fixture(scope="module")
def made(deploy):
    place = deploy(experiments={name: {"ensemble": blend} for name, blend in BLENDS.items()})
    with place.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict"):
            workshop.backfill(layer)
    return place


def as_ofs(place, name: str) -> list[str]:
    return sorted(path.name for path in (place.lake / f"{name}/ensemble/universe=pooled").iterdir())


def read(place, name: str, stage: str, as_of: str, file: str) -> bytes:
    (found,) = (place.lake / f"{name}/{stage}/universe=pooled/{as_of}").rglob(file)
    return found.read_bytes()


@pytest.mark.parametrize("name", BLENDS)
def test_every_blend_forecasts_probabilities(made, name) -> None:
    files = sorted((made.lake / f"{name}/predictions").rglob("*.parquet"))
    said = pl.concat(pl.read_parquet(file) for file in files).filter(pl.col("as_of").is_not_null())
    assert said.height > 100
    total = said.select(pl.sum_horizontal("p_down_5", "p_flat_5", "p_up_5")).to_series()
    assert total.is_between(1 - 1e-9, 1 + 1e-9).all()
    document = json.loads(read(made, name, "ensemble", as_ofs(made, name)[-1], "judgement.json"))["5"]
    assert set(document["weights"]) == {"class_frequencies", "logistic_regression"}
    assert document["gate"]["passed"] in {True, False}


def forecasts(made, name: str, as_of: str) -> pl.DataFrame:
    (found,) = (made.lake / f"{name}/logistic_regression/universe=pooled/{as_of}").rglob("validation.parquet")
    return pl.read_parquet(found)


def test_more_blocks_reach_further_back_and_are_out_of_sample(made) -> None:
    as_of = as_ofs(made, "stacked")[-1]
    plain, blocks, folds = (forecasts(made, name, as_of) for name in ("averaged", "stacked", "folded"))
    assert plain.height < blocks.height < folds.height
    assert (blocks["learnt_until"] < blocks["open_time"]).all()
    assert blocks["learnt_until"].n_unique() == 2
    assert folds["learnt_until"].null_count() == folds.height
    assert folds.select("symbol", "open_time").is_unique().all()


@pytest.mark.parametrize("name", ["stacked", "folded"])
def test_a_blend_of_more_rows_is_judged_on_validation_rows_that_no_fit_was_stopped_by(made, name) -> None:
    as_of = as_ofs(made, name)[-1]
    split = json.loads(read(made, name, "splits", as_of, "split.json"))["5"]
    validation = pl.col("open_time") >= pl.lit(split["span"]["validation_from"]).str.to_datetime(time_zone="UTC")
    known = forecasts(made, name, as_of)
    untouched = known.filter(validation)
    assert untouched.height < known.height / 2
    judged = json.loads(read(made, name, "ensemble", as_of, "judgement.json"))["5"]["scores"][0]["rows"]
    assert judged == untouched.height
    calibrator = json.loads(read(made, name, "ensemble", as_of, "ensemble.json"))["ensembles"]["5"]["calibrator"]
    assert calibrator["rows"] == untouched.filter(pl.col("label") != 0).height


def test_purged_folds_are_remarked_on(made) -> None:
    with made.workshop() as workshop:
        for name in BLENDS:
            event = workshop.instance.get_latest_materialization_event(dg.AssetKey([name, "ensemble"]))
            shown = event.asset_materialization.metadata
            assert ("learns_from" in shown) == (name == "folded")
            if name == "folded":
                assert "had learnt from later rows as well" in shown["learns_from"].value


@pytest.mark.parametrize(("name", "told"), [("folded", True), ("stacked", False)])
def test_folds_that_learn_from_later_rows_tell_of_an_embargo_that_features_look_back_over(made, name, told) -> None:
    """Returns look back 288 bars, and the embargo is 5."""
    with made.workshop() as workshop:
        key = dg.AssetKey([name, "logistic_regression"])
        shown = workshop.instance.get_latest_materialization_event(key).asset_materialization.metadata
    assert ("warning" in shown) == told
    if told:
        assert "`embargo` is 5, shorter than `lookback`, 288 bars" in shown["warning"].value


def test_an_ensemble_of_the_past_changes_with_an_earlier_as_of(made, tmp_path) -> None:
    first, *_, last = as_ofs(made, "weighed")
    stored = json.loads(read(made, "weighed", "ensemble", last, "ensemble.json"))
    judged = json.loads(read(made, "weighed", "ensemble", last, "judgement.json"))["5"]["scores"]
    assert judged[0]["rows"] > forecasts(made, "weighed", last).height  # the later half alone is more than its own rows
    alone = json.loads(read(made, "weighed", "ensemble", first, "ensemble.json"))
    assert alone["ensembles"]["5"]["blender"] != stored["ensembles"]["5"]["blender"]


def test_a_stack_of_the_past_is_the_mean_until_there_are_enough_rows_and_says_so(made) -> None:
    first = as_ofs(made, "gathered")[0]
    ours, mean = (json.loads(read(made, name, "ensemble", first, "ensemble.json")) for name in ("gathered", "averaged"))
    assert ours["ensembles"] == mean["ensembles"]
    methods = {"averaged": "mean", "weighed": "weighted", "gathered": "mean", "ranked": "rank", "stacked": "stack"}
    for name, method in methods.items():
        assert json.loads(read(made, name, "ensemble", first, "judgement.json"))["5"]["method"] == method
        with made.workshop() as workshop:
            events = workshop.instance.fetch_materializations(dg.AssetKey([name, "ensemble"]), limit=20).records
        shown = {each.asset_materialization.partition: each.asset_materialization.metadata for each in events}
        told = shown[f"{first}|pooled"].get("blended_by")
        assert (told is not None) == (name == "gathered")
        if told:
            assert told.value.startswith("the mean, until stack has 60 independent rows; bars ahead (rows so far): 5 (")


def test_the_past_counts_only_as_far_as_the_same_was_learnt(deploy) -> None:
    past = {"ensemble": {"method": "mean", "oof": "past"}}
    place = deploy(experiments={"turned": past})
    with place.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer)
        workshop.backfill("train", "2024-02-12", "2024-02-12")
    target = {"kind": "direction", "horizons": [5]}
    path = place.configs / "experiments/turned.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "target": target}))
    with place.workshop() as workshop:
        workshop.backfill("train", "2024-02-19", "2024-02-19")
    made = json.loads(read(place, "turned", "ensemble", "2024-02-19", "ensemble.json"))
    moved = forecasts(place, "turned", "2024-02-19").filter(pl.col("label") != 0).height
    assert made["ensembles"]["5"]["calibrator"]["rows"] == moved


def test_the_past_counts_only_as_far_as_members_were_tuned_alike(deploy, tmp_path) -> None:
    """Searched each week: three leaves at first, then seven for two weeks, whatever the searches found."""
    search = {"method": "random", "trials": 2, "folds": 1, "rungs": 1, "space": {"leaves": [3, 7]}}
    members = {"lightgbm": {"rounds": 5, "min_data_in_leaf": 20, "tuning": search}}
    place = deploy(
        universe={"symbols": ["AAAUSDT"]},
        experiments={"tuned": {"models": members, "retune": "week", "ensemble": {"method": "mean", "oof": "past"}}},
    )
    weeks, lake = {"2024-02-12": 3, "2024-02-19": 7, "2024-02-26": 7}, place.environment().lake
    with place.workshop() as workshop:
        for layer in ("ingest", "research", "tune"):
            workshop.backfill(layer)
        for as_of, leaves in weeks.items():
            key, partition = "tuned/tuning", f"universe=pooled/{as_of}"
            folder = shutil.copytree(lake.fetch_folder(key, partition, tmp_path), tmp_path / as_of)
            found = json.loads((folder / "lightgbm" / BEST_CONFIG).read_text())
            found["config"]["leaves"] = leaves
            (folder / "lightgbm" / BEST_CONFIG).write_text(json.dumps(found))
            lake.write_folder(key, partition, f"{leaves} leaves", folder)
        workshop.backfill("train")

    def rows(*as_ofs: str) -> int:
        files = (read(place, "tuned", "lightgbm", as_of, "validation.parquet") for as_of in as_ofs)
        known = pl.concat(pl.read_parquet(io.BytesIO(file)) for file in files)
        return known.unique(["symbol", "open_time"]).filter(pl.col("label") != 0).height

    def used(as_of: str) -> int:
        made = json.loads(read(place, "tuned", "ensemble", as_of, "ensemble.json"))
        return made["ensembles"]["5"]["calibrator"]["rows"]

    _, second, third = weeks
    assert used(second) == rows(second)
    assert used(third) == rows(second, third) > rows(third)


def test_validation_rows_that_all_went_up_leave_a_base_rate_and_are_recorded(deploy) -> None:
    place = deploy(experiments={"rising": {}})
    with place.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer)
    late = pl.col("open_time") >= pl.datetime(2024, 2, 7, time_zone="UTC")
    for path in (place.lake / "labels").rglob("2024-02-01.parquet"):
        risen = pl.when(late).then(pl.lit(1, pl.Int8)).otherwise("label_5").alias("label_5")
        pl.read_parquet(path).with_columns(risen).write_parquet(path)
    with place.workshop() as workshop:
        workshop.backfill("train", "2024-02-12", "2024-02-12")
        workshop.backfill("predict")
        event = workshop.instance.get_latest_materialization_event(dg.AssetKey(["rising", "ensemble"]))
    shown = event.asset_materialization.metadata["calibration"].value
    assert shown == "5 bars: all calibration rows went one way, so direction is not forecast"
    made = json.loads(read(place, "rising", "ensemble", "2024-02-12", "ensemble.json"))["ensembles"]["5"]
    assert made["calibrator"]["one_sided"]
    assert made["calibrator"]["slope"] == 0
    told = pl.read_parquet(sorted((place.lake / "rising/predictions").rglob("*.parquet"))).drop_nulls("as_of")
    share = told["p_up_5"] / (told["p_up_5"] + told["p_down_5"])
    assert share.to_numpy() == pytest.approx(made["calibrator"]["base_rate"])
