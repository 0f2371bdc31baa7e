"""Every result that was shown counts as a look, also one whose tearsheet was never made."""

import json
from typing import Any

import pytest
import yaml

from assets.leaderboard import stored_runs
from nightfold.errors import LakeError
from nightfold.leaderboard import UNJUDGED, table
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
            workshop.backfill(layer, experiment="single")
    return stored_runs(deployment.environment().lake)


def trials(deployment: Any) -> int:
    """How many the headline of the newest page says."""
    (reports,) = (deployment.folder / "data").glob("*/reports")
    return int(json.loads((reports / "single/tearsheet.json").read_text())["n_trials"])


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
