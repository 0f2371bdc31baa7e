"""`nightfold models`: the list, the check and the start of a family."""

import re
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from nightfold.models.catalog import MODELS
from nightfold.models.checks import CHECKS
from nightfold.models.objective import Task
from pipeline_defs.command import app

RUN = CliRunner(env={"COLUMNS": "200"}).invoke


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines long enough that no cell of a table is broken."""
    monkeypatch.setattr("pipeline_defs.console.OUT.width", 220, raising=False)


def test_every_family_has_a_line_with_its_tasks_on_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline_defs.console.OUT.width", 80, raising=False)
    *lines, legend = RUN(app, ["models"]).output.splitlines()
    assert legend == "Tasks: t three_class, b binary, r regression, q quantile, n next_bar."
    assert max(map(len, lines)) <= 80
    for name, entry in MODELS.items():
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        able = entry.capabilities
        (tasks,) = re.findall(rf"{entry.family} +((?:\b[tbrqn] +)+){able.inputs} +(?:yes|no) +(?:yes|no) ", line)
        assert tasks.split() == [task[0] for task in get_args(Task) if task in able.tasks]


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
        (["check", "nothing.py:ENTRY"], "`NAME` names nothing.py, which is no Python file"),
        (["check", "nothing.py"], "`NAME` is 'nothing.py'; it must be a file and a model, such as my_model.py:ENTRY"),
        (["new", "My Model"], "small letters"),
    ],
)
def test_faults_are_told_without_a_traceback(command: list[str], fault: str) -> None:
    ran = RUN(app, ["models", *command])
    assert ran.exit_code == 1
    assert fault in ran.stderr
