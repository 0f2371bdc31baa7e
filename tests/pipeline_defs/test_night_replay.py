"""Nights replayed on the simulated market against one backfill of the same range."""

import logging
from datetime import UTC, datetime

import dagster as dg
import polars as pl
import pytest

from nightfold.errors import ConfigError
from pipeline_defs.runs import RunFailedError

NIGHTS = [datetime(2024, *day, 0, 10, tzinfo=UTC) for day in ((1, 31), (2, 1), (2, 2), (2, 4))]  # the 3rd is missed
DATA = ("raw_bars", "bars", "features", "labels")
TRAINED = ("splits", "class_frequencies", "logistic_regression", "ensemble")
UNIVERSE = {"start": "2023-12-20", "end": None}
EXPERIMENTS = {
    "daily": {"first_as_of": "2024-01-31", "retrain": "day"},
    "weekly": {"first_as_of": "2024-01-29", "retrain": "week", "pooling": "per_symbol", "symbols": ["BBBUSDT"]},
}

pytestmark = pytest.mark.xdist_group("nights")


def inodes(deployment):
    """Every file of the lake with its inode: a rewritten one has another, even with the same content."""
    lake = deployment.folder / "data"
    return {path.relative_to(deployment.lake).as_posix(): path.stat().st_ino for path in lake.glob("*/lake/**/*.*")}


@pytest.fixture(scope="module")
def replayed(deploy):
    """Deployment after the nights; what each night wrote, by night; and the jobs it ran."""
    ours = deploy(universe=UNIVERSE, experiments=EXPERIMENTS)
    written, jobs = [], []
    for now in NIGHTS:
        before = inodes(ours)
        with ours.workshop(now) as workshop:
            earlier = workshop.instance.get_runs_count()
            workshop.night()
            runs = workshop.instance.get_runs(dg.RunsFilter())
            jobs.append([run.job_name for run in runs[: len(runs) - earlier]][::-1])
        written.append({name for name, inode in inodes(ours).items() if before.get(name) != inode})
    return ours, written, jobs


def windows_written(names, key):
    return {name.rsplit("/", 1)[1].removesuffix(".parquet") for name in names if name.startswith(f"{key}/symbol=")}


def as_ofs_written(names, key):
    return {name.split("/")[3] for name in names if name.startswith(f"{key}/universe=")}


def test_nights_leave_the_lake_that_one_backfill_of_the_range_leaves(replayed, deploy):
    ours, _, _ = replayed
    theirs = deploy(universe=UNIVERSE, experiments=EXPERIMENTS)
    with theirs.workshop(NIGHTS[-1]) as workshop:
        for layer in ("ingest", "research", "train", "predict"):
            workshop.backfill(layer)
    keys = [*DATA, *(f"{name}/{stage}" for name in EXPERIMENTS for stage in (*TRAINED, "predictions"))]
    for key in keys:
        assert ours.files(key) == theirs.files(key), key
    assert len(ours.files("daily/predictions")) == 4


def test_a_first_night_fills_an_empty_lake(replayed):
    _, written, jobs = replayed
    for key in DATA:
        assert windows_written(written[0], key) == {"2023-12-01", "2024-01-01"}
    assert as_ofs_written(written[0], "daily/ensemble") == {"2024-01-31"}
    assert as_ofs_written(written[0], "weekly/ensemble") == {"2024-01-29"}
    assert jobs[0][:4] == ["ingest", "research", "daily_train", "weekly_train"]
    assert "daily_evaluate" not in jobs[0]  # it has predicted for ten minutes
    assert "weekly_evaluate" in jobs[0]


def test_on_the_first_of_a_month_the_month_before_is_finished(replayed):
    _, written, jobs = replayed
    for key in DATA:
        assert windows_written(written[1], key) == {"2024-01-01"}  # at 00:10 no hour of February has closed
    assert as_ofs_written(written[1], "daily/ensemble") == {"2024-02-01"}
    experiments = ["daily_train", "daily_predict", "weekly_predict", "daily_evaluate", "weekly_evaluate"]
    assert jobs[1] == ["ingest", "research", *experiments]


def test_the_night_after_writes_new_bars_and_the_labels_that_were_open(replayed):
    _, written, _ = replayed
    assert windows_written(written[2], "raw_bars") == {"2024-02-01"}
    assert windows_written(written[2], "bars") == {"2024-02-01"}
    assert windows_written(written[2], "labels") == {"2024-01-01", "2024-02-01"}
    assert windows_written(written[2], "daily/predictions") == {"2024-01-01", "2024-02-01"}  # for the forecast log
    assert windows_written(written[2], "daily/forecast_log") == {"2024-01-01", "2024-02-01"}
    assert as_ofs_written(written[2], "daily/ensemble") == {"2024-02-02"}
    assert as_ofs_written(written[2], "weekly/ensemble") == set()


def test_a_missed_night_is_caught_up_with_the_model_of_its_day(replayed):
    ours, written, _ = replayed
    assert as_ofs_written(written[3], "daily/ensemble") == {"2024-02-03", "2024-02-04"}
    assert windows_written(written[3], "labels") == {"2024-02-01"}
    lake = ours.environment(NIGHTS[-1]).lake
    predicted = lake.require("daily/predictions", ["AAAUSDT"], datetime(2024, 2, 3, tzinfo=UTC), NIGHTS[-1])
    assert predicted["as_of"].unique().to_list() == [datetime(2024, 2, 3, tzinfo=UTC)]
    assert predicted.height == 24


def test_each_prediction_is_by_the_model_in_force_that_day(replayed):
    ours, _, _ = replayed
    lake = ours.environment(NIGHTS[-1]).lake
    predicted = lake.require("daily/predictions", ["BBBUSDT"], datetime(2024, 1, 1, tzinfo=UTC), NIGHTS[-1])
    spoken = predicted.drop_nulls("as_of")
    assert spoken.height == 4 * 24
    assert (spoken["as_of"] == spoken["open_time"].dt.truncate("1d")).all()


def test_a_night_again_makes_nothing_but_its_reports(replayed, tmp_path):
    ours, told = replayed[0].copy(tmp_path), []
    with ours.workshop(NIGHTS[-1], told) as workshop:
        before, earlier = ours.files(), workshop.instance.get_runs_count()
        workshop.night()
        again = [run.job_name for run in workshop.instance.get_runs()[:-earlier]]
    assert again == ["weekly_evaluate", "daily_evaluate"]
    assert ours.files() == before
    assert told[-1] == "Everything up to 2024-02-04 00:10 was there."


def test_an_experiment_whose_first_as_of_is_long_past_begins_with_its_first_night(deploy):
    """Rows of the month before that night have no model: predictions are null there, and no account trades them."""
    one = {"symbols": ["AAAUSDT"], "models": {"class_frequencies": None}, "retrain": "day"}
    ours = deploy(universe={"symbols": ["AAAUSDT"], "end": None}, experiments={"late": one})
    for day in (20, 21):
        with ours.workshop(datetime(2024, 2, day, 0, 10, tzinfo=UTC)) as workshop:
            workshop.night()
    rows = pl.read_parquet(ours.lake / "late/predictions/symbol=AAAUSDT/2024-02-01.parquet")
    assert rows.drop_nulls("as_of")["open_time"].min() == datetime(2024, 2, 20, tzinfo=UTC)
    (equity,) = (ours.lake / "late/backtest").rglob("equity.parquet")
    assert pl.read_parquet(equity)["close_time"].min() == datetime(2024, 2, 20, 1, tzinfo=UTC)


def test_a_layer_that_fails_stops_the_night_and_is_told(deploy, caplog):
    blend = {"method": "weighted", "oof_blocks": 421}  # as many as are filled where every label ends in the next bar
    ours = deploy(universe={"symbols": ["AAAUSDT"], "end": None}, experiments={"hasty": {"ensemble": blend}})
    with ours.workshop(datetime(2024, 2, 13, 0, 10, tzinfo=UTC)) as workshop:
        with caplog.at_level(logging.ERROR, "nightfold"), pytest.raises(RunFailedError, match="hasty_train failed"):
            workshop.night()
        assert [run.job_name for run in workshop.instance.get_runs()] == ["hasty_train", "research", "ingest"]
    assert "Nightfold: the night stopped at train: hasty_train failed" in caplog.text
    assert not ours.files("hasty/predictions")


def test_a_night_that_is_yet_to_come_is_refused(deploy):
    later = datetime(2999, 1, 1, tzinfo=UTC)
    with pytest.raises(ConfigError, match=r"`now` is 2999-01-01 00:00, which is yet to come"), deploy().workshop(later):
        pass
