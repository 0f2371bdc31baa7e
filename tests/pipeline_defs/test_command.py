"""The command as people type it: what it says, and what it says when it cannot."""

import json
import re
import webbrowser
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from assets.leaderboard import store_run, stored_runs
from assets.live import warm_features
from nightfold.features.catalog import FEATURES, SETS
from nightfold.features.compute import compute_features
from nightfold.leaderboard import Run
from pipeline_defs.command import app

BAR = ("symbol", "open_time", "open", "high", "low", "close", "volume")

pytestmark = pytest.mark.xdist_group("line")


def test_help_names_every_verb():
    said = CliRunner().invoke(app, ["--help"]).output
    assert set(re.findall(r"│ ([a-z]+) +\w", said)) == {
        *("run", "backfill", "nightly", "ui", "open", "sql", "leaderboard", "features", "sweep", "improve", "stress"),
        *("samples", "universe", "experiments", "audit", "models"),
    }


def test_run_makes_everything_and_ends_with_the_page_and_the_way_to_the_ui(deploy, nightfold):
    ours = deploy(experiments={"first": {}, "second": {}})
    code, said = nightfold(ours, "run")
    assert code == 0
    page = next((ours.folder / "data").glob("*/reports/first/tearsheet.html"))
    assert said.splitlines()[-2:] == [
        f"Tearsheet: {page}",
        f"Web UI:    NIGHTFOLD_DATA={ours.folder / 'data'} make ui CONFIG={ours.configs}",
    ]
    for asset in ("raw_bars", "bars", "features", "labels", "first/splits", "first/ensemble", "first/tearsheet"):
        assert f"  {asset} " in said
    assert "second" not in said
    assert page.read_text().count("Simulated market")


def test_backfill_understands_symbols_as_people_write_them(finished, tmp_path, nightfold):
    ours = finished.copy(tmp_path)
    code, said = nightfold(
        ours, "backfill", "--layer", "bars", "--from", "2024-02", "--to", "2024-02", "--symbols", "aaa/usdt, BBB-USDT"
    )
    assert code == 0
    assert "ingest 2024-02-01|AAAUSDT ... 2024-02-01|BBBUSDT" in said
    assert "bars 2024-02-01 BBBUSDT 696 rows" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("backfill", "--layer", "label"), "error: layer `label` is unknown; did you mean labels"),
        (
            ("backfill", "--layer", "ingest", "--symbols", "XYZ-EUR"),
            "error: symbol `XYZEUR` is unknown; known: AAAUSDT",
        ),
        (
            ("backfill", "--layer", "ingest", "--from", "spring"),
            "error: `from` is 'spring'; it must be a month",
        ),
        (("run", "--experiment", "nosuch"), "error: experiment `nosuch` is unknown; known: pooled_one, single."),
        (("open", "nosuch"), "error: experiment `nosuch` is unknown; known: pooled_one, single."),
        (("nightly", "--now", "tonight"), "error: `now` is 'tonight'; it must be a month"),
        (("nightly", "--now", "2999-01-01"), "error: `now` is 2999-01-01 00:00, which is yet to come"),
        (("sql", "select * from nosuch"), "Views: "),
        (("sql", "select 1", "--output", "xml"), "error: `output` is 'xml'; it must be table, csv or json."),
        (("experiments", "check", "nosuch.yaml"), "error: nosuch.yaml cannot be read: No such file or directory."),
    ],
)
def test_what_cannot_be_done_is_one_message_and_exit_status_one(finished, nightfold, arguments, message):
    code, said = nightfold(finished, *arguments)
    assert code == 1
    assert message in said
    assert "Traceback" not in said


LOST = {
    "models": {"fracast": {"folder": "/nowhere/fracast", "window": 64}},
    "target": {"kind": "return", "task": "regression", "horizons": [5]},
}


def test_what_this_machine_lacks_is_told_where_an_experiment_is_checked_or_run_and_not_where_it_is_loaded(
    deploy, nightfold
):
    ours = deploy(universe={"symbols": ["AAAUSDT"]}, experiments={"lost": LOST, "well": {}})
    assert "lost: fracast" in nightfold(ours, "experiments")[1]
    told = "model `fracast`: `folder` is /nowhere/fracast; there is no such folder, and nothing is downloaded."
    file = ours.configs / "experiments/lost.yaml"
    code, said = nightfold(ours, "experiments", "check", str(file))
    assert (code, f"error: {file}: {told}" in said) == (1, True)
    backfilled = ["backfill", "--layer", "train", "--experiment", "lost"]
    for arguments in (["run", "--experiment", "lost"], backfilled):
        code, said = nightfold(ours, *arguments)
        assert (code, f"error: {told}" in said, "ingest" in said) == (1, True, False)
    assert nightfold(ours, "backfill", "--layer", "ingest", "--to", "2024-01")[0] == 0


def test_without_experiments_there_is_nothing_to_run_or_open(deploy, nightfold):
    ours = deploy(experiments={})
    for verb in ("run", "open"):
        code, said = nightfold(ours, verb)
        assert (code, f"error: there is no experiment; write one into `{ours.configs}/experiments/`" in said) == (
            1,
            True,
        )


def test_a_wrong_settings_file_stops_every_command_with_file_and_key(deploy, nightfold):
    ours = deploy()
    ours.write("universe.yaml", {"source": "simulated", "symbols": ["AAAUSDT"], "start": "2024-01-01", "colour": "red"})
    for verb in (["universe"], ["nightly"], ["backfill", "--layer", "ingest"], ["experiments", "list"]):
        code, said = nightfold(ours, *verb)
        assert code == 1
        assert "universe.yaml: `colour`" in said
        assert "unknown; known: cleaning, end," in said


def test_open_shows_the_tearsheet_in_the_browser_or_says_how_to_make_it(finished, deploy, nightfold, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    code, said = nightfold(finished, "open", "single")
    assert code == 0
    assert opened == [f"file://{said.strip()}"]
    code, said = nightfold(deploy(), "open")
    assert code == 1
    assert "`nightfold run --experiment pooled_one` makes it" in said


def test_sql_answers_as_table_csv_or_json(finished, nightfold):
    ask = "select symbol, count(*) as n from bars group by symbol order by symbol"
    assert "AAAUSDT" in nightfold(finished, "sql", ask)[1]
    assert nightfold(finished, "sql", ask, "--output", "csv")[1] == "symbol,n\nAAAUSDT,1440\nBBBUSDT,1440\n"
    answer = json.loads(nightfold(finished, "sql", ask, "--output", "json")[1])
    assert answer == [{"symbol": symbol, "n": 1440} for symbol in ("AAAUSDT", "BBBUSDT")]
    assert (
        nightfold(finished, "sql", "select count(*) as n from single.predictions", "--output", "csv")[1] == "n\n1392\n"
    )


def test_leaderboard_lists_the_newest_result_of_each_variant_or_all(finished, tmp_path, nightfold):
    ours = finished.copy(tmp_path)
    lake = ours.environment().lake
    single = next(run for run in stored_runs(lake) if run.card.experiment == "single")
    earlier = {"last_day": single.card.last_day - timedelta(days=1), "trades": 77}
    store_run(lake, Run(single.card.model_copy(update=earlier), single.daily), pl.DataFrame({"symbol": ["AAAUSDT"]}))
    code, said = nightfold(ours, "leaderboard", "--output", "json")
    rows = {row["experiment"]: row for row in json.loads(said)}
    assert (code, sorted(rows), len(json.loads(said))) == (0, ["pooled_one", "single"], 2)
    for name, row in rows.items():
        figures = json.loads(next((ours.folder / "data").glob(f"*/reports/{name}/tearsheet.json")).read_text())
        assert row["sharpe_ratio"] == figures["measures"]["Strategy"]["sharpe_ratio"]
        assert row["trades"] == figures["trades"]["closed"]
        assert row["outcome"] == figures["verdict"]["outcome"]
    every = json.loads(nightfold(ours, "leaderboard", "--all", "--output", "json")[1])
    assert sorted(row["trades"] for row in every) == sorted([77, *(row["trades"] for row in rows.values())])
    assert every[-1]["last_day"] == str(earlier["last_day"])
    assert re.search(r"│ pooled_one +┆ failed +┆ 2/8 +┆ 2024-02-29 ", nightfold(ours, "leaderboard")[1])


def test_without_results_there_is_no_leaderboard(deploy, nightfold):
    code, said = nightfold(deploy(), "leaderboard")
    assert (code, "there are no results yet; `nightfold run` or" in said) == (1, True)


def test_the_leaderboard_lies_beside_its_page_as_csv_with_what_each_symbol_brought(finished, nightfold):
    reports = next((finished.folder / "data").glob("*/reports"))
    table = nightfold(finished, "leaderboard", "--all", "--output", "csv")[1]
    assert (reports / "leaderboard.csv").read_text() == table
    cards = {row["experiment"]: row for row in pl.read_csv(table.encode()).to_dicts()}
    pairs = pl.read_csv(reports / "leaderboard_pairs.csv")
    expected = []
    for name in sorted(cards):
        (trades,) = (finished.lake / name / "backtest/range=full").glob("*/trades.parquet")
        closed = [row for row in pl.read_parquet(trades).to_dicts() if not row["is_open"]]
        for symbol in sorted({row["symbol"] for row in closed}):
            own = [row for row in closed if row["symbol"] == symbol]
            won = sum(row["profit"] > 0 for row in own) / len(own)
            sums = [sum(row[column] for row in own) for column in ("profit", "fees", "return_")]
            key = [name, cards[name]["variant"], cards[name]["last_day"], symbol, len(own)]
            expected.append((*key, *(pytest.approx(value) for value in (won, *sums[:2], sums[2] / len(own)))))
    assert expected
    assert pairs.columns[:5] == ["experiment", "variant", "last_day", "symbol", "closed"]
    assert pairs.columns[5:] == ["win_rate", "profit", "fees", "mean_return"]
    assert sorted(pairs.rows()) == expected


def test_universe_shows_settings_and_what_the_lake_holds(finished, nightfold):
    said = nightfold(finished, "universe")[1]
    assert "symbols   AAAUSDT, BBBUSDT" in said
    assert "range     2024-01-01 to 2024-03-01, intervals 1h" in said
    assert "  bars: 2 windows, 2024-01-01 to 2024-02-01" in said
    assert "  single/predictions: 1 windows, 2024-02-01 to 2024-02-01" in said


def test_experiments_are_listed_checked_and_described(finished, nightfold):
    assert "single: class_frequencies, logistic_regression; retrain each week" in nightfold(finished, "experiments")[1]
    file = str(finished.configs / "experiments/single.yaml")
    assert re.search(r"single is valid, \d+ features, 2 models\.", nightfold(finished, "experiments", "check", file)[1])
    schema = json.loads(nightfold(finished, "experiments", "schema")[1])
    assert schema["title"] == "Nightfold experiment"
    assert {"first_as_of", "models", "costs", "gates"} <= set(schema["properties"])


def test_audit_features_finds_a_peek_in_a_file_and_clears_the_catalog(finished, tmp_path, nightfold):
    mine = tmp_path / "mine.py"
    mine.write_text("def next_move(bars):\n    return bars['close'].log().diff().shift(-1)\n")
    code, said = nightfold(finished, "audit", "features", "--own", f"{mine}:next_move", "--lookback", "1")
    assert code == 1
    assert re.search(r"│ next_move +│ 1 +│ yes ", said)
    assert re.search(r"1 features on 1,440 bars, 3\d\d cuts: 1 with a fault\.", said)
    assert "A peek of one bar is found with 95 % where it shows in 1.0 % of the bars or more." in said
    code, said = nightfold(finished, "audit", "features", "nosuch_*", "--symbol", "bbb/usdt")
    assert code == 1
    assert "feature pattern `nosuch_*` is unknown" in said
    code, said = nightfold(finished, "audit", "features", "log_return_*", "--symbol", "bbb/usdt")
    assert code == 0
    assert "none with a fault." in said


def test_audit_features_reads_bars_from_a_file_and_asks_for_bars_where_there_are_none(
    deploy, nightfold, finished, tmp_path
):
    ours = deploy()
    code, said = nightfold(ours, "audit", "features", "log_return_1")
    assert code == 1
    assert "the lake has no bars of AAAUSDT; `nightfold backfill --layer ingest` brings them in." in said
    bars = next((finished.lake / "bars").rglob("*.parquet"))
    code, said = nightfold(ours, "audit", "features", "log_return_1", "--bars", str(bars))
    assert code == 0
    assert re.search(r"│ log_return_1 +│ 1 +│ no ", said)


def test_audit_features_looks_at_all_symbols_where_features_do(deploy, nightfold, tmp_path):
    ours = deploy(universe={"leader": "AAAUSDT"}, experiments={})
    with ours.workshop() as workshop:
        workshop.backfill("ingest")
    sets = ("--set", "cross_asset", "--set", "order_flow")
    code, said = nightfold(ours, "audit", "features", *sets, "--count", "900", "--cuts", "2")
    assert code == 0
    assert f"{len(SETS['cross_asset']) + len(SETS['order_flow'])} features on 1,800 bars, 2 cuts: none" in said
    assert "not audited" not in said
    code, said = nightfold(ours, "audit", "features", "dominance_*", "--set", "cross_asset", "--count", "100")
    assert (code, "not audited: 1 have no value on these bars: dominance_288." in said) == (0, True)
    bars = tmp_path / "bars.parquet"
    pl.read_parquet(list((ours.lake / "bars").rglob("*.parquet"))).drop("trades").write_parquet(bars)
    code, said = nightfold(
        ours, "audit", "features", "--set", "cross_asset", "--bars", str(bars), "--leader", "zzz-usdt"
    )
    assert (code, "error: leader `ZZZUSDT` is unknown; known: AAAUSDT, BBBUSDT." in said) == (1, True)
    code, said = nightfold(ours, "audit", "features", "--set", "order_flow", "--bars", str(bars))
    assert (code, "`bars` lack the columns trades" in said) == (1, True)


def test_audit_features_needs_no_lake_where_the_market_is_simulated(deploy, nightfold, tmp_path):
    ours = deploy(experiments={})
    simulated = ("audit", "features", "--simulated", "--count", "700", "--cuts", "2", "--set", "cross_asset")
    code, said = nightfold(ours, *simulated)
    assert (code, "error: `leader` is None; name the symbol that others are compared with: AAAUSDT" in said) == (
        1,
        True,
    )
    code, said = nightfold(ours, *simulated, "--leader", "bbb/usdt")
    assert (code, "features on 1,400 bars, 2 cuts: none with a fault." in said) == (0, True)
    mine = tmp_path / "mine.py"
    mine.write_text("def next_move(bars):\n    return bars['close'].log().diff().shift(-1)\n")
    code, said = nightfold(
        ours, "audit", "features", "--simulated", "--own", f"{mine}:next_move", "--symbol", "BBB-USDT", "--cuts", "4"
    )
    assert (code, "1 features on 3,000 bars, 3 cuts: 1 with a fault." in said) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bars", "nosuch.parquet"), "`bars` is nosuch.parquet, which cannot be read: No such file"),
        (("--bars", "nosuch.parquet", "--simulated"), "and `simulated` is set; give one of them"),
        (("--symbol", "XYZUSDT"), "symbol `XYZUSDT` is unknown; known: AAAUSDT, BBBUSDT"),
    ],
)
def test_bars_that_cannot_be_audited_are_told(deploy, nightfold, arguments, message):
    code, said = nightfold(deploy(experiments={}), "audit", "features", *arguments)
    assert (code, message in said) == (1, True)


@pytest.mark.parametrize(("symbol", "stored_as"), [((), "AAAUSDT"), (("bbb/usdt",), "BBBUSDT")])
def test_features_shows_the_newest_row_of_the_lake(finished, nightfold, symbol, stored_as):
    code, said = nightfold(finished, "features", *symbol, "--output", "csv")
    assert code == 0
    shown = pl.read_csv(said.encode())
    assert shown["feature"].to_list() == list(FEATURES)
    assert shown["group"].to_list() == [feature.group for feature in FEATURES.values()]
    assert shown.select("symbol", "open_time").unique().rows() == [(stored_as, "2024-02-29T23:00:00.000+0000")]
    newest = pl.read_parquet(max((finished.lake / f"features/symbol={stored_as}").glob("*.parquet"))).row(
        -1, named=True
    )
    assert [value is None for value in shown["value"]] == [newest[name] is None for name in FEATURES]
    for name, value in shown.select("feature", "value").drop_nulls().rows():
        assert value == pytest.approx(newest[name], rel=1e-4, abs=1e-5), name


def test_live_features_start_from_the_lake_and_go_on_as_the_batch_does(deploy, nightfold):
    ours = deploy(universe={"leader": "BBBUSDT", "intervals": ["1h", "4h"]}, experiments={})
    with ours.workshop() as workshop:
        workshop.backfill("ingest")
    code, said = nightfold(ours, "features", "--set", "cross_asset", "--name", "dominance_20", "--output", "json")
    (row,) = json.loads(said)
    files = sorted((ours.lake / "bars").rglob("*.parquet"))  # the default interval's alone
    bars = pl.read_parquet(files).sort("symbol", "open_time")
    expected = compute_features(bars, ["dominance_20"]).filter(symbol="AAAUSDT")["dominance_20"][-1]
    assert (code, row["feature"], row["value"]) == (0, "dominance_20", pytest.approx(expected, rel=1e-6))
    code, said = nightfold(ours, "features", "--interval", "4h", "--name", "hour_*")
    assert (code, "2024-02-29 20:00:00 UTC" in said, "hour_sin" in said) == (0, True, True)

    environment = ours.environment()
    names = ["relative_strength_20", "dominance_20", "rsi_7"]
    live = warm_features(environment.lake, environment.universe, names)
    end = datetime(2024, 3, 1, tzinfo=UTC)
    coming = pl.concat(  # bars that the lake does not have yet
        environment.source.fetch(symbol, "1h", end, end + timedelta(hours=30)) for symbol in live.symbols
    )
    rows = [
        row for _, now in coming.group_by("open_time", maintain_order=True) for row in live.update_all(now.to_dicts())
    ]
    both = pl.concat([bars.select(BAR), coming.select(BAR)])
    batch = compute_features(both, names, leader="BBBUSDT", interval="1h").filter(pl.col("open_time") >= end)
    assert_frame_equal(pl.DataFrame(rows), batch, rel_tol=1e-5, abs_tol=1e-6, check_dtypes=False, check_row_order=False)
    assert warm_features(environment.lake, environment.universe, ["rsi_7"], symbols=["BBBUSDT"]).symbols == ["BBBUSDT"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("xyz/usdt",), "symbol `XYZUSDT` is unknown; known: AAAUSDT, BBBUSDT."),
        (("--name", "rsi_15"), "feature pattern `rsi_15` is unknown"),
        (("--set", "cross_asset"), "`leader` is None; name the symbol that leader_beta_288"),
        (("--interval", "5m"), "`interval` is '5m'; the universe has 1h."),
        (("--output", "xml"), "`output` is 'xml'; it must be table, csv or json."),
    ],
)
def test_features_that_cannot_be_shown_are_told(finished, deploy, nightfold, arguments, message):
    code, said = nightfold(finished, "features", *arguments)
    assert (code, message in said) == (1, True)
    code, said = nightfold(deploy(experiments={}), "features")
    assert (code, "the lake has no bars of AAAUSDT; `nightfold backfill --layer ingest`" in said) == (1, True)


def test_samples_tells_where_the_bars_went_down_to_the_rows_that_train(finished, nightfold):
    code, said = nightfold(finished, "samples", "pooled_one", "--as-of", "2024-02-19")
    assert code == 0
    assert "pooled_one as of 2024-02-19, pooled, 5 bars ahead" in said
    lines = (line.strip("│").split("┆") for line in said.splitlines() if line.startswith("│"))
    counts = {reason.strip(): int(total) for reason, *_, total in lines if total.strip().isdigit()}
    split = json.loads(
        next((finished.lake / "pooled_one/splits/universe=pooled/2024-02-19").glob("*/split.json")).read_text()
    )
    assert counts.pop("kept") == split["5"]["rows"]["train"]
    assert counts.pop("bars") == split["5"]["rows"]["train"] + sum(counts.values()) == 2 * 40 * 24
    assert nightfold(finished, "samples", "single")[1].count("unknown future") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--as-of", "2020-01-06"),
            "pooled_one has no split of pooled as of 2020-01-06; stored: 2024-02-12, 2024-02-19",
        ),
        (("--horizon", "7"), "`horizon` is 7; pooled_one learns 5."),
    ],
)
def test_samples_that_are_not_there_are_told(finished, nightfold, arguments, message):
    code, said = nightfold(finished, "samples", "pooled_one", *arguments)
    assert code == 1
    assert message in said
