"""A label set with searched barriers through the whole line: from the UI's backfill page, by days, at night, traded."""

import shutil
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
import pytest

from pipeline_defs.nightly import Night, Step, research

pytestmark = [
    pytest.mark.xdist_group("searched_barriers"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # within Dagster, as is the next one
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SEARCH = {
    "window_days": 30,
    "least_days": 5,
    "trials": 20,
    "population": 10,
    "cost": 0.0001,
    "follower": {"features": ["log_return_1", "log_return_5"]},
}
LABELS = {"labels": {"horizons": [5], "barriers": "searched", "search": SEARCH}}
UNIVERSE = {
    "source": {"kind": "simulated", "trend_strength": 0.3},
    "symbols": ["AAAUSDT", "BBBUSDT"],
    "start": "2024-01-14",
    "end": "2024-03-15",
}
EXPERIMENT = {
    "first_as_of": "2024-03-01",
    "retrain": "month",
    "models": {"logistic_regression": None},
    "strategy": {"horizon": 5, "exit": "barrier"},
}
MONTHS, SYMBOLS = ("2024-01-01", "2024-02-01", "2024-03-01"), ("AAAUSDT", "BBBUSDT")
PARTITIONS = [f"{month}|{symbol}" for month in MONTHS for symbol in SYMBOLS]
SEARCHED = ("barrier_trials", "barrier_params", "labels")
DATA = ("raw_bars", "bars", "features", *SEARCHED)


@pytest.fixture(scope="module")
def made(deploy):
    """Deployment with an experiment traded to its tearsheet; copy before changing."""
    ours = deploy(universe=UNIVERSE, labels=LABELS, experiments={"traded": EXPERIMENT})
    with ours.workshop() as workshop:
        workshop.run_line("traded")
    return ours


@pytest.fixture(scope="module")
def loops(made, daemon, tmp_path_factory):
    """A copy of the deployment, and the daemon's loops over it."""
    ours = made.copy(tmp_path_factory.mktemp("ui"))
    with ours.entered(), daemon() as opened:
        yield ours, opened


def rows(deployment, key, symbol="AAAUSDT"):
    return pl.read_parquet(sorted((deployment.lake / key).glob(f"symbol={symbol}/*.parquet")))


def by_names(key, partitions):
    return {"assetSelection": [{"path": [key]}], "partitionNames": partitions}


def by_ranges(keys, partitions):
    ranges = {"ranges": [{"start": partitions[0], "end": partitions[-1]}]}
    return {"partitionsByAssets": [{"assetKey": {"path": [key]}, "partitions": ranges} for key in keys]}


def succeeded(status, runs):
    return status == "COMPLETED_SUCCESS" and {run.status.value for run in runs} == {"SUCCESS"}


# ---------------------------------------------------------------------- from the UI


@pytest.mark.parametrize("key", SEARCHED)
def test_each_asset_can_be_backfilled_from_the_ui(loops, made, key):
    ours, opened = loops
    shutil.rmtree(ours.lake / key)
    assert succeeded(*opened.launch(**by_names(key, PARTITIONS)))
    assert ours.files(key) == made.files(key)


def test_one_month_of_one_symbol_is_all_that_a_backfill_of_it_makes(loops, made):
    ours, opened = loops
    for key in SEARCHED:
        shutil.rmtree(ours.lake / key)
        assert succeeded(*opened.launch(**by_names(key, [PARTITIONS[2]])))
        (path, content), *others = ours.files(key).items()
        assert path == f"{key}/symbol=AAAUSDT/2024-02-01.parquet"
        assert content == made.files(key)[path]
        assert not others


def test_a_backfill_of_everything_from_nothing_equals_one_layer_after_another(loops, made):
    ours, opened = loops
    for place in [path for path in ours.lake.iterdir() if path.is_dir()]:
        shutil.rmtree(place)
    assert succeeded(*opened.launch(**by_ranges(DATA, PARTITIONS)))
    for key in DATA:
        assert ours.files(key) == made.files(key), key


@pytest.mark.slow
def test_days_have_the_barriers_of_their_month(made, deploy, daemon):
    ours = deploy(
        universe={**UNIVERSE, "symbols": ["AAAUSDT"], "end": "2024-02-03", "grain": "day"},
        labels=LABELS,
        experiments={},
    )
    days = [f"{day:%Y-%m-%d}|AAAUSDT" for day in pl.date_range(date(2024, 1, 14), date(2024, 2, 2), eager=True)]
    with ours.entered(), daemon() as opened:
        assert succeeded(*opened.launch(**by_ranges([key for key in DATA if key != "features"], days)))
        shutil.rmtree(ours.lake / "barrier_trials")
        assert succeeded(*opened.launch(**by_names("barrier_trials", days[-1:])))
    assert len(ours.files("barrier_trials")) == 1
    params = rows(ours, "barrier_params")
    assert params.height == len(days)
    stored = rows(made, "barrier_params")
    for moment in (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)):
        month = params.filter(pl.col("open_time").dt.month() == moment.month).drop("open_time", "search")
        (only,) = month.unique().rows()
        assert only == stored.filter(open_time=moment).drop("open_time", "search").row(0)
    made_before = pl.col("open_time") < datetime(2024, 2, 2, tzinfo=UTC)
    assert rows(ours, "labels").filter(made_before).equals(rows(made, "labels").filter(made_before))
    again = rows(ours, "barrier_trials").drop("open_time", "search")
    february = rows(made, "barrier_trials").filter(open_time=datetime(2024, 2, 1, tzinfo=UTC))
    assert again.equals(february.drop("open_time", "search"))


# ---------------------------------------------------------------------- at night


def night(deployment, line, *now):
    environment = deployment.environment()
    return Night(line, environment.universe, environment.lake, datetime(2024, *now, tzinfo=UTC))


def test_a_night_is_over_when_each_month_has_been_searched_once(made, tmp_path):
    ours = made.copy(tmp_path)
    line = ours.build()[1]
    assert line.searches == {"barrier_trials", "barrier_params"}
    assert line.layers["research"] == ["features", *SEARCHED]
    assert research(night(ours, line, 3, 20)) == []
    for key in ("barrier_trials", "barrier_params"):
        (path,) = (ours.lake / key).glob("symbol=BBBUSDT/2024-03-01.parquet")
        path.unlink()
        assert research(night(ours, line, 3, 20)) == [Step("research", "2024-03-01|BBBUSDT", "2024-03-01|BBBUSDT")]


def test_the_first_night_of_a_month_searches_for_it_and_the_nights_after_do_not(deploy):
    universe = {**UNIVERSE, "symbols": ["AAAUSDT"], "end": None}
    ours = deploy(universe=universe, labels=LABELS, experiments={})
    written = []
    for day in ((1, 31), (2, 1), (2, 2)):
        with ours.workshop(datetime(2024, *day, 0, 10, tzinfo=UTC)) as workshop:
            workshop.night()
            written.append(rows(ours, "barrier_params")["open_time"].dt.month().to_list())
    assert written == [[1], [1], [1, 2]]  # at ten past midnight on the first, February has no bar yet
    theirs = deploy(universe=universe, labels=LABELS, experiments={})
    with theirs.workshop(datetime(2024, 2, 2, 0, 10, tzinfo=UTC)) as workshop:
        workshop.backfill("ingest")
        workshop.backfill("research")
    for key in DATA:
        assert ours.files(key) == theirs.files(key), key


# ---------------------------------------------------------------------- traded


def test_an_experiment_trades_each_months_own_barriers(made):
    (folder,) = (made.lake / "traded/backtest").glob("range=full/*/")
    fills = pl.read_parquet(folder / "fills.parquet")
    assert fills.height > 0
    assert list((made.folder / "data").glob("*/reports/traded/tearsheet.html"))


def test_labels_come_from_bars_and_the_barriers_found_before_their_month(made):
    graph = made.build()[0].resolve_asset_graph()
    parents = {key: {parent.to_user_string() for parent in graph.get(dg.AssetKey(key)).parent_keys} for key in SEARCHED}
    assert parents == {
        "barrier_trials": {"bars"},
        "barrier_params": {"barrier_trials"},
        "labels": {"bars", "barrier_params"},
    }
