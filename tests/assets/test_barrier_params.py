"""Barriers searched month by month, as assets: what they read, keep, show, and leave to the labels."""

import subprocess
import sys
from datetime import UTC, datetime
from xml.etree import ElementTree

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.barrier_params import SEARCH_CODE
from assets.labels import labels
from nightfold.errors import ConfigError
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.labels.search import run_search
from nightfold.labels.table import LabelSet
from nightfold.universe import Universe
from pipeline_defs.runs import RunFailedError

SEARCH = {"window_days": 30, "least_days": 10, "trials": 30, "population": 10, "cost": 0.0001}
FOUND = {"horizons": [5, 10], "barriers": "searched", "search": SEARCH}
UNIVERSE = {"source": {"kind": "simulated", "trend_strength": 0.3}, "end": "2024-03-15"}
TRIALS, PARAMS, LABELS = "found_barrier_trials", "found_barrier_params", "found"
PRICES = ("open", "high", "low", "close")


def at(month, day=1):
    return datetime(2024, month, day, tzinfo=UTC)


@pytest.fixture(scope="module")
def ours(deploy):
    made = deploy(universe=UNIVERSE, labels={"labels": {"horizons": [5]}, "found": FOUND}, experiments={})
    with made.workshop() as workshop:
        workshop.backfill("ingest")
        workshop.backfill("research")
    return made


@pytest.fixture
def theirs(ours, tmp_path):
    return ours.copy(tmp_path)


def rows(deployment, key, symbol="AAAUSDT"):
    found = pl.concat(pl.read_parquet(path) for path in sorted((deployment.lake / key).glob(f"symbol={symbol}/*")))
    return found.sort("open_time", maintain_order=True)


def _barrier(row):
    return TripleBarrier(upper=row["upper"], lower=row["lower"], horizon=row["holding_bars"])


def remake(deployment, *keys):
    with deployment.workshop() as workshop:
        for key in keys:
            workshop.backfill(key)


def metadata(deployment, key, partition):
    with deployment.workshop() as workshop:
        records = workshop.instance.fetch_materializations(dg.AssetKey(key), limit=50).records
        return next(each for each in records if each.partition_key == partition).asset_materialization.metadata


SEARCHING = """
import sys
from datetime import UTC, datetime
import polars as pl
from nightfold.labels.search import run_search
from nightfold.labels.search_spec import BarrierSearchSpec
spec = BarrierSearchSpec(window_days=30, least_days=10, trials=2)
assert run_search(pl.read_parquet(sys.argv[1]), datetime(2024, 2, 1, tzinfo=UTC), 5, spec, interval="1h").tried.height
print(*(name.removeprefix("nightfold.") for name in sys.modules if name.startswith("nightfold.")))
"""


def test_the_code_version_of_a_search_follows_all_code_that_it_runs_through(ours):
    (bars,) = (ours.lake / "bars").glob("symbol=AAAUSDT/2024-01*")
    run = subprocess.run([sys.executable, "-c", SEARCHING, bars], capture_output=True, text=True, check=True)
    used = {name for name in run.stdout.split() if not name.startswith("features")}
    assert used - {"errors", "interval", "memory", "schema", "spec", "labels"} <= set(SEARCH_CODE.split())


@pytest.mark.parametrize("symbol", ["AAAUSDT", "BBBUSDT"])
def test_a_month_has_the_barriers_that_a_search_at_its_start_finds(ours, symbol):
    bars, params = rows(ours, "bars", symbol), rows(ours, PARAMS, symbol)
    label_set = LabelSet(**FOUND)
    assert params["open_time"].to_list() == [at(month) for month in (1, 2, 3) for _ in (5, 10)]
    for row in params.iter_rows(named=True):
        search = run_search(bars, row["open_time"], row["horizon"], label_set.search, label_set, "1h")
        found = (row["upper"], row["lower"], row["holding_bars"], row["trial"], row["reason"])
        barrier = search.barrier
        assert found == (barrier.upper, barrier.lower, barrier.horizon, search.chosen, search.fallback)
        assert row["fallback"] == (search.chosen is None)
        kept = rows(ours, TRIALS, symbol).filter(open_time=row["open_time"], horizon=row["horizon"])
        assert kept.select(search.tried.columns).equals(search.tried)


def test_a_search_finds_something_and_a_short_history_falls_back(ours):
    params = pl.concat(rows(ours, PARAMS, symbol) for symbol in ("AAAUSDT", "BBBUSDT"))
    first = params.filter(open_time=at(1))
    assert first["fallback"].all()
    assert first.select("upper", "lower", "holding").unique().rows() == [(0.8, 0.8, 1.0)]
    assert first["reason"].str.contains("fewer than 10 days of rows").all()
    assert first["trials"].sum() == first["rows"].count() == 0
    later = params.filter(pl.col("open_time") > at(1))
    assert later["trials"].unique().to_list() == [30]
    assert later["rows"].min() > 10 * 24
    assert not later["fallback"].all()


def test_noise_after_a_month_has_begun_changes_none_of_its_barriers(ours, theirs):
    chance = np.random.default_rng(5)
    for path in (theirs.lake / "bars").rglob("2024-0[23]-01.parquet"):
        bars = pl.read_parquet(path)
        noise = pl.Series(np.exp(chance.normal(0, 0.05, bars.height)))
        bars.with_columns(pl.col(*PRICES, "volume") * noise).write_parquet(path)
    remake(theirs, TRIALS, PARAMS)
    for key in (TRIALS, PARAMS):
        assert rows(theirs, key).filter(open_time=at(2)).equals(rows(ours, key).filter(open_time=at(2)))
    assert not rows(theirs, PARAMS).filter(open_time=at(3)).equals(rows(ours, PARAMS).filter(open_time=at(3)))


def test_the_last_bar_before_a_month_counts(ours, theirs):
    (path,) = (theirs.lake / "bars").glob("symbol=AAAUSDT/2024-02-01.parquet")
    bars = pl.read_parquet(path)
    last = pl.col("open_time") == bars["open_time"].max()
    bars.with_columns(pl.when(last).then(pl.col("high") * 3).otherwise(pl.col("high")).alias("high")).write_parquet(
        path
    )
    remake(theirs, TRIALS)
    changed, before = (rows(each, TRIALS).filter(open_time=at(3)) for each in (theirs, ours))
    assert not changed.equals(before)


def test_running_again_adds_no_trial_and_searches_nothing(ours, theirs):
    remake(theirs, TRIALS, PARAMS, LABELS)
    for key in (TRIALS, PARAMS, LABELS):
        assert theirs.files(key) == ours.files(key)
    assert metadata(ours, TRIALS, "2024-03-01|AAAUSDT")["searched"].value is True
    assert metadata(theirs, TRIALS, "2024-03-01|AAAUSDT")["searched"].value is False


def test_what_is_lost_is_searched_again_to_the_same_bytes(ours, theirs):
    for key in (TRIALS, PARAMS):
        for path in (theirs.lake / key).glob("symbol=AAAUSDT/2024-03*"):
            path.unlink()
    (broken,) = (theirs.lake / TRIALS).glob("symbol=BBBUSDT/2024-03*")
    broken.write_bytes(b"not parquet")
    remake(theirs, TRIALS, PARAMS)
    for key in (TRIALS, PARAMS):
        assert theirs.files(key) == ours.files(key)
    assert metadata(theirs, TRIALS, "2024-03-01|BBBUSDT")["searched"].value is True
    assert metadata(theirs, TRIALS, "2024-02-01|BBBUSDT")["searched"].value is False


def test_other_settings_are_a_search_of_their_own(ours, theirs):
    theirs.write("labels.yaml", {"labels": {"horizons": [5]}, "found": {**FOUND, "search": {**SEARCH, "seed": 1}}})
    remake(theirs, TRIALS)
    changed, before = (rows(each, TRIALS).filter(open_time=at(3)) for each in (theirs, ours))
    assert set(changed["search"]).isdisjoint(before["search"])
    assert not changed.drop("search").equals(before.drop("search"))


def test_each_month_is_labelled_with_its_own_barriers(ours):
    bars, stored = rows(ours, "bars"), rows(ours, LABELS)
    for row in rows(ours, PARAMS).iter_rows(named=True):
        name, barrier = row["horizon"], _barrier(row)
        month = pl.col("open_time").dt.month() == row["open_time"].month
        expected = barrier_labels(bars, barrier, "1h").filter(month)
        found = stored.filter(month)
        for column in ("label", "label_end", "touch", "log_return", "mfe", "mae", "tie"):
            assert found[f"{column}_{name}"].equals(expected[column]), (row["open_time"], name, column)
        for side in ("upper", "lower"):
            distance = (expected[f"{side}_barrier"] / bars.filter(month)["close"]).log().abs()
            own = found[f"{side}_{name}"] * found["volatility"]
            assert (own - distance).abs().max() < 1e-12
        assert found[f"holding_{name}"].unique().to_list() == [row["holding_bars"]]
        assert found[f"fallback_{name}"].unique().to_list() == [row["fallback"]]
    assert stored["upper_10"].n_unique() > 1


def test_a_set_with_fixed_barriers_knows_nothing_of_searches(ours, deploy):
    assert LabelSet(horizons=[5]).settings.keys() >= {"upper", "horizons"}
    assert not LabelSet(horizons=[5]).settings.keys() & {"barriers", "search"}
    assert not [name for name in rows(ours, "labels").columns if name.startswith(("upper", "holding", "fallback"))]
    universe = Universe.model_validate({"source": "simulated", "symbols": ["AAAUSDT"], "start": "2024-01-01"})
    fixed, searched = (labels(universe, "5m", each, "v") for each in (LabelSet(), LabelSet(barriers="searched")))
    assert len(fixed.assets) == 1
    assert [asset.key.to_user_string() for asset in searched.assets] == ["barrier_trials", "barrier_params", "labels"]
    other = labels(universe, "5m", LabelSet(barriers="searched", search={"seed": 1}), "v")
    assert len({fixed.version, searched.version, other.version}) == 3
    assert labels(universe, "5m", LabelSet(barriers="searched"), "w").version != searched.version


def test_a_month_shows_barriers_figures_and_how_the_search_went(ours):
    shown = metadata(ours, PARAMS, "2024-03-01|AAAUSDT")
    heading, _, *lines = shown["barriers"].md_str.splitlines()
    assert heading == "| horizon | 5 | 10 |"
    assert len(lines) == 8
    assert len(shown["barriers"].md_str) < 1000
    assert shown["trials"].value == 60
    row = rows(ours, PARAMS).filter(open_time=at(3), horizon=10).row(0, named=True)
    for name in ("upper", "lower", "holding_bars", "log_return_per_bar", "entropy"):
        assert shown[f"{name}/10"].value == pytest.approx(row[name], rel=1e-5)
    for key, entry in ((PARAMS, "search"), (LABELS, "windows"), ("labels", "windows")):
        link = metadata(ours, key, "2024-03-01|AAAUSDT")[entry].md_str.partition("](/reports/")[2]
        address, _, _ = link.partition("?")
        assert address == f"{key}/AAAUSDT/2024-03-01.svg"
        (reports,) = (ours.folder / "data").glob("*/reports")
        drawn = (reports / address).read_text()
        assert ElementTree.fromstring(drawn).tag.endswith("svg")
        assert "simulated market" in drawn


def test_without_the_bars_before_a_month_there_is_no_search(theirs):
    for path in (theirs.lake / "bars").rglob("2024-0[12]-01.parquet"):
        path.unlink()
    with theirs.workshop() as workshop, pytest.raises(RunFailedError, match=r"the lake has no `bars` .*materialize"):
        workshop.backfill(TRIALS, "2024-03", "2024-03")


def test_labels_wait_for_their_barriers(theirs):
    for path in (theirs.lake / PARAMS).rglob("2024-03-01.parquet"):
        path.unlink()
    with theirs.workshop() as workshop, pytest.raises(RunFailedError, match=f"the lake has no `{PARAMS}`"):
        workshop.backfill(LABELS, "2024-03", "2024-03")


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"barriers": "genetic"}, "`barriers` is 'genetic'; it must be 'fixed' or 'searched'"),
        ({"barriers": "searched", "search": {"trials": 0}}, "`search.trials` is 0; it must be greater than 0"),
        ({"barriers": "searched", "search": {"window_day": 9}}, "did you mean window_days"),
        (
            {"barriers": "searched", "search": {"cost": -1}},
            "`search.cost` is -1; it must be greater than or equal to 0",
        ),
        ({"search": {"trials": 9}}, "`search` is set, but `barriers` is fixed"),
        ({"barriers": "searched", "search": {"follower": {"features": ["rsi_15"]}}}, "did you mean rsi_14"),
        ({"barriers": "searched", "search": {"window_days": 5}}, "`least_days` is 30; it may be `window_days`, 5"),
    ],
)
def test_wrong_settings_are_refused_with_the_way_out(deploy, settings, fault):
    made = deploy(labels={"found": settings}, experiments={})
    with pytest.raises(ConfigError, match=r"labels\.yaml: found") as error:
        made.environment()
    assert fault in str(error.value)


def test_a_set_cannot_have_the_name_of_another_ones_search(deploy):
    made = deploy(labels={"found": FOUND, "found_barrier_params": {"horizons": [5]}}, experiments={})
    with pytest.raises(ConfigError, match="'found_barrier_params' has the name of another set's search"):
        made.build()
