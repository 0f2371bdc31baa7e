"""`nightfold models`: the list, the check and the start of a family."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nightfold.models.catalog import MODELS
from nightfold.models.checks import CHECKS
from pipeline_defs.command import app

RUN = CliRunner(env={"COLUMNS": "200"}).invoke


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines long enough that no cell of a table is broken."""
    monkeypatch.setattr("pipeline_defs.console.OUT.width", 220, raising=False)


def test_every_family_is_listed_with_its_tasks() -> None:
    said = RUN(app, ["models"]).output
    for name, entry in MODELS.items():
        line = next(line for line in said.splitlines() if f" {name} " in line)
        assert entry.family in line
        assert all(task in line for task in entry.capabilities.tasks)


def test_a_family_that_keeps_the_contract_passes() -> None:
    ran = RUN(app, ["models", "check", "ridge"])
    assert ran.exit_code == 0
    assert all(check.name in ran.output for check in CHECKS)
    assert "ridge keeps the contract: regression." in ran.output


def test_a_starter_is_written_and_passes(tmp_path: Path) -> None:
    made = RUN(app, ["models", "new", "my_model", "--folder", str(tmp_path)])
    file = tmp_path / "my_model.py"
    assert f"nightfold models check {file}:ENTRY" in made.output
    assert RUN(app, ["models", "check", f"{file}:ENTRY"]).exit_code == 0
    assert RUN(app, ["models", "new", "my_model", "--folder", str(tmp_path)]).exit_code == 1
    assert RUN(app, ["models", "new", "ridge", "--folder", str(tmp_path)]).exit_code == 1


def test_a_family_that_breaks_a_promise_fails(tmp_path: Path) -> None:
    RUN(app, ["models", "new", "my_model", "--folder", str(tmp_path)])
    file = tmp_path / "my_model.py"
    file.write_text(file.read_text().replace("return self._center +", "return self._center + features.mean() +"))
    ran = RUN(app, ["models", "check", f"{file}:ENTRY"])
    assert ran.exit_code == 1
    assert "a row forecast alone differs" in ran.output
    assert "my_model breaks" in ran.output


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (["check", "lightgmb"], "did you mean lightgbm"),
        (["check", "ridge", "--task", "binary"], "does not forecast the task binary"),
        (["check", "ridge", "--task", "binry"], "did you mean binary"),
        (["check", "nothing.py:ENTRY"], "is no Python file"),
        (["new", "My Model"], "small letters"),
    ],
)
def test_faults_are_told_without_a_traceback(command: list[str], fault: str) -> None:
    ran = RUN(app, ["models", *command])
    assert ran.exit_code == 1
    assert fault in ran.stderr
