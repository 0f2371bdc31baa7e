"""What the UI and MLflow show of a fit, in a deployment with boosting."""

import json

import dagster as dg
import polars as pl
import pytest
from mlflow import MlflowClient

from nightfold.errors import LakeError
from nightfold.models.bundle import load_bundle
from nightfold.record.table import CURVES, FOLDS, IMPORTANCE
from nightfold.window import parse_moment
from pipeline_defs.runs import RunFailedError
from resources.lake import Lake
from resources.tracking import Tracking

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's own use of SQLAlchemy

TREES = {"rounds": 30, "min_data_in_leaf": 20, "learning_rate": 0.3, "leaves": 8, "early_stopping_rounds": 10}
KEY = "boosted/lightgbm"


@pytest.fixture(scope="module")
def made(deploy):
    models = {"lightgbm": {**TREES, "retrain": "month"}, "class_frequencies": None}
    place = deploy(
        universe={"source": {"kind": "simulated", "trend_strength": 0.5}},
        experiments={"boosted": {"models": models, "first_as_of": "2024-02-12"}},
    )
    with place.workshop() as workshop:
        for layer in ("ingest", "research", "train"):
            workshop.backfill(layer)
    return place


@pytest.fixture(scope="module")
def shown(made):
    """Metadata of the member, by as-of."""
    with made.workshop() as workshop:
        records = workshop.instance.fetch_materializations(dg.AssetKey(KEY.split("/")), limit=20).records
        events = [record.asset_materialization for record in records]
        return {str(event.partition).partition("|")[0]: event.metadata for event in events}


def folders(made):
    """Return its stored folders by as-of, first those of a fit."""
    found = sorted((made.lake / KEY).rglob("fitted.json"))
    return {path.relative_to(made.lake / KEY).parts[1]: path.parent for path in found}


def test_curves_and_importance_lie_beside_the_bundle_and_stay_with_a_model_that_goes_on(made):
    stored = folders(made)
    fitted = {as_of: json.loads((folder / "fitted.json").read_text())["as_of"] for as_of, folder in stored.items()}
    assert any(as_of != came for as_of, came in fitted.items())
    for as_of, folder in stored.items():
        curves = CURVES.validate(pl.read_parquet(folder / "curves.parquet"))
        importance = IMPORTANCE.validate(pl.read_parquet(folder / "importance.parquet"))
        folds = FOLDS.validate(pl.read_parquet(folder / "folds.parquet"))
        assert folds["part"].to_list() == ["train", "stopping", "validation"]
        assert folds["last"].max() < parse_moment(fitted[as_of], "as_of")
        assert set(curves["part"]) == {"train", "stopping"}
        assert set(importance["measure"]) == {"gain", "contribution"}
        assert curves.equals(pl.read_parquet(stored[fitted[as_of]] / "curves.parquet"))
        assert not any(
            "curves" in name or "importance" in name for name in load_bundle(folder / "bundle").manifest.files
        )


def test_the_ui_shows_features_curves_and_training_scores(made, shown):
    (reports,) = (made.folder / "data").glob("*/reports")
    for as_of in folders(made):
        metadata = shown[as_of]
        address = metadata["curves"].md_str.partition("](")[2].rstrip(")")
        picture = reports / address.removeprefix("/reports/").partition("?")[0]
        assert picture.read_text().startswith("<svg")
        lines = metadata["top_features"].md_str.splitlines()
        assert lines[0] == "| feature | contribution % | gain % |"
        assert 3 < len(lines) <= 12
        assert "| train_log_loss |" in metadata["validation"].md_str


def test_a_model_leads_to_its_run_where_its_curves_are_drawn(made, shown):
    (database,) = (made.folder / "data").rglob("mlflow.db")
    client = MlflowClient(f"sqlite:///{database}")
    as_of, folder = next(iter(folders(made).items()))
    link = shown[as_of]["mlflow_run"].md_str
    run = client.get_run(link.partition("[")[2].partition("]")[0])
    assert f"(http://127.0.0.1:5000/#/runs/{run.info.run_id})" in link
    assert f"`mlflow ui --backend-store-uri sqlite:///{database}`" in link
    curves = pl.read_parquet(folder / "curves.parquet").filter(part="stopping")
    drawn = client.get_metric_history(run.info.run_id, "h05/stopping")
    assert {each.step: each.value for each in drawn} == dict(curves.select("round", "score").rows())
    assert "h05/train_log_loss" in run.data.metrics
    assert "importance.parquet" in {file.path for file in client.list_artifacts(run.info.run_id)}


def test_a_model_that_is_found_fitted_and_one_that_goes_on_lead_to_the_run_all_the_same(made, shown, tmp_path):
    stored = folders(made)
    fitted = {as_of: json.loads((folder / "fitted.json").read_text())["as_of"] for as_of, folder in stored.items()}
    links = {as_of: shown[as_of]["mlflow_run"].md_str for as_of in stored}
    assert links == {as_of: links[fitted[as_of]] for as_of in stored}
    assert [as_of for as_of in stored if "cpu_seconds" in shown[as_of]] == sorted(set(fitted.values()))
    ours, first = made.copy(tmp_path), min(stored)
    told: list[str] = []
    with ours.workshop(told=told) as workshop:
        workshop.backfill("train", first, first)
        event = workshop.instance.get_latest_materialization_event(dg.AssetKey(KEY.split("/")))
    again = event.asset_materialization
    assert again.partition.startswith(first)
    assert any("lightgbm" in line and "already fitted" in line for line in told)
    assert again.metadata["mlflow_run"].md_str.partition("]")[0] == links[first].partition("]")[0]
    assert again.metadata["cpu_seconds"].value == shown[first]["cpu_seconds"].value > 0


@pytest.fixture(scope="module")
def prepared(deploy):
    """One member that retrains with each month, and nothing fitted."""
    models = {"class_frequencies": {"retrain": "month"}}
    place = deploy(experiments={"plain": {"models": models, "first_as_of": "2024-02-12"}})
    with place.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer)
    return place


def runs(place):
    """As-of, state and id of every run that MLflow has of a deployment."""
    client = MlflowClient(f"sqlite:///{place.lake.parent / 'mlflow.db'}")
    experiments = [each.experiment_id for each in client.search_experiments(filter_string="name = 'plain'")]
    found = client.search_runs(experiments) if experiments else []
    return sorted((run.data.tags["as_of"], run.info.status, run.info.run_id) for run in found)


def train(place, *as_ofs):
    """Train from the first to the last of some as-ofs; return the links of what was made last, by as-of."""
    with place.workshop() as workshop:
        workshop.backfill("train", as_ofs[0], as_ofs[-1])
        key = dg.AssetKey(["plain", "class_frequencies"])
        events = [each.asset_materialization for each in workshop.instance.fetch_materializations(key, limit=9).records]
    latest = {str(event.partition).partition("|")[0]: event.metadata["mlflow_run"].md_str for event in reversed(events)}
    return {as_of: latest[as_of].partition("[")[2].partition("]")[0] for as_of in as_ofs}


def test_a_model_that_the_lake_cannot_take_leaves_no_run(prepared, tmp_path, monkeypatch):
    ours, write = prepared.copy(tmp_path), Lake.write_folder

    def full(lake, key, *arguments):
        if key == "plain/class_frequencies":
            raise LakeError("no space left on device")
        return write(lake, key, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "write_folder", full)
        with pytest.raises(RunFailedError, match="no space left"):
            train(ours, "2024-02-12")
    assert runs(ours) == []
    assert not (ours.lake / "plain/class_frequencies").exists()
    link = train(ours, "2024-02-12")
    assert runs(ours) == [("2024-02-12", "FINISHED", link["2024-02-12"])]


@pytest.mark.parametrize("cut", ["log", "_write"])
def test_a_model_stored_but_not_tracked_has_its_one_run_after_the_next_materialization(
    prepared, tmp_path, monkeypatch, cut
):
    """Cut off before its run was begun, and while it was written."""
    ours = prepared.copy(tmp_path)

    def killed(*_):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Tracking, cut, killed)
        with pytest.raises(RunFailedError, match="killed"):
            train(ours, "2024-02-12")
    assert (ours.lake / "plain/class_frequencies/universe=pooled/2024-02-12/current.json").exists()
    assert "FINISHED" not in {state for _, state, _ in runs(ours)}
    for as_ofs in (["2024-02-12", "2024-02-19"], ["2024-02-12"], ["2024-02-19"]):
        links = train(ours, *as_ofs)
        assert runs(ours) == [("2024-02-12", "FINISHED", links[as_ofs[0]])]
        assert set(links.values()) == {links[as_ofs[0]]}
