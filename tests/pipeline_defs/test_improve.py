"""Many variants of one experiment: a grid, a search that keeps its last days, and what a killed one leaves."""

import json
from datetime import UTC, date, datetime

import polars as pl
import pytest
import yaml

from assets.leaderboard import stored_runs
from nightfold.errors import ConfigError
from nightfold.improve.stretch import HoldoutError
from nightfold.improve.variant import parse_axes
from pipeline_defs.improving import Request, improve
from pipeline_defs.runs import RunFailedError
from pipeline_defs.sweeping import points, sweep
from pipeline_defs.variant_ledger import stored_openings, stored_rounds

pytestmark = pytest.mark.xdist_group("line")

FIRST, UNTIL, END = date(2024, 2, 12), date(2024, 2, 23), date(2024, 3, 1)
TOO_HIGH = 900.0
SEED = 1
SPACE = {"strategy.min_edge_bps": [0.0, 950.0], "models.logistic_regression.l2": {"low": 0.005, "high": 0.05}}
GRID = ["strategy.min_edge_bps=0,900", "models.logistic_regression.l2=0.01,0.1"]


@pytest.fixture(scope="module")
def market(deploy):
    """A market with a strong trend, and an experiment that asks for more than any trade can earn."""
    made = deploy(
        universe={"source": {"kind": "simulated", "trend_strength": 0.6}, "symbols": ["AAAUSDT"]},
        experiments={
            "shy": {
                "models": {"logistic_regression": {"l2": 0.01}},
                "strategy": {"horizon": 5, "min_edge_bps": TOO_HIGH},
            }
        },
    )
    with made.workshop() as workshop:
        workshop.catch_up()
    return made


@pytest.fixture
def ours(market, tmp_path):
    return market.copy(tmp_path / "ours")


def asked(deployment, **changed):
    space = deployment.folder / "space.yaml"
    space.write_text(yaml.safe_dump(changed.pop("fields", SPACE)))
    return Request("shy", space, **{"trials": 3, "holdout_days": 7, "seed": SEED, **changed})


def made_runs(workshop):
    return [run.job_name for run in workshop.instance.get_runs()[::-1]]


def backtests(deployment):
    """First and last day of every daily return of every backtest in the lake, by range."""
    found = {}
    for path in deployment.lake.glob("*/backtest/range=*/*/daily.parquet"):
        days = pl.read_parquet(path)["day"]
        choices = json.loads((path.parent / "summary.json").read_text())["choices"]
        found[path.parts[-5], choices["start"]] = (days.min(), days.max())
    return found


def tracked_results(address):
    """Settings and Sharpe ratio of each result that MLflow has."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address)
    runs = client.search_runs([client.get_experiment_by_name("shy_variants").experiment_id])
    return [(run.data.params, run.data.metrics.get("sharpe_ratio")) for run in runs]


def logged(lake, experiment):
    """When what the forecast log of a variant holds became known, and the start of the newest bar it forecasts."""
    log = lake.require(
        f"{experiment}/forecast_log", ["AAAUSDT"], datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
    )
    return log["known_at"].drop_nulls(), log["open_time"].max()


@pytest.fixture(scope="module")
def searched(market, tmp_path_factory):
    """The market after three rounds."""
    made = market.copy(tmp_path_factory.mktemp("searched") / "ours")
    with made.workshop() as workshop:
        report, page = improve(workshop, asked(made))
    return made, report, page


@pytest.fixture
def after(searched, tmp_path):
    return searched[0].copy(tmp_path / "after")


def test_a_sweep_judges_every_point_and_a_rerun_makes_nothing_again(ours):
    told = []
    with ours.workshop(told=told) as workshop:
        base = workshop.environment.experiment("shy")
        variants = points(workshop, base, parse_axes(GRID))
        first = sweep(workshop, base, variants, None)
        made, files = made_runs(workshop), ours.files()
        second = sweep(workshop, base, variants, None)
        assert made_runs(workshop) == made
        kept = {run.card.variant: run for run in stored_runs(workshop.environment.lake)}
        tracked = tracked_results(workshop.environment.tracking_address)
    assert ours.files() == files
    assert sorted(ratio or 0 for _, ratio in tracked) == sorted(first.table["sharpe_ratio"])
    assert {settings["strategy.min_edge_bps"] for settings, _ in tracked} == {"0", "900"}
    assert second.table.equals(first.table)
    assert len(kept) == len(variants) == first.best.n_trials == 4
    assert first.table["strategy.min_edge_bps"].to_list() == ["0", "0", "900", "900"]
    assert first.table["sharpe_ratio"].is_sorted(descending=True)
    assert first.table["sharpe_ratio"][0] > 0
    assert first.table["trades"].to_list()[2:] == [0, 0]
    assert not ours.files("shy")  # what the file says is a variant, too: its own assets are left alone
    fitted = [line for line in told if "/logistic_regression 2024" in line]
    assert len(fitted) == 12  # three as-ofs of four points, of which two and two learn the same
    assert sum("already fitted" in line for line in fitted) == 6


def test_a_search_finds_the_planted_setting_and_never_reads_the_days_held_out(searched):
    ours, report, page = searched
    lake = ours.environment().lake
    assert [each.number for each in stored_rounds(lake, "shy")] == [0, 1, 2]
    assert stored_openings(lake, "shy") == []
    assert all(run.card.last_day < UNTIL for run in stored_runs(lake))
    assert all(as_of < str(UNTIL) for as_of in lake.as_ofs(f"{report.winner.name}/ensemble", "pooled"))
    assert set(backtests(ours).values()) == {(FIRST, date(2024, 2, 22))}
    for name in {each.experiment for each in report.rounds}:
        known_at, newest = logged(lake, name)
        assert datetime(2024, 2, 22, tzinfo=UTC) < known_at.max() <= datetime(2024, 2, 23, tzinfo=UTC)
        assert newest > datetime(2024, 2, 23, tzinfo=UTC)  # the last model goes on, and what comes of that stays open
    assert report.rounds[0].score == 0
    assert report.winner.strategy.min_edge_bps == 0
    assert {each.n_trials for each in report.judgements} == {3}
    text = page.with_suffix(".md").read_text()
    assert "strategy.min_edge_bps=0" in text
    assert "not opened" in text


def test_days_held_out_are_opened_once_for_the_winner_alone(after):
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    with after.workshop(now) as workshop:
        report, _ = improve(workshop, asked(after, opened=True, write=after.configs / "experiments" / "better.yaml"))
        lake = workshop.environment.lake
        (opening,) = stored_openings(lake, "shy")
        assert (opening.experiment, opening.variant, opening.look) == ("shy", report.winner.name, 1)
        assert opening.opened_at == now
        assert opening.measures["sharpe_ratio"] is not None
        assert opening.n_trials == 1
        with pytest.raises(HoldoutError, match=r"were opened on 2026-01-02 03:04 for shy_s.*--again"):
            improve(workshop, asked(after, opened=True))
        assert stored_openings(lake, "shy") == [opening]
        improve(workshop, asked(after, opened=True, again=True))
        again = stored_openings(lake, "shy")
        assert [(each.look, each.n_trials) for each in again] == [(1, 1), (2, 2)]
        assert again[1].measures == opening.measures
        assert again[1].deflated_sharpe < opening.deflated_sharpe
        assert logged(lake, opening.variant)[0].max() > datetime(2024, 2, 29, tzinfo=UTC)
    opened = {name: days for (name, start), days in backtests(after).items() if start is not None}
    assert opened == {report.winner.name: (UNTIL, date(2024, 2, 29))}
    written = after.environment().experiments["better"]
    assert written.strategy == report.winner.strategy
    assert written.models == report.winner.models


def test_a_search_that_ended_early_goes_on_with_the_same_rounds(ours, searched):
    with ours.workshop() as workshop:
        improve(workshop, asked(ours, trials=2))
        before = stored_rounds(workshop.environment.lake, "shy")
        made = made_runs(workshop)
        report, _ = improve(workshop, asked(ours))
        trained = [job for job in made_runs(workshop)[len(made) :] if job.endswith("_train")]
    assert len(before) == 2
    assert report.rounds[:2] == before
    assert trained == [f"{report.rounds[2].experiment}_train"]
    assert report.rounds == searched[1].rounds


def test_a_sweep_ends_where_a_search_holds_days_out_and_takes_what_it_made(after, searched):
    with after.workshop() as workshop:
        base = workshop.environment.experiment("shy")
        variants = points(workshop, base, parse_axes([f"strategy.min_edge_bps={TOO_HIGH}"]))
        with pytest.raises(HoldoutError, match="from 2024-02-23 on are held out"):
            sweep(workshop, base, variants, "2024-02-25")
        before = made_runs(workshop)
        found = sweep(workshop, base, variants, None)
        assert made_runs(workshop) == before
    assert found.table["days"].to_list() == [searched[1].rounds[0].days]


def test_the_command_tells_verdict_and_report_of_a_search_that_is_there(after, nightfold):
    asked(after)
    given = ["--space", str(after.folder / "space.yaml"), "--trials", "3", "--holdout-days", "7", "--seed", str(SEED)]
    status, said = nightfold(after, "improve", "shy", *given)
    assert status == 0
    assert "Best is round" in said
    assert "with 3 variants looked at on these days" in said
    assert "improve.html" in said
    assert "_train" not in said


def test_a_variant_that_cannot_be_made_stops_the_sweep_with_its_settings(ours):
    with ours.workshop() as workshop:
        base = workshop.environment.experiment("shy")
        # as many as are filled where every label ends in the next bar
        variants = points(workshop, base, parse_axes(["ensemble.method=weighted", "ensemble.oof_blocks=421"]))
        with pytest.raises(RunFailedError, match=r"the variant with .*oof_blocks=421: shy_s\w+_train failed"):
            sweep(workshop, base, variants, None)
        assert stored_runs(workshop.environment.lake) == []


def test_a_variant_that_no_history_fills_is_refused_before_anything_is_made(ours):
    with ours.workshop() as workshop:
        base, before = workshop.environment.experiment("shy"), made_runs(workshop)
        axes = parse_axes(["ensemble.method=weighted", "ensemble.oof_blocks=421,422"])
        with pytest.raises(ConfigError, match=r"oof_blocks=422: `ensemble\.oof_blocks` is 422, .*fill 421 at most"):
            points(workshop, base, axes)
        assert made_runs(workshop) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "shy", "--set", "strategy.horizn=5"], "did you mean horizon?"),
        (["sweep", "shy", "--set", "models.lightgbm.leaves=5"], "member `lightgbm` is unknown; known: logistic_"),
        (["sweep", "shy", "--set", "strategy.horizon"], "such as strategy.horizon=10,20"),
        (["sweep", "shi", "--set", "strategy.horizon=5"], "experiment `shi` is unknown; did you mean shy?"),
        (["sweep", "shy", "--set", "seed=1", "--end", "2023"], "must end between"),
        (["improve", "shy", "--holdout-days", "12"], "at most 11"),
        (["improve", "shy", "--again"], "is set without `open`"),
        (["improve", "shy", "--holdout-days", "7", "--space", "nowhere.yaml"], "cannot be read"),
    ],
)
def test_a_wrong_wish_is_refused_with_the_way_out(market, nightfold, arguments, message):
    status, said = nightfold(market, *arguments)
    assert status == 1
    assert message in said


def test_a_dry_run_shows_the_grid_and_makes_nothing(market, nightfold):
    before = market.files()
    status, said = nightfold(market, "sweep", "shy", *(f"--set={each}" for each in GRID), "--dry-run")
    assert status == 0
    assert "4 variants" in said
    assert said.count("shy_s") == 4
    assert market.files() == before


def test_a_space_that_a_variant_would_refuse_is_refused_before_anything_is_made(ours):
    with ours.workshop() as workshop:
        before = made_runs(workshop)
        with pytest.raises(ConfigError, match=r"space\.yaml: shy with strategy\.horizon=7: `strategy\.horizon` is 7"):
            improve(workshop, asked(ours, fields={"strategy.horizon": [5, 7]}))
        assert made_runs(workshop) == before
