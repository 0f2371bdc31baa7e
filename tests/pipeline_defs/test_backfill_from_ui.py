"""Backfills as the UI's backfill page starts them: GraphQL, a code server, and the backfill daemon's own loop."""

import shutil
from datetime import date

import dagster as dg
import polars as pl
import pytest

MONTHS, SYMBOLS = ("2024-01-01", "2024-02-01"), ("AAAUSDT", "BBBUSDT")
AS_OFS = ("2024-02-12", "2024-02-19", "2024-02-26")
BARS = [f"{month}|{symbol}" for month in MONTHS for symbol in SYMBOLS]
POOLED = [f"{as_of}|pooled" for as_of in AS_OFS]
SINGLE = [f"{as_of}|{symbol}" for as_of in AS_OFS for symbol in SYMBOLS]
TRAINED = ("splits", "class_frequencies", "logistic_regression", "ensemble")
PARTITIONED = {
    **dict.fromkeys(("raw_bars", "bars", "features", "labels"), BARS),
    **{f"pooled_one/{stage}": POOLED for stage in TRAINED},
    **{f"single/{stage}": SINGLE for stage in TRAINED},
    "pooled_one/predictions": BARS[2:],
    "single/predictions": BARS[2:],
}

pytestmark = [
    pytest.mark.xdist_group("line"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # within Dagster, as are the next ones
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def ours(finished, tmp_path_factory):
    return finished.copy(tmp_path_factory.mktemp("ui"))


@pytest.fixture(scope="module")
def loops(ours, daemon):
    with ours.entered(), daemon() as opened:
        yield opened


@pytest.fixture
def launch(loops):
    return loops.launch


def by_names(keys, partitions):
    return {"assetSelection": [{"path": key.split("/")} for key in keys], "partitionNames": partitions}


def by_ranges(partitions_of):
    return {
        "partitionsByAssets": [
            {
                "assetKey": {"path": key.split("/")},
                "partitions": {"ranges": [{"start": partitions[0], "end": partitions[-1]}]},
            }
            for key, partitions in partitions_of.items()
        ]
    }


def succeeded(status, runs):
    return status == "COMPLETED_SUCCESS" and {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}


@pytest.mark.parametrize("key", PARTITIONED)
def test_each_partitioned_asset_can_be_backfilled_from_the_ui(launch, ours, finished, key):
    shutil.rmtree(ours.lake / key)
    assert succeeded(*launch(**by_names([key], PARTITIONED[key])))
    assert ours.files(key) == finished.files(key)


def test_some_partitions_of_an_asset_are_all_that_a_backfill_of_them_makes(launch, ours, finished):
    shutil.rmtree(ours.lake / "features")
    status, runs = launch(**by_names(["features"], [BARS[0], BARS[3]]))
    assert succeeded(status, runs)
    wanted = {"features/symbol=AAAUSDT/2024-01-01.parquet", "features/symbol=BBBUSDT/2024-02-01.parquet"}
    assert set(ours.files("features")) == wanted
    assert succeeded(*launch(**by_names(["features"], [BARS[1], BARS[2]])))
    assert ours.files("features") == finished.files("features")


def test_a_backfill_of_all_layers_from_nothing_equals_one_layer_after_another(launch, ours, finished):
    """Runs of neighbouring windows start side by side; each must find the bars it looks back on and ahead to."""
    for place in [path for path in ours.lake.iterdir() if path.is_dir()]:
        shutil.rmtree(place)
    assert succeeded(*launch(**by_ranges(PARTITIONED)))
    for key in PARTITIONED:
        assert ours.files(key) == finished.files(key), key


def test_a_partition_that_does_not_exist_is_refused(loops):
    with pytest.raises(AssertionError, match="PartitionKeysNotFoundError"):
        loops.launch(**by_names(["bars"], ["2023-12-01|AAAUSDT"]))


def test_by_days_a_backfill_of_all_layers_gives_the_rows_that_months_give(deploy, daemon):
    universe = {"symbols": ["AAAUSDT"], "start": "2024-01-28", "end": "2024-02-05", "intervals": ["15m"]}
    experiment = {"first_as_of": "2024-02-03", "retrain": "day", "features": {"names": ["log_return_1"]}}
    months, days = (
        deploy(universe={**universe, "grain": grain}, experiments={"daily": experiment}) for grain in ("month", "day")
    )
    with months.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict"):
            workshop.backfill(layer)
    bars = [f"{day:%Y-%m-%d}|AAAUSDT" for day in pl.date_range(date(2024, 1, 28), date(2024, 2, 4), eager=True)]
    as_ofs = [f"2024-02-0{day}|pooled" for day in (3, 4)]
    everything = {
        **dict.fromkeys(("raw_bars", "bars", "features", "labels"), bars),
        **{f"daily/{stage}": as_ofs for stage in TRAINED},
        "daily/predictions": bars[-2:],
    }
    with days.entered(), daemon() as loops:
        assert succeeded(*loops.launch(**by_ranges(everything)))
    assert len(days.files("bars")) == 8
    for key in ("raw_bars", "bars", "features", "labels"):
        assert rows(days, key).equals(rows(months, key)), key
    for stage in TRAINED:
        assert days.files(f"daily/{stage}") == months.files(f"daily/{stage}")
    predicted = rows(months, "daily/predictions").drop_nulls("as_of")
    assert rows(days, "daily/predictions").drop_nulls("as_of").equals(predicted)
    assert predicted.height == 2 * 96


def rows(deployment, key):
    return pl.read_parquet(sorted((deployment.lake / key / "symbol=AAAUSDT").glob("*.parquet")))
