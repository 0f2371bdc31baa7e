"""The search asset on the simulated market: made once, on known rows, and read by every model after it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from pydantic import ValidationError

from assets.partitions import AsOfPartition
from assets.tuning import STAGE, TRIALS, stored_ledger, tuned_choice, whole_ledger
from nightfold.errors import ConfigError, LakeError
from nightfold.experiment import Experiment
from nightfold.models.bundle import load_bundle
from nightfold.tuning.ledger import LEDGER, configurations
from nightfold.tuning.luck import winner_luck
from nightfold.tuning.selection import BEST_CONFIG
from nightfold.window import window_of
from pipeline_defs.nightly import Night, Step, tune

FEBRUARY_12, FEBRUARY_26 = datetime(2024, 2, 12, tzinfo=UTC), datetime(2024, 2, 26, tzinfo=UTC)
TUNING = {"method": "random", "trials": 4, "batch": 2, "folds": 2, "rungs": 2, "space": {"leaves": [3, 7, 12]}}
SEARCHED = {
    "models": {
        "class_frequencies": None,
        "lightgbm": {"rounds": 20, "min_data_in_leaf": 20, "tuning": TUNING},
    }
}
PLACE = "universe=pooled/2024-02-12"


@pytest.fixture(scope="module")
def made(deploy: Callable[..., Any]) -> Any:
    deployment = deploy(experiments={"e": SEARCHED})
    with deployment.workshop() as workshop:
        for layer in ("ingest", "research", "tune", "train"):
            workshop.backfill(layer)
    return deployment


def plan_of(deployment: Any) -> Any:
    return deployment.build()[1].plans["e"]


def best(deployment: Any, folder: Path) -> dict[str, Any]:
    plan = plan_of(deployment)
    stored = deployment.environment().lake.fetch_folder(plan.key(STAGE), PLACE, folder)
    return dict(json.loads((stored / "lightgbm" / BEST_CONFIG).read_text()))


def test_one_search_is_made_before_the_first_as_of_and_every_model_after_it_has_its_settings(
    made: Any, tmp_path: Path
) -> None:
    lake, plan = made.environment().lake, plan_of(made)
    assert lake.as_ofs("e/tuning", "pooled") == ["2024-02-12"]
    as_ofs = lake.as_ofs("e/lightgbm", "pooled")
    assert as_ofs == ["2024-02-12", "2024-02-19", "2024-02-26"]
    config = best(made, tmp_path)
    assert config["model_address"] == "e/lightgbm/universe=pooled/2024-02-12"
    assert config["date"] == "2024-02-12T00:00:00+00:00"
    assert config["config"]["leaves"] in {3, 7, 12}
    assert config["config"]["rounds"] == 20
    for as_of in as_ofs:
        folder = tmp_path / as_of
        stored = lake.fetch_folder(plan.key("lightgbm"), f"universe=pooled/{as_of}", folder)
        assert load_bundle(stored / "bundle").manifest.spec == config["config"]
        assert pl.read_parquet(stored / TRIALS).equals(stored_ledger(plan, lake, PLACE))


def test_every_trial_is_in_the_ledger_with_returns_of_days_before_the_as_of(made: Any) -> None:
    plan, lake = plan_of(made), made.environment().lake
    ledger = LEDGER.validate(stored_ledger(plan, lake, PLACE))
    assert ledger.height == 4
    assert set(ledger["subject"]) == {"e/lightgbm/pooled"}
    assert ledger["state"].to_list().count("complete") == 2
    assert configurations(ledger) == len({json.loads(each)["leaves"] for each in ledger["settings"]})
    last = ledger.select(last=pl.col("first_day") + pl.duration(days=pl.col("daily_returns").list.len() - 1))["last"]
    assert all(day < FEBRUARY_12.date() for day in last)
    assert whole_ledger(plan, lake).equals(ledger)


def test_the_winner_is_shown_with_what_its_trials_leave_of_its_sharpe_ratio(made: Any, tmp_path: Path) -> None:
    """The same figures where the search is made, and where it is found made."""
    ours = made.copy(tmp_path)
    ledger = stored_ledger(plan_of(ours), ours.environment().lake, PLACE)
    settings = best(ours, tmp_path)["config"]
    winner = ledger.filter(pl.col("settings") == json.dumps(settings, sort_keys=True))["configuration"][0]
    expected = winner_luck(ledger, winner)
    assert expected.deflated_sharpe is not None

    def shown(workshop: Any) -> Any:
        event = workshop.instance.get_latest_materialization_event(dg.AssetKey(["e", "tuning"]))
        return event.asset_materialization.metadata

    with ours.workshop() as workshop:
        first = shown(workshop)
        workshop.backfill("tune")
        again = shown(workshop)
    for metadata in (first, again):
        assert metadata["lightgbm_deflated_sharpe"].value == pytest.approx(expected.deflated_sharpe, rel=1e-5)
        assert f"| lightgbm | {expected.configurations} |" in metadata["luck"].value


def test_searching_again_adds_nothing_also_where_it_is_forced(made: Any, tmp_path: Path) -> None:
    ours = made.copy(tmp_path)
    said: list[str] = []
    stored = stored_ledger(plan_of(ours), ours.environment().lake, PLACE)
    with ours.workshop(told=said) as workshop:
        workshop.backfill("tune")
        assert any("already searched" in line for line in said)
        workshop.backfill("tune", force=True)
    assert stored_ledger(plan_of(ours), ours.environment().lake, PLACE).equals(stored)


def test_later_bars_and_labels_do_not_change_a_search(deploy: Callable[..., Any], made: Any, tmp_path: Path) -> None:
    """The same market ending on the as-of of the search, rather than weeks later."""
    short = deploy(universe={"end": "2024-02-13"}, experiments={"e": SEARCHED})
    with short.workshop() as workshop:
        for layer in ("ingest", "research", "tune"):
            workshop.backfill(layer)
    assert best(short, tmp_path / "short") == best(made, tmp_path / "made")
    ledgers = [stored_ledger(plan_of(each), each.environment().lake, PLACE) for each in (short, made)]
    assert ledgers[0].equals(ledgers[1])


def test_settings_found_on_later_rows_are_refused(made: Any, tmp_path: Path) -> None:
    ours = made.copy(tmp_path / "ours")
    plan, lake = plan_of(ours), ours.environment().lake
    choice = plan.experiment.models["lightgbm"]
    partition = AsOfPartition(window_of(FEBRUARY_12, "week"), "pooled")
    assert tuned_choice(plan, lake, "lightgbm", choice, partition).spec != choice.spec
    folder = lake.fetch_folder(plan.key(STAGE), PLACE, tmp_path / "fetched")
    copy = tmp_path / "later"
    (copy / "lightgbm").mkdir(parents=True)
    config = json.loads((folder / "lightgbm" / BEST_CONFIG).read_text()) | {"date": FEBRUARY_26.isoformat()}
    (copy / "lightgbm" / BEST_CONFIG).write_text(json.dumps(config))
    (copy / TRIALS).write_bytes((folder / TRIALS).read_bytes())
    lake.write_folder(plan.key(STAGE), PLACE, "later", copy)
    with pytest.raises(LakeError, match=r"found on rows before 2024-02-26.* after the as-of 2024-02-12"):
        tuned_choice(plan, lake, "lightgbm", choice, partition)


def test_a_model_whose_search_was_not_made_says_how_to_make_it(deploy: Callable[..., Any]) -> None:
    empty = deploy(experiments={"e": SEARCHED})
    plan = plan_of(empty)
    partition = AsOfPartition(window_of(FEBRUARY_26, "week"), "pooled")
    with pytest.raises(LakeError, match=r"was not made as of 2024-02-12.*backfill --layer tune --experiment e"):
        tuned_choice(plan, empty.environment().lake, "lightgbm", plan.experiment.models["lightgbm"], partition)


@pytest.mark.parametrize("stage", [pytest.param("none", id="first night"), pytest.param("tuning", id="later nights")])
def test_a_night_searches_only_where_no_search_is_in_force_yet(
    deploy: Callable[..., Any], made: Any, stage: str
) -> None:
    deployment = made if stage == "tuning" else deploy(experiments={"e": SEARCHED})
    environment, (_, line) = deployment.environment(), deployment.build()
    night = Night(line, environment.universe, environment.lake, FEBRUARY_26)
    expected = [] if stage == "tuning" else [Step("e_tune", "2024-02-12|pooled", "2024-02-12|pooled")]
    assert tune(night) == expected


def test_the_picture_and_the_table_of_trials_stand_beside_the_asset(made: Any) -> None:
    reports = made.environment().reports
    assert (reports / "e" / "tuning" / "pooled" / "2024-02-12.svg").exists()


def test_an_experiment_without_tuning_has_no_search(deploy: Callable[..., Any]) -> None:
    deployment = deploy()
    _, line = deployment.build()
    assert not any("tun" in key for keys in line.layers.values() for key in keys)
    assert not any(layer.endswith("_tune") for layer in line.layers)
    with deployment.workshop() as workshop, pytest.raises(ConfigError, match="nothing is searched"):
        workshop.backfill("tune")


def test_windows_longer_than_a_member_stands_with_are_searched_and_the_chosen_one_is_fitted(
    deploy: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="networks come with the extra `neural`")
    small = {"window": 3, "hidden": 4, "epochs": 1, "device": "cpu"}
    search = {"method": "grid", "folds": 1, "rungs": 1, "space": {"window": [4, 6]}}
    deployment = deploy(
        universe={"symbols": ["AAAUSDT"], "end": "2024-02-13"},
        experiments={"e": {"models": {"class_frequencies": None, "gru": {**small, "tuning": search}}}},
    )
    with deployment.workshop() as workshop:
        for layer in ("ingest", "research", "tune", "train", "predict"):
            workshop.backfill(layer)
    plan, lake = plan_of(deployment), deployment.environment().lake
    assert plan.window == 6
    trials = stored_ledger(plan, lake, PLACE)
    assert {json.loads(each)["window"] for each in trials["settings"]} == {4, 6}
    assert trials["rows"].n_unique() == 1
    found = json.loads((lake.fetch_folder(plan.key(STAGE), PLACE, tmp_path) / "gru" / BEST_CONFIG).read_text())
    bundle = load_bundle(lake.fetch_folder(plan.key("gru"), PLACE, tmp_path) / "bundle")
    assert bundle.window == found["config"]["window"]


def test_an_embargo_shorter_than_the_lookback_is_told_where_training_rows_follow_tested_ones(
    deploy: Callable[..., Any],
) -> None:
    """The longest of the chosen features looks back 288 bars, the embargo is 5; told again where nothing is new."""
    tuned = {name: {**TUNING, "trials": 2, "scheme": name} for name in ("expanding", "purged_kfold")}
    deployment = deploy(
        universe={"symbols": ["AAAUSDT"], "end": "2024-02-13"},
        experiments={name: {"models": {"lightgbm": {"rounds": 5, "tuning": each}}} for name, each in tuned.items()},
    )

    def shown(workshop: Any, name: str) -> str | None:
        event = workshop.instance.get_latest_materialization_event(dg.AssetKey([name, "tuning"]))
        found = event.asset_materialization.metadata.get("warning")
        return None if found is None else str(found.value)

    said: list[str] = []
    with deployment.workshop(told=said) as workshop:
        for layer in ("ingest", "research", "tune", "tune"):
            workshop.backfill(layer)
            if layer == "tune":
                text = shown(workshop, "purged_kfold")
                assert text is not None
                assert text.startswith("`embargo` is 5, shorter than `lookback`, 288 bars")
                assert shown(workshop, "expanding") is None
    assert [line for line in said if "shorter than `lookback`" in line] == [f"  warning: {text}"]


BASE: dict[str, Any] = {"name": "e", "first_as_of": "2024-02-12", "models": {"lightgbm": {"tuning": {}}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"retrain": "week", "retune": "month"}, "`retune` is month and `retrain` week.*take `once` or week"),
        ({"models": {"lightgbm": {"tuning": {"space": {"leafs": [3]}}}}}, "`leafs` is unknown; did you mean leaves"),
        ({"models": {"lightgbm": {"tuning": {"metric": "rmse"}}}}, "metric of the task three_class `rmse` is unknown"),
        ({"models": {"class_frequencies": {"tuning": {}}}}, "has nothing to vary"),
    ],
)
def test_a_search_that_cannot_work_is_refused_when_the_file_is_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Experiment.model_validate(BASE | changes)


@pytest.mark.parametrize(
    ("retune", "expected"), [("once", "2024-02-12"), ("week", "2024-02-26"), ("month", "2024-02-01")]
)
def test_the_search_behind_a_model_is_never_later_than_its_as_of(retune: str, expected: str) -> None:
    experiment = Experiment.model_validate(BASE | {"retune": retune})
    window = experiment.tuning_window(datetime(2024, 2, 28, tzinfo=UTC))
    assert window.key == expected
