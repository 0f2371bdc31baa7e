"""Every result that was shown counts as a look, also one whose tearsheet was never made."""

import json
import re
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
import yaml

from assets.leaderboard import store_run, stored_runs
from nightfold.errors import LakeError
from nightfold.leaderboard import UNJUDGED, Run
from nightfold.standings import table
from resources.lake import Lake

pytestmark = pytest.mark.xdist_group("line")


@pytest.fixture
def ours(finished: Any, tmp_path: Any) -> Any:
    """Two experiments with their pages: two looks at the same days."""
    return finished.copy(tmp_path)


def changed(deployment: Any, slippage: float) -> None:
    """Trade one of them at another cost from now on: a variant of its own."""
    file = deployment.configs / "experiments/single.yaml"
    settings = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**settings, "costs": {"slippage_bps": slippage}}))


def made(deployment: Any, *layers: str) -> list[Any]:
    with deployment.workshop() as workshop:
        for layer in layers:
            if layer == "leaderboard":
                workshop.leaderboard("single")
            else:
                workshop.backfill(layer, experiment="single")
    return stored_runs(deployment.environment().lake)


def reports(deployment: Any) -> Any:
    """Folder of its pages."""
    (found,) = (deployment.folder / "data").glob("*/reports")
    return found


def figures(deployment: Any, experiment: str = "single") -> Any:
    """What the newest page of an experiment says."""
    return json.loads((reports(deployment) / experiment / "tearsheet.json").read_text())


def trials(deployment: Any) -> int:
    """How many the headline of the newest page says."""
    return int(figures(deployment)["n_trials"])


def test_a_backtest_that_was_only_looked_at_in_the_ui_counts_in_the_headline_of_the_next_variant(ours: Any) -> None:
    assert trials(ours) == 2
    changed(ours, 3.0)
    made(ours, "single/backtest")
    changed(ours, 4.0)
    made(ours, "single/backtest", "single/tearsheet")
    assert trials(ours) == 4


def test_the_card_is_there_before_the_figures_are_and_its_tearsheet_judges_it_later(
    ours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(ours, 3.0)
    before = len(stored_runs(ours.environment().lake))
    write = Lake.write_folder

    def full(lake: Lake, key: str, *rest: Any) -> Any:
        if key == "single/backtest":
            raise LakeError("no room")
        return write(lake, key, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "write_folder", full)
        with pytest.raises(RuntimeError, match="no room"):
            made(ours, "single/backtest")
    shown = [run.card for run in stored_runs(ours.environment().lake) if run.card.outcome == UNJUDGED]
    assert len(shown) == 1
    assert (shown[0].gates, table(stored_runs(ours.environment().lake))["gates"].null_count()) == (0, 1)
    judged = {run.card.id: run.card for run in made(ours, "single/backtest", "single/tearsheet")}
    assert len(judged) == before + 1
    after = judged[shown[0].id]
    assert after.outcome in {"passed", "failed", "unknown"}
    assert after.gates > 0
    assert (after.measures, after.trades, after.version) == (shown[0].measures, shown[0].trades, shown[0].version)


def test_the_same_backtest_made_again_is_the_same_look_and_keeps_its_verdict(ours: Any) -> None:
    before = [run.card for run in stored_runs(ours.environment().lake)]
    assert [run.card for run in made(ours, "single/backtest")] == before
    assert UNJUDGED not in {card.outcome for card in before}


def test_later_looks_lower_what_the_leaderboard_says_of_earlier_ones(
    ours: Any, nightfold: Callable[..., tuple[int, str]]
) -> None:
    """Pages keep the count of their hour; the list is judged by all cards there are, wherever it is shown."""
    (variant,) = (run.card.variant for run in stored_runs(ours.environment().lake) if run.card.experiment == "single")
    changed(ours, 3.0)
    made(ours, "single/backtest", "leaderboard")
    (listed,) = pl.read_csv(reports(ours) / "leaderboard.csv").filter(variant=variant).to_dicts()
    told = json.loads(nightfold(ours, "leaderboard", "--output", "json")[1])
    shown = next(row for row in told if row["variant"] == variant)
    before = figures(ours)
    assert before["n_trials"] < listed["trials"] == shown["trials"] == 3
    assert listed["deflated_sharpe"] == pytest.approx(shown["deflated_sharpe"])
    assert shown["deflated_sharpe"] < before["deflated_sharpe_ratio"]
    page = (reports(ours) / "leaderboard.html").read_text()
    assert re.findall(r"<button[^>]*>(Trials|Deflated Sharpe)</button>", page) == ["Deflated Sharpe", "Trials"]
    assert f'data-value="{listed["deflated_sharpe"]}"' in page
    assert {"deflated_sharpe", "trials"} <= set(re.findall(r"\w+", nightfold(ours, "leaderboard")[1]))


def test_a_passed_card_is_outdated_once_later_looks_explain_it(
    ours: Any, nightfold: Callable[..., tuple[int, str]]
) -> None:
    lake = ours.environment().lake
    kept = next(run for run in stored_runs(lake) if run.card.experiment == "single")
    passed = kept.card.model_copy(update={"outcome": "passed", "gates": 8, "gates_passed": 8})
    pairs, *_ = ours.lake.glob(f"runs/*/{passed.id}/*/pairs.parquet")
    store_run(lake, Run(passed, kept.daily), pl.read_parquet(pairs))

    def told(threshold: float | None) -> tuple[str, str]:
        file = ours.configs / "experiments/single.yaml"
        file.write_text(
            yaml.safe_dump({**yaml.safe_load(file.read_text()), "gates": {"min_deflated_sharpe": threshold}})
        )
        rows = json.loads(nightfold(ours, "leaderboard", "--output", "json")[1])
        return next((row["outcome"], row["gates"]) for row in rows if row["experiment"] == "single")

    assert told(0.0) == told(None) == ("passed", "8/8")
    assert told(0.999) == ("outdated", "7/8")
    made(ours, "leaderboard")
    page = (reports(ours) / "leaderboard.html").read_text()
    assert '<span class="badge outdated">outdated</span>' in page


def links(deployment: Any) -> dict[str, str]:
    """Address by variant of each row of the page that has one."""
    page = (reports(deployment) / "leaderboard.html").read_text()
    rows = re.findall(r'<tr><th scope="row"><a href="([^"]+)">.+?</a></th><td data-value="(\w+)"', page)
    return {variant: address for address, variant in rows}


def test_a_row_leads_to_the_page_of_its_own_backtest_or_nowhere(ours: Any) -> None:
    (pooled,) = (run.card.variant for run in stored_runs(ours.environment().lake) if run.card.experiment != "single")
    first = links(ours)
    assert sorted(first.values()) == ["pooled_one/tearsheet.html", "single/tearsheet.html"]
    changed(ours, 3.0)
    made(ours, "single/backtest", "leaderboard")
    assert links(ours) == first
    runs = made(ours, "single/tearsheet", "leaderboard")
    (second,) = (run.card.variant for run in runs if run.card.variant not in first)
    assert links(ours) == {pooled: "pooled_one/tearsheet.html", second: "single/tearsheet.html"}
