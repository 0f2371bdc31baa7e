"""The tearsheet in the lake: what lies beside a backtest, and what an older lake lacks."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assets.background import stored_record
from assets.leaderboard import store_run, stored_runs
from assets.tearsheet import _stored
from nightfold.errors import LakeError
from nightfold.evaluation import BacktestRange
from nightfold.target import Target
from nightfold.tearsheet.content import Record
from nightfold.tearsheet.summary import by_symbol

pytestmark = pytest.mark.xdist_group("line")

FIRST, LAST = date(2024, 2, 12), date(2024, 2, 29)
AS_OFS = [date(2024, 2, 12), date(2024, 2, 19), date(2024, 2, 26)]


def record_of(deployment: Any, name: str, last: date = LAST) -> Record:
    return stored_record(deployment.build()[1].plans[name], deployment.environment().lake, FIRST, last)


def page_of(deployment: Any, name: str) -> tuple[str, dict[str, Any]]:
    (reports,) = (deployment.folder / "data").glob("*/reports")
    page = (reports / name / "tearsheet.html").read_text()
    return page, json.loads((reports / name / "tearsheet.json").read_text())


@pytest.fixture(scope="module")
def record(finished: Any) -> Record:
    return record_of(finished, "single")


def known(frame: pl.DataFrame | None) -> pl.DataFrame:
    assert frame is not None
    return frame


def test_every_split_is_accounted_for(record: Record) -> None:
    splits, accounts = known(record.splits), known(record.accounts)
    assert splits.select("universe", "as_of").rows() == [(u, d) for u in ("AAAUSDT", "BBBUSDT") for d in AS_OFS]
    kept = accounts.filter(reason="kept").group_by("universe", "as_of").agg(pl.col("rows").sum())
    parts = splits.join(kept, on=["universe", "as_of"])
    assert parts["rows"].equals(parts["train"], check_names=False)


def test_lineage_is_that_of_the_lake(record: Record, finished: Any) -> None:
    lake = finished.environment().lake
    for as_of, universe, dataset, ensemble, members in known(record.lineage).iter_rows():
        assert ensemble == lake.version("single/ensemble", f"universe={universe}/{as_of}")
        fitted = lake.version("single/logistic_regression", f"universe={universe}/{as_of}")
        assert members.endswith(f", logistic_regression {fitted}")
        assert len(dataset) >= 16


def test_forecasts_are_those_of_the_days_and_symbols(record: Record, finished: Any) -> None:
    log = known(record.forecast_log)
    assert set(log["symbol"]) == {"AAAUSDT", "BBBUSDT"}
    days = log["open_time"].dt.date()
    assert (days.min(), days.max()) == (FIRST, LAST)
    fewer = known(record_of(finished, "single", AS_OFS[1]).forecast_log)
    assert fewer["open_time"].dt.date().max() == AS_OFS[1]


def test_only_models_up_to_the_last_day_are_counted(finished: Any) -> None:
    fewer = record_of(finished, "single", AS_OFS[1])
    for frame in (fewer.splits, fewer.accounts, fewer.lineage, fewer.weights, fewer.importance):
        assert set(known(frame)["as_of"]) == set(AS_OFS[:2])


def test_members_tell_what_they_look_at_and_weigh(record: Record) -> None:
    assert set(known(record.importance)["model"]) == {"logistic_regression"}  # frequencies look at nothing
    totals = known(record.weights).group_by("as_of", "universe").agg(pl.col("weight").sum())
    assert totals["weight"].to_list() == pytest.approx([1.0] * 6)
    assert record.policies is None


def test_the_page_of_the_lake_shows_its_record(finished: Any) -> None:
    page, figures = page_of(finished, "single")
    sections = figures["sections"]
    assert sections["models"]["said"][0] == "What they look at is not told by class_frequencies."
    assert sections["policy"]["said"] == [
        "This experiment searches no policy: what its strategy says is traded throughout."
    ]
    assert sections["outcomes"]["outcome-scatter"]["symbol"]
    assert {row["ensemble"] for row in sections["provenance"]["lineage"]} == set(
        known(record_of(finished, "single").lineage)["ensemble"]
    )
    assert "unknown: no forecast log" not in page
    assert len(page) < 1_000_000


def test_variants_of_a_lake_are_shown_with_how_alike_they_are(finished: Any, tmp_path: Path) -> None:
    theirs = finished.copy(tmp_path)
    lake = theirs.environment().lake
    own = next(run for run in stored_runs(lake) if run.card.experiment == "single")
    pairs = by_symbol(_stored(theirs.build()[1].plans["single"], lake, BacktestRange()).trades)
    noise = pl.Series(np.random.default_rng(1).normal(0, 0.01, own.daily.height))
    for number in (1, 2):
        card = own.card.model_copy(update={"variant": f"{number:016d}"})
        store_run(lake, replace(own, card=card, daily=own.daily.with_columns(daily_return=number * noise)), pairs)
    with theirs.workshop() as workshop:
        workshop.backfill("evaluate", experiment="single")
    _, figures = page_of(theirs, "single")
    luck = figures["sections"]["trust"]["luck"]
    alike, tried = luck["trial_correlation"], luck["n_trials"]
    assert tried >= 3
    assert 0 < alike <= 1 + 1e-12
    assert 3 <= luck["n_compared"] <= tried
    assert luck["effective_trials"] == figures["effective_trials"] == pytest.approx(alike + (1 - alike) * tried)


def test_an_older_lake_has_unknown_parts_and_still_a_page(finished: Any, tmp_path: Path) -> None:
    older = finished.copy(tmp_path / "older")
    shutil.rmtree(older.lake / "single/forecast_log")
    for name in ("importance.parquet", "judgement.json"):
        for file in list((older.lake / "single").rglob(name)):
            file.unlink()
    record = record_of(older, "single")
    assert (record.forecast_log, record.importance, record.weights) == (None, None, None)
    with older.workshop() as workshop:
        workshop.backfill("evaluate", experiment="single")
    page, _ = page_of(older, "single")
    assert "no forecast log is stored" in page
    assert "What the models look at is unknown" in page


def test_a_backtest_of_an_older_version_is_refused_with_the_way_out(finished: Any, tmp_path: Path) -> None:
    older = finished.copy(tmp_path / "older")
    (file,) = (older.lake / "single/backtest").rglob("shocks.parquet")
    file.unlink()
    with pytest.raises(LakeError, match="older version, without shocks; materialize it again"):
        _stored(older.build()[1].plans["single"], older.environment().lake, BacktestRange())


@pytest.fixture(scope="module")
def searched(deploy: Callable[..., Any]) -> Any:
    policy = {"window_days": 7, "trials": 2, "min_trades": 1}
    deployment = deploy(experiments={"e": {"policy": policy, "models": {"logistic_regression": None}}})
    with deployment.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict", "policy", "evaluate"):
            workshop.backfill(layer)
    return deployment


def test_policies_stand_with_their_reasons(searched: Any) -> None:
    cards = known(record_of(searched, "e").policies)
    assert cards["as_of"].dt.date().to_list() == AS_OFS
    assert cards["is_complete"].to_list() == [False, True, True]
    assert cards["reason"][0] == "0 of 7 days of predictions lie before it"
    _, figures = page_of(searched, "e")
    assert figures["first_day"] == "2024-02-19"
    said = figures["sections"]["policy"]["said"]
    assert "came into force on 2024-02-19; the first window is never in the headline." in said[0]


def test_a_target_without_a_side_has_a_page_that_says_so(deploy: Callable[..., Any]) -> None:
    target = Target(kind="mfe", horizons=[5]).model_dump(include={"kind", "horizons"})
    deployment = deploy(experiments={"e": {"target": target, "models": {"training_mean": None}}})
    with deployment.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict", "evaluate"):
            workshop.backfill(layer)
    page, figures = page_of(deployment, "e")
    said = figures["sections"]["outcomes"]["said"]
    assert said == ["What came of each forecast is unknown: its target names no side, so there is no move to log."]
    assert figures["verdict"]["headline"].startswith("No trades")
    assert "What they look at is not told by training_mean." in page


def test_a_log_of_an_older_version_is_not_read(finished: Any, tmp_path: Path) -> None:
    older = finished.copy(tmp_path / "older")
    for file in (older.lake / "single/forecast_log").rglob("*.parquet"):
        pl.read_parquet(file).drop("known_at").write_parquet(file)
    record = record_of(older, "single")
    assert (record.forecast_log, record.why_no_log) == (None, "the forecast log was made by an older version")
