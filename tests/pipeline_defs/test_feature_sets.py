"""The sets `order_flow` and `cross_asset` through the whole line: asked for by one experiment, unknown to the other."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import numpy as np
import polars as pl
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from nightfold.errors import NightfoldError
from nightfold.features.catalog import SETS
from nightfold.features.compute import compute_features
from nightfold.features.table import features_table

pytestmark = [
    pytest.mark.xdist_group("feature_sets"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # within Dagster, as is the next one
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HOUR = timedelta(hours=1)
MOMENT = datetime(2024, 2, 20, 12, tzinfo=UTC)
MONTHS, SYMBOLS = ("2024-01-01", "2024-02-01"), ("AAAUSDT", "BBBUSDT", "CCCUSDT")
BARS = [f"{month}|{symbol}" for month in MONTHS for symbol in SYMBOLS]
AS_OFS = [f"2024-02-{day}|pooled" for day in (12, 19, 26)]
UNIVERSE = {"symbols": list(SYMBOLS), "leader": "AAAUSDT"}
PICKED = {
    "sets": ["default", "order_flow", "cross_asset"],
    "groups": ["returns"],
    "names": ["taker_imbalance_20", "dominance_20"],
    "patterns": ["relative_strength_?0", "leader_correlation_60"],
}
NAMES = ["taker_imbalance_20", "leader_correlation_60", "relative_strength_20", "dominance_20"]
OPTIONAL = ("order_flow", "cross_asset")
DATA = ("raw_bars", "bars", "features", *OPTIONAL, "labels")
TRAINED = ("splits", "logistic_regression", "ensemble")
MODELS = {"logistic_regression": None}
PRICES = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def made(deploy):
    """Deployment whose wide experiment picks from all sets, from raw bars to its tearsheet; copy before changing."""
    ours = deploy(
        universe=UNIVERSE, experiments={"wide": {"features": PICKED, "models": MODELS}, "plain": {"models": MODELS}}
    )
    with ours.workshop() as workshop:
        workshop.run_line("wide")
        workshop.backfill("train", experiment="plain")
    return ours


@pytest.fixture
def ours(made, tmp_path):
    return made.copy(tmp_path)


def rows(deployment, key, symbol="*"):
    files = sorted((deployment.lake / key).glob(f"symbol={symbol}/*.parquet"))
    return pl.read_parquet(files).sort("symbol", "open_time")


def change(deployment, key, symbol, edit):
    for path in (deployment.lake / key / f"symbol={symbol}").glob("*.parquet"):
        edit(pl.read_parquet(path)).write_parquet(path)


def keys(graph):
    return {key.to_user_string() for key in graph.get_all_asset_keys()}


def parents(graph, key):
    return {parent.to_user_string() for parent in graph.get(dg.AssetKey(key.split("/"))).parent_keys}


# ---------------------------------------------------------------------- what there is, and who depends on it


def test_an_experiment_depends_on_the_sets_it_picks_from_and_no_other_does(made):
    graph = made.build()[0].resolve_asset_graph()
    assert parents(graph, "wide/splits") == {"features", "order_flow", "cross_asset", "labels"}
    assert parents(graph, "wide/predictions") == {"features", "order_flow", "cross_asset", "labels", "wide/ensemble"}
    assert parents(graph, "plain/splits") == {"features", "labels"}
    assert all(parents(graph, key) == {"bars"} for key in OPTIONAL)


def test_a_set_is_made_only_at_the_interval_and_only_where_an_experiment_picks_from_it(deploy):
    hourly = {"features": {"sets": ["default", "cross_asset"], "groups": ["returns"]}}
    coarse = {"features": {"sets": ["cross_asset"], "names": ["dominance_20"]}, "interval": "4h"}
    ours = deploy(universe={**UNIVERSE, "intervals": ["1h", "4h"]}, experiments={"hourly": hourly, "coarse": coarse})
    definitions, line = ours.build()
    graph = definitions.resolve_asset_graph()
    assert {key for key in keys(graph) if key.endswith(OPTIONAL)} == {"4h/cross_asset"}
    assert parents(graph, "coarse/splits") == {"4h/cross_asset", "4h/labels"}
    assert line.layers["research"] == ["features", "labels", "4h/features", "4h/cross_asset", "4h/labels"]


def test_a_set_looks_like_the_features_beside_it(made):
    graph = made.build()[0].resolve_asset_graph()
    for chosen in OPTIONAL:
        node = graph.get(dg.AssetKey(chosen))
        assert (node.group_name, node.tags["layer"]) == ("features", "features")
        columns = node.metadata["dagster/column_schema"].value.columns
        assert [column.name for column in columns] == list(features_table(chosen).columns)
        assert all(column.description.endswith(".") for column in columns)
    checks = {key.to_user_string() for key in graph.asset_check_keys}
    assert {f"{key}:{name}" for key in OPTIONAL for name in ("schema", "leaks", "functions")} < checks


# ---------------------------------------------------------------------- what is stored


def test_the_line_ends_in_a_tearsheet_of_predictions_that_rest_on_all_sets(made):
    (page,) = (made.folder / "data").glob("*/reports/wide/tearsheet.html")
    assert page.stat().st_size > 10_000
    (path,) = (made.lake / "wide/splits/universe=pooled/2024-02-19").glob("*/split.json")
    names = json.loads(path.read_text())["5"]["features"]
    assert names[-len(NAMES) :] == NAMES
    assert set(names) - set(NAMES) == {name for name, each in SETS["default"].items() if each.group == "returns"}
    assert rows(made, "wide/predictions").drop_nulls("as_of").height == 3 * 18 * 24


@pytest.mark.parametrize(("key", "chosen"), [("features", "default"), *zip(OPTIONAL, OPTIONAL, strict=True)])
def test_months_stored_one_by_one_are_what_the_whole_range_gives(made, key, chosen):
    whole = compute_features(rows(made, "bars"), SETS[chosen], interval="1h", leader="AAAUSDT")
    stored = rows(made, key)
    assert stored.columns == whole.columns
    assert stored.select("symbol", "open_time").equals(whole.select("symbol", "open_time"))
    for name, feature in SETS[chosen].items():
        left, right = (frame[name].to_numpy().astype(np.float64) for frame in (stored, whole))
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6 * np.nanstd(right), err_msg=name)
        unknown = stored.group_by("symbol").agg(pl.col(name).null_count())[name]
        assert unknown.to_list() == [feature.lookback] * 3, name


def test_every_check_of_both_sets_passes_and_a_stored_peek_at_another_symbol_is_found(ours):
    def failed():
        definitions, _ = ours.build()
        job = dg.define_asset_job("checks", dg.AssetSelection.checks_for_assets(*map(dg.AssetKey, OPTIONAL)))
        checked = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job])).resolve_job_def("checks")
        with dg.DagsterInstance.ephemeral() as instance:
            found = checked.execute_in_process(instance=instance).get_asset_check_evaluations()
        assert len(found) == 6
        return {f"{each.asset_key.to_user_string()}:{each.check_name}" for each in found if not each.passed}

    assert failed() == set()
    change(ours, "cross_asset", "BBBUSDT", lambda frame: frame.with_columns(pl.col("dominance_20").shift(-1)))
    assert failed() == {"cross_asset:leaks"}


# ---------------------------------------------------------------------- nothing from later, nothing from nowhere


@pytest.fixture(scope="module")
def other_future(made, tmp_path_factory):
    """The same past, and noise from a moment on in the bars of CCCUSDT alone; everything below made again."""
    ours = made.copy(tmp_path_factory.mktemp("future"))
    chance = np.random.default_rng(1)

    def noisy(bars):
        later = (bars["open_time"] >= MOMENT).to_numpy()
        wild = pl.Series(np.where(later, np.exp(chance.normal(0, 0.3, bars.height)), 1.0))
        return bars.with_columns(*(pl.col(name) * wild for name in (*PRICES, "volume")))

    change(ours, "bars", "CCCUSDT", noisy)
    with ours.workshop() as workshop:
        workshop.backfill("research", "2024-02", "2024-02")
        for stage in TRAINED:
            workshop.backfill(f"wide/{stage}", force=stage == "logistic_regression")
        workshop.backfill("predict", experiment="wide")
    return ours


@pytest.mark.parametrize("key", ["cross_asset", "wide/predictions"])
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_another_future_of_another_symbol_changes_no_value_known_before_it(made, other_future, key, symbol):
    before, after = (rows(each, key, symbol) for each in (made, other_future))
    past = pl.col("open_time") + HOUR <= MOMENT
    assert before.filter(past).equals(after.filter(past))
    assert not before.filter(~past).equals(after.filter(~past))


def test_a_symbol_does_not_see_another_ones_future_but_through_the_market(made, other_future):
    for key, changed in (("features", set()), ("order_flow", set()), ("cross_asset", {"dominance"})):
        before, after = (rows(each, key, "BBBUSDT") for each in (made, other_future))
        differing = {name for name in before.columns if not before[name].equals(after[name])}
        assert {name.rpartition("_")[0] for name in differing} == changed


def test_a_missing_bar_of_the_leader_gives_null_in_the_others_and_no_prediction(made, ours):
    gone = datetime(2024, 2, 20, 12, tzinfo=UTC)
    change(ours, "bars", "AAAUSDT", lambda bars: bars.filter(pl.col("open_time") != gone))
    with ours.workshop() as workshop:
        workshop.backfill("research", "2024-02", "2024-02", ["BBBUSDT"])
        workshop.backfill("predict", "2024-02", "2024-02", ["BBBUSDT"], experiment="wide")
    found, before = (rows(each, "cross_asset", "BBBUSDT") for each in (ours, made))
    unknown = found.filter(
        pl.col("relative_strength_20").is_null(), pl.col("open_time") >= datetime(2024, 2, 1, tzinfo=UTC)
    )
    assert unknown["open_time"].to_list() == [gone + hours * HOUR for hours in range(21)]
    assert found.filter(open_time=gone)["dominance_1"].item() > before.filter(open_time=gone)["dominance_1"].item()
    said, once = (rows(each, "wide/predictions", "BBBUSDT") for each in (ours, made))
    silent = said.filter(pl.col("as_of").is_null())["open_time"]
    assert set(silent) - set(once.filter(pl.col("as_of").is_null())["open_time"]) == {
        gone + hours * HOUR
        for hours in range(61)  # the correlation looks back 60 bars
    }
    assert rows(ours, "features", "BBBUSDT").equals(rows(made, "features", "BBBUSDT"))


# ---------------------------------------------------------------------- what cannot be made


def said_by(deployment, *arguments, **choices):
    with deployment.workshop() as workshop, pytest.raises(NightfoldError) as caught:
        workshop.backfill(*arguments, **choices)
    return str(caught.value)


def test_bars_of_another_symbol_that_are_not_stored_are_asked_for_by_name(ours):
    (ours.lake / "bars/symbol=CCCUSDT/2024-01-01.parquet").unlink()
    error = said_by(ours, "cross_asset", "2024-02", "2024-02", ["AAAUSDT"])
    assert "the lake has no `bars` of CCCUSDT in 2024-01-01; `cross_asset` looks at every symbol" in error


def test_a_set_that_was_not_made_as_far_as_another_stops_training_with_its_name(ours):
    (ours.lake / "order_flow/symbol=BBBUSDT/2024-01-01.parquet").unlink()
    error = said_by(ours, "wide/splits")
    assert "the lake has `features` of 696 bars without `order_flow`, the first BBBUSDT 2024-01-03" in error


def test_a_folder_without_taker_columns_is_refused_by_their_names_and_nothing_is_stored(deploy, tmp_path):
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 2, 20), "1h", time_zone="UTC", eager=True)
    plain = pl.DataFrame({"open_time": times}).with_columns(
        *(pl.lit(price).alias(name) for name, price in zip(PRICES, (10.0, 11.0, 9.0, 10.5), strict=True)), volume=1.0
    )
    plain.write_parquet(tmp_path / "x_spot_AAAUSDT_1h.parquet")
    ours = deploy(
        universe={"source": f"folder:{tmp_path}", "symbols": ["AAAUSDT"], "end": "2024-02-20"},
        experiments={"flow": {"features": {"sets": ["order_flow"]}}},
    )
    with ours.workshop() as workshop:
        workshop.backfill("ingest")
    error = said_by(ours, "research")
    assert "`bars` of AAAUSDT from 2024-01-01 on have no value of quote_volume, taker_buy_base, trades" in error
    assert "leave the set out" in error
    assert not (ours.lake / "order_flow").exists()


# ---------------------------------------------------------------------- changes, runs and backfills


def stale(deployment):
    """Assets of the shared stages and splits that the UI shows as stale."""
    with deployment.workshop() as workshop:
        graph = workshop.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(workshop.instance, graph, LoadingContextForTest(workshop.instance))
        places = dict.fromkeys(DATA, BARS[-1]) | dict.fromkeys(("wide/splits", "plain/splits"), AS_OFS[-1])
        found = {key: resolver.get_status(dg.AssetKey(key.split("/")), place) for key, place in places.items()}
    assert StaleStatus.MISSING not in found.values()
    return {key for key, status in found.items() if status == StaleStatus.STALE}


def test_another_leader_makes_what_compares_with_it_stale_and_nothing_else(ours):
    assert stale(ours) == set()
    settings = {"source": "simulated", "start": "2024-01-01", "end": "2024-03-01", "intervals": ["1h"]}
    ours.write("universe.yaml", {**settings, **UNIVERSE, "leader": "BBBUSDT"})
    assert stale(ours) == {"cross_asset", "wide/splits"}


def test_bars_of_one_symbol_that_changed_make_the_rows_of_the_others_stale(ours):
    change(ours, "raw_bars", "AAAUSDT", lambda bars: bars.with_columns(pl.col("volume") * 2))
    with ours.workshop() as workshop:
        workshop.backfill("bars", "2024-02", "2024-02", ["AAAUSDT"])
    assert stale(ours) == {"cross_asset"}  # of CCCUSDT, whose own bars are as they were


def test_a_run_for_one_symbol_fetches_the_bars_of_all_that_its_features_look_at(deploy):
    ours = deploy(
        universe=UNIVERSE,
        experiments={
            "one": {
                "symbols": ["CCCUSDT"],
                "features": {"sets": ["cross_asset"], "names": ["relative_strength_20"]},
                "models": {"class_frequencies": None},
            }
        },
    )
    with ours.workshop() as workshop:
        assert workshop.run_line("one").exists()
    assert {path.parent.name for path in (ours.lake / "bars").rglob("*.parquet")} == {f"symbol={s}" for s in SYMBOLS}
    assert {path.parent.name for path in (ours.lake / "cross_asset").rglob("*.parquet")} == {"symbol=CCCUSDT"}


def by_names(keys, partitions):
    return {"assetSelection": [{"path": [key]} for key in keys], "partitionNames": partitions}


def by_ranges(partitions_of):
    return {
        "partitionsByAssets": [
            {"assetKey": {"path": key.split("/")}, "partitions": {"ranges": [{"start": block[0], "end": block[-1]}]}}
            for key, block in partitions_of.items()
        ]
    }


def succeeded(status, runs):
    return status == "COMPLETED_SUCCESS" and {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}


def test_both_sets_can_be_backfilled_from_the_ui_whole_and_in_part(made, ours, daemon):
    with ours.entered(), daemon() as loops:
        for key in OPTIONAL:
            shutil.rmtree(ours.lake / key)
        assert succeeded(*loops.launch(**by_names(OPTIONAL, [BARS[0], BARS[5]])))
        for key in OPTIONAL:
            part = ("AAAUSDT/2024-01-01", "CCCUSDT/2024-02-01")
            assert set(ours.files(key)) == {f"{key}/symbol={place}.parquet" for place in part}
        assert succeeded(*loops.launch(**by_names(OPTIONAL, BARS)))
        for key in OPTIONAL:
            assert ours.files(key) == made.files(key)


def test_a_backfill_of_all_layers_from_nothing_waits_for_the_bars_of_every_symbol(made, ours, daemon):
    for place in [path for path in ours.lake.iterdir() if path.is_dir()]:
        shutil.rmtree(place)
    everything = {
        **dict.fromkeys(DATA, BARS),
        **{f"wide/{stage}": AS_OFS for stage in TRAINED},
        "wide/predictions": BARS[3:],
    }
    with ours.entered(), daemon() as loops:
        assert succeeded(*loops.launch(**by_ranges(everything)))
    for key in everything:
        assert ours.files(key) == made.files(key), key


def test_by_days_the_rows_are_those_that_months_give(deploy, daemon):
    universe = {"symbols": list(SYMBOLS[:2]), "leader": "AAAUSDT", "intervals": ["15m"]}
    universe |= {"start": "2024-01-30", "end": "2024-02-04"}
    experiment = {"first_as_of": "2024-02-03", "retrain": "day", "features": {"sets": list(OPTIONAL)}, "models": MODELS}
    months, days = (
        deploy(universe={**universe, "grain": grain}, experiments={"daily": experiment}) for grain in ("month", "day")
    )
    with months.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer)
    stamps = pl.date_range(date(2024, 1, 30), date(2024, 2, 3), eager=True)
    bars = [f"{day:%Y-%m-%d}|{symbol}" for day in stamps for symbol in SYMBOLS[:2]]
    with days.entered(), daemon() as loops:
        assert succeeded(*loops.launch(**by_ranges(dict.fromkeys(("raw_bars", "bars", *OPTIONAL), bars))))
    for key in OPTIONAL:
        left, right = rows(days, key), rows(months, key)
        assert left.select(pl.exclude(pl.Float32)).equals(right.select(pl.exclude(pl.Float32)))
        for name in SETS[key]:
            ours, theirs = (frame[name].to_numpy().astype(np.float64) for frame in (left, right))
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.nanstd(theirs), err_msg=name)
