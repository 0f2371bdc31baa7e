"""The `nightfold models` commands: what there is, whether it keeps its promises, and how to begin one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from nightfold.errors import ConfigError
from pipeline_defs.console import OUT, reported

if TYPE_CHECKING:
    from nightfold.models.catalog import ModelEntry
    from nightfold.models.objective import Task

app = typer.Typer(help="List the model families (the default), check one, begin one of your own.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List the model families, check one, begin one of your own."""
    if context.invoked_subcommand is None:
        with reported():
            list_models()


def list_models() -> None:
    """Print every family with what it can do: a line each on a terminal of 80 columns, tasks by their initials."""
    from typing import get_args

    from nightfold.models.catalog import find_model, model_names
    from nightfold.models.objective import Task

    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False, pad_edge=False)
    for heading in ("model", "family", "tasks", "looks at", "weights", "stops early", "extra"):
        table.add_column(heading, no_wrap=heading in {"model", "family", "tasks"})
    for name in model_names():
        entry = find_model(name)
        able = entry.capabilities
        tasks = " ".join(task[0] if task in able.tasks else " " for task in get_args(Task))
        said = ["yes" if flag else "no" for flag in (able.weights, able.early_stopping)]
        table.add_row(name, entry.family, tasks, able.inputs, *said, able.extra or "")
    OUT.print(table)
    OUT.print(f"Tasks: {', '.join(f'{task[0]} {task}' for task in get_args(Task))}.")


@app.command("check")
def check_model(
    place: Annotated[str, typer.Argument(metavar="NAME", help="A family, or one of your own: FILE.py:ENTRY.")],
    tasks: Annotated[
        list[str] | None, typer.Option("--task", help="Tasks to check it on; all that it says it has if none.")
    ] = None,
) -> None:
    """See that a model family keeps the contract, on made-up rows; exit status 1 if it does not."""
    from nightfold.models.own import load_entry

    with reported():
        chosen = _tasks(tasks or [])
        entry = load_entry(place, chosen)
        wanted = chosen or list(entry.capabilities.tasks)
        broken = sum([_check(entry, task) for task in wanted])
    if broken:
        OUT.print(f"{entry.name} breaks {broken} promises.")
        raise typer.Exit(1)
    OUT.print(f"{entry.name} keeps the contract: {', '.join(wanted)}.")


@app.command("new")
def new_model(
    name: Annotated[str, typer.Argument(help="Name of the family, such as my_model; the file is called after it.")],
    folder: Annotated[Path, typer.Option(help="Where the file is written.")] = Path(),
) -> None:
    """Write the file of a model family to begin with; it passes every check."""
    from nightfold.models.catalog import model_names
    from nightfold.models.starter import starter_text

    with reported():
        text, file = starter_text(name), folder / f"{name}.py"
        if name in model_names():
            raise ConfigError(f"`name` is {name}, which is taken; `nightfold models` lists all names.")
        if file.exists():
            raise ConfigError(f"{file} exists already; choose another name, or another `--folder`.")
        file.write_text(text)
    OUT.print(f"{file} is written. See that it keeps the contract: nightfold models check {file}:ENTRY")


def _tasks(names: list[str]) -> "list[Task]":
    from typing import get_args

    from nightfold.errors import UnknownNameError
    from nightfold.models.objective import Task

    for name in names:
        if name not in get_args(Task):
            raise UnknownNameError("task", name, get_args(Task))
    return cast("list[Task]", names)


def _check(entry: "ModelEntry", task: "Task") -> int:
    """Run all checks on one task, print them as a table, and return how many failed."""
    from nightfold.models.checks import CHECKS, run_checks
    from nightfold.models.contract import require_task

    require_task(entry.name, entry.capabilities, task)
    found = run_checks(entry, task)
    table = Table("check", "meaning", "", title=f"{entry.name}, {task}", title_justify="left")
    for check in CHECKS:
        fault = found[check.name]
        table.add_row(check.name, check.meaning, f"[red]{escape(fault)}[/]" if fault else "kept")
    OUT.print(table)
    return sum(fault is not None for fault in found.values())
