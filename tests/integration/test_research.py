"""The larger experiments that are shipped, on the embedded simulated market: from bars to tearsheets."""

import re
import shutil
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("neuralforecast", reason="networks come with the extra `neural`")
pytestmark = pytest.mark.slow
PROJECT = Path(__file__).parents[2]


def test_each_shipped_experiment_runs_to_its_tearsheet_and_finds_no_edge_where_there_is_none(site, tmp_path):
    configs = tmp_path / "configs"
    shutil.copytree(PROJECT / "configs" / "research", configs)
    universe = (configs / "universe.yaml").read_text()
    assert "source: simulated" in universe
    (configs / "universe.yaml").write_text(re.sub(r"^end: .*$", "end: 2024-01-08", universe, flags=re.MULTILINE))
    deployment = site(tmp_path)
    names = sorted(file.stem for file in (configs / "experiments").glob("*.yaml"))
    assert len(names) >= 5
    for name in names:
        deployment.command("run", "--experiment", name)
        page = (deployment.place / "reports" / name / "tearsheet.html").read_text()
        assert "imulated market" in page
        (scores,) = (deployment.place / "lake" / name / "backtest").rglob("scores.parquet")
        scored = set(pl.read_parquet(scores)["model"])
        assert scored == {"ensemble", *_members(configs / "experiments" / f"{name}.yaml")}


def _members(file: Path) -> list[str]:
    block = file.read_text().split("models:\n")[1]
    return re.findall(r"^  (\w+):", re.split(r"^\S", block, flags=re.MULTILINE)[0], flags=re.MULTILINE)
