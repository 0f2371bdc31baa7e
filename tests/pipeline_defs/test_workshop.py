"""Ranges of layers from the command line: any subset of symbols, both grains, clear errors."""

import dagster as dg
import polars as pl
import pytest

from nightfold.errors import ConfigError, UnknownNameError

pytestmark = pytest.mark.xdist_group("line")

FOUR = ["AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT"]


def ranges(workshop):
    """Job with first and last partition of each run, oldest first."""
    runs = workshop.instance.get_runs()[::-1]
    tags = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    return [(run.job_name, *(run.tags[tag] for tag in tags if tag in run.tags)) for run in runs]


def made_assets(workshop, newest=1):
    runs = workshop.instance.get_runs(limit=newest)
    events = (workshop.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION) for run in runs)
    return {event.asset_key.to_user_string() for run in events for event in (entry.dagster_event for entry in run)}


# ---------------------------------------------------------------------- data layers


@pytest.fixture(scope="module")
def wide(deploy):
    """Four symbols of which some were backfilled: A and C with both months, nothing of B and D."""
    ours = deploy(universe={"symbols": FOUR, "intervals": ["4h"]}, experiments={})
    with ours.workshop() as workshop:
        workshop.backfill("ingest", "2024-01", "2024-02", ["CCCUSDT", "AAAUSDT"])
        workshop.backfill("features", "2024-01", "2024-02", ["AAAUSDT", "CCCUSDT"])
        yield ours, ranges(workshop), made_assets(workshop)


def test_symbols_that_are_not_neighbours_take_a_run_each_over_the_whole_range(wide):
    _, found, _ = wide
    assert found == [
        (job, f"2024-01-01|{symbol}", f"2024-02-01|{symbol}")
        for job in ("ingest", "research")
        for symbol in ("AAAUSDT", "CCCUSDT")
    ]


def test_nothing_is_made_of_symbols_that_were_not_named(wide):
    ours, _, _ = wide
    assert {name.split("/")[1] for name in ours.files("features")} == {"symbol=AAAUSDT", "symbol=CCCUSDT"}


def test_a_layer_named_by_an_asset_makes_that_asset_alone(wide):
    ours, _, assets = wide
    assert assets == {"features"}
    assert not (ours.lake / "labels").exists()


def test_what_a_run_says_is_not_turned_into_files_where_a_full_disk_would_swallow_it(wide):
    ours, _, _ = wide
    (home,) = (ours.folder / "data").glob("*/dagster_home")
    assert list(home.rglob("*.db"))
    assert not list(home.rglob("compute_logs/*"))


def test_a_part_of_the_range_rewrites_its_own_windows_with_the_same_bytes(wide):
    ours, _, _ = wide
    before = ours.files()
    with ours.workshop() as workshop:
        workshop.backfill("bars", "2024-02-10", "2024-02-12", ["CCCUSDT"])
        assert ranges(workshop)[-1] == ("ingest", "2024-02-01|CCCUSDT", "2024-02-01|CCCUSDT")
        workshop.backfill("bars", "2024-02", force=True, symbols=["AAAUSDT"])  # `force` is of raw_bars, not asked here
        assert made_assets(workshop) == {"bars"}
    assert ours.files() == before


def test_neighbouring_symbols_share_a_run(wide):
    ours, _, _ = wide
    with ours.workshop() as workshop:
        workshop.backfill("raw_bars", "2024-01", "2024-01", ["CCCUSDT", "BBBUSDT"])
        assert ranges(workshop)[-1] == ("ingest", "2024-01-01|BBBUSDT", "2024-01-01|CCCUSDT")


def test_the_day_grain_holds_the_same_rows_as_the_month_grain(wide, deploy):
    months, _, _ = wide
    ours = deploy(universe={"symbols": FOUR, "intervals": ["4h"], "grain": "day"}, experiments={})
    with ours.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer, "2024-01-30", "2024-02-01", ["AAAUSDT"])
        assert ranges(workshop)[0] == ("ingest", "2024-01-30|AAAUSDT", "2024-02-01|AAAUSDT")
    assert len(ours.files("bars")) == 3
    span = (pl.col("open_time") >= pl.datetime(2024, 1, 30, time_zone="UTC")) & (
        pl.col("open_time") < pl.datetime(2024, 2, 2, time_zone="UTC")
    )
    by_day, by_month = (
        pl.read_parquet(sorted((each.lake / "bars/symbol=AAAUSDT").glob("*.parquet"))).filter(span)
        for each in (ours, months)
    )
    assert by_day.equals(by_month)
    assert by_day.height == 18


# ---------------------------------------------------------------------- experiment layers


@pytest.fixture
def workshop(finished, tmp_path):
    with finished.copy(tmp_path).workshop() as opened:
        yield opened


def test_train_takes_the_as_ofs_of_the_range_for_the_symbols_named(workshop):
    before = workshop.instance.get_runs_count()
    workshop.backfill("train", "2024-02-13", "2024-02-19", ["BBBUSDT"])
    assert ranges(workshop)[before:] == [
        ("pooled_one_train", "2024-02-19|pooled", "2024-02-19|pooled"),
        ("single_train", "2024-02-19|BBBUSDT", "2024-02-19|BBBUSDT"),
    ]


def test_predict_begins_with_the_first_as_of(workshop):
    before = workshop.instance.get_runs_count()
    workshop.backfill("predict", experiment="single")
    assert ranges(workshop)[before:] == [("single_predict", "2024-02-01|AAAUSDT", "2024-02-01|BBBUSDT")]


def test_an_asset_of_an_experiment_can_be_named_as_the_ui_shows_it(workshop):
    workshop.backfill("single/ensemble", "2024-02-12", "2024-02-12")
    assert made_assets(workshop) == {"single/ensemble"}


def test_evaluate_keeps_the_report_of_a_part_beside_the_whole_one(workshop):
    reports = workshop.environment.reports / "single"
    whole = (reports / "tearsheet.html").read_bytes()
    workshop.backfill("evaluate", "2024-02-15", "2024-02-20", experiment="single")
    (part,) = set(reports.glob("tearsheet*.html")) - {reports / "tearsheet.html"}
    assert part.read_bytes() != whole == (reports / "tearsheet.html").read_bytes()


def test_models_that_are_there_are_not_fitted_again_unless_forced(workshop, caplog):
    told = []
    object.__setattr__(workshop, "tell", told.append)
    with caplog.at_level("INFO", "nightfold.progress"):
        workshop.backfill("train", "2024-02-12", "2024-02-12", experiment="pooled_one")
        fitted = [record.getMessage() for record in caplog.records if "logistic" in record.getMessage()]
        assert fitted == ["pooled_one/logistic_regression 2024-02-12 pooled already fitted"]
        caplog.clear()
        workshop.backfill("train", "2024-02-12", "2024-02-12", experiment="pooled_one", force=True)
        assert "already fitted" not in caplog.text


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "feature"}, "layer `feature` is unknown; did you mean features"),
        ({"layer": "models"}, "layer `models` is unknown; "),
        ({"layer": "ingest", "symbols": ["AAAUSD"]}, "symbol `AAAUSD` is unknown; did you mean AAAUSDT"),
        ({"layer": "train", "experiment": "polled_one"}, "experiment `polled_one` is unknown; did you mean pooled_one"),
        ({"layer": "ingest", "start": "Januar"}, "`from` is 'Januar'; it must be a month"),
        (
            {"layer": "ingest", "start": "2024-02", "to": "2024-01"},
            "`from` is 2024-02 and `to` is 2024-01; there is noth",
        ),
        ({"layer": "ingest", "start": "2024-03"}, "within 2024-01-01 to 2024-03-01"),
        ({"layer": "ingest", "to": "2023-05"}, "`to` is 2023-05; there is nothing between, within 2024-01-01"),
        ({"layer": "train", "to": "2024-01"}, "no model of pooled_one comes into force from 2024-01-01 to 2024-02-01"),
        ({"layer": "predict", "to": "2024-01"}, "its first one does on 2024-02-12, then each week"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_runs(finished, arguments, message):
    with finished.workshop() as workshop:
        before = workshop.instance.get_runs_count()
        with pytest.raises(ConfigError) as error:
            workshop.backfill(**arguments)
        assert message in str(error.value)
        assert workshop.instance.get_runs_count() == before


def test_an_experiment_refuses_symbols_that_it_does_not_trade(deploy):
    ours = deploy(experiments={"narrow": {"symbols": ["AAAUSDT"]}})
    with ours.workshop() as workshop, pytest.raises(ConfigError, match="`symbols` is BBBUSDT; narrow trades AAAUSDT"):
        workshop.backfill("train", symbols=["BBBUSDT"])


def test_features_without_bars_say_what_to_make_first(deploy):
    with deploy(experiments={}).workshop() as workshop, pytest.raises(Exception, match="materialize `bars`"):
        workshop.backfill("features", "2024-01", "2024-01")


def test_an_experiment_that_is_not_there_is_named(finished):
    with finished.workshop() as workshop, pytest.raises(UnknownNameError, match="did you mean single"):
        workshop.run_line("singel")
