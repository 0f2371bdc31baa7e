"""The `nightfold` command: its verbs, from `run` to `audit`."""

import json
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from nightfold.errors import ConfigError
from pipeline_defs.audit_command import app as audit_app
from pipeline_defs.console import OUT, reported, show
from pipeline_defs.features_command import features
from pipeline_defs.improve_command import improve, sweep
from pipeline_defs.models_command import app as models_app
from pipeline_defs.stress_command import stress

if TYPE_CHECKING:
    from nightfold.experiment import Experiment

app = typer.Typer(
    name="nightfold",
    help="From OHLCV bars to an honestly evaluated, nightly retrained ensemble and its tearsheet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
experiments_app = typer.Typer(help="List (the default), check and describe experiment files.")
app.add_typer(experiments_app, name="experiments")
app.add_typer(audit_app, name="audit")
app.add_typer(models_app, name="models")

From = Annotated[str | None, typer.Option("--from", help="First month, day or time, UTC: 2024-01 or 2024-01-15.")]
To = Annotated[str | None, typer.Option("--to", help="Last month or day, included: 2024-06 or 2024-06-30.")]
Symbols = Annotated[str | None, typer.Option(help="Symbols, separated by commas; all by default.")]
Now = Annotated[str | None, typer.Option(help="Pretend that it is this time, UTC, to replay a night.")]


@app.command()
def run(
    experiment: Annotated[str | None, typer.Option(help="Experiment to run; the first by name if none.")] = None,
) -> None:
    """Run the whole line for one experiment, from raw bars to its tearsheet."""
    from pipeline_defs.workshop import Workshop

    started = time.monotonic()
    with reported(), Workshop.open(OUT.print) as workshop:
        page = workshop.run_line(workshop.environment.experiment(experiment).name)
    OUT.print(f"\nDone in {time.monotonic() - started:.0f} s.")
    OUT.print(f"Tearsheet: {escape(str(page))}")
    OUT.print(f"Web UI:    {escape(_ui_line())}")


@app.command()
def backfill(
    layer: Annotated[
        str, typer.Option(help="ingest, research, tune, train, predict, policy, evaluate, or one data asset.")
    ],
    start: From = None,
    to: To = None,
    symbols: Symbols = None,
    experiment: Annotated[
        str | None, typer.Option(help="For train, predict and evaluate: which one; all if none.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Fetch whole partitions again, fit models again.")] = False,
) -> None:
    """Make a range of partitions of one layer, for any subset of symbols."""
    from pipeline_defs.workshop import Workshop

    with reported(), Workshop.open(OUT.print) as workshop:
        workshop.backfill(layer, start, to, _names(symbols), experiment, force=force)


@app.command()
def nightly(now: Now = None) -> None:
    """Do what a night does, without the daemon: new bars up to tonight's models, predictions and reports."""
    from nightfold.window import parse_moment
    from pipeline_defs.workshop import Workshop

    with reported():
        moment = None if now is None else parse_moment(now, "now")
        with Workshop.open(OUT.print, moment) as workshop:
            workshop.night()


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 3000) -> None:
    """Start Dagster's web UI and daemon, with the reports on the same address; Ctrl-C ends both."""
    from pipeline_defs.ui import check_port, run_ui
    from resources.environments import load_environment, prepare_dagster_home
    from resources.project import PROJECT

    with reported():
        check_port(port)
        environment = load_environment()
        home = prepare_dagster_home(environment)
        status = run_ui(PROJECT, home, environment.reports, port, OUT.print)
    raise typer.Exit(status)


@app.command("open")
def open_report(
    experiment: Annotated[str | None, typer.Argument(help="Experiment; the first by name if none.")] = None,
) -> None:
    """Open an experiment's tearsheet in the browser."""
    from resources.environments import load_environment

    with reported():
        environment = load_environment()
        name = environment.experiment(experiment).name
        page = environment.reports / name / "tearsheet.html"
        if not page.exists():
            raise ConfigError(f"{name} has no tearsheet at {page}; `nightfold run --experiment {name}` makes it.")
        OUT.print(str(page))
        webbrowser.open(page.as_uri())


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One statement, such as 'select * from bars limit 5'.")],
    output: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
) -> None:
    """Ask the lake in SQL; each frame asset is a view."""
    from resources.environments import load_environment
    from resources.warehouse import query

    with reported():
        show(query(load_environment().lake, statement), output, rows=50)


@app.command()
def leaderboard(
    output: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
    every: Annotated[bool, typer.Option("--all", help="All days of each variant, not just its newest result.")] = False,
) -> None:
    """List all results that were looked at, of every experiment; csv and json have all measures."""
    from assets.leaderboard import SHOWN, stored_runs
    from nightfold.leaderboard import newest
    from nightfold.standings import table
    from resources.environments import load_environment

    with reported():
        environment = load_environment()
        runs = stored_runs(environment.lake)
        if not runs:
            raise ConfigError(
                "there are no results yet; `nightfold run` or `nightfold backfill --layer evaluate` makes one."
            )
        gates = {name: each.gates for name, each in environment.experiments.items()}
        board = table(runs if every else newest(runs), gates)
        show(board.select(SHOWN) if output == "table" else board, output, rows=-1)


app.command()(features)
app.command()(sweep)
app.command()(improve)
app.command()(stress)


@app.command()
def samples(
    experiment: Annotated[str | None, typer.Argument(help="Experiment; the first by name if none.")] = None,
    as_of: Annotated[str | None, typer.Option(help="As-of date; the newest stored if none.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Bars ahead; the strategy's if none.")] = None,
    save: Annotated[Path | None, typer.Option(help="Folder to write train, validation and test rows into.")] = None,
) -> None:
    """Show how many bars came in, what took some of them, and how many rows were left to train on."""
    import polars as pl

    from assets.splits import save_samples, stored_account
    from pipeline_defs.workshop import Workshop

    with reported(), Workshop.open(OUT.print) as workshop:
        plan = workshop.plan(workshop.environment.experiment(experiment).name)
        for title, table in stored_account(plan, workshop.environment.lake, as_of, horizon):
            typer.echo(f"\n{title}")
            with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
                typer.echo(str(table))
        if save is not None:
            for path, rows in save_samples(plan, workshop.environment.lake, as_of, save):
                OUT.print(f"{path}  {rows} rows")


@app.command()
def universe() -> None:
    """Show symbols, range and source as they are understood, and what the lake holds."""
    from resources.environments import load_environment

    with reported():
        environment = load_environment()
        settings = environment.universe
        OUT.print(f"source    {environment.source.slug}")
        OUT.print(f"symbols   {', '.join(settings.symbols)}")
        OUT.print(f"range     {settings.start} to {settings.end or 'now'}, intervals {', '.join(settings.intervals)}")
        OUT.print(f"lake      {escape(environment.lake.url)}")
        for key in environment.lake.frame_keys():
            stored = environment.lake.partitions(key, settings.symbols)
            span = f"{stored[0].key} to {stored[-1].key}" if stored else "of symbols the universe no longer has"
            OUT.print(f"  {key}: {len(stored)} windows, {span}")


@experiments_app.callback(invoke_without_command=True)
def experiments(context: typer.Context) -> None:
    """List, check and describe experiment files."""
    if context.invoked_subcommand is None:
        list_experiments()


@experiments_app.command("list")
def list_experiments() -> None:
    """List the experiments of this deployment."""
    from resources.environments import load_environment

    with reported():
        for name, experiment in load_environment().experiments.items():
            OUT.print(
                f"{name}: {', '.join(experiment.models)}; retrain each {experiment.retrain}; {experiment.description}"
            )


@experiments_app.command("check")
def check_experiment(file: Annotated[Path, typer.Argument(help="A YAML or JSON file.")]) -> None:
    """Validate one experiment file, also against universe and label sets of this deployment, and this machine."""
    from nightfold.configuration import load_experiment
    from resources.environments import load_environment

    with reported():
        environment = load_environment()

        def check(each: "Experiment") -> None:
            each.check_against(environment.universe, environment.label_sets)
            each.check_here()

        found = load_experiment(file, check)
        counts = f"{len(found.features.resolve())} features, {len(found.models)} models"
        OUT.print(f"{file}: {found.name} is valid, {counts}.")


@experiments_app.command("schema")
def print_schema() -> None:
    """Print the JSON schema of an experiment file, for editors."""
    from nightfold.configuration import experiment_schema

    print(json.dumps(experiment_schema(), indent=2))  # noqa: T201  # the answer itself


def _names(text: str | None) -> list[str] | None:
    from nightfold.bars.symbol import normalize_symbol

    return None if text is None else [normalize_symbol(name) for name in text.split(",")]


def _ui_line() -> str:
    """Line that opens the UI on this very deployment."""
    import os
    from shlex import quote

    def given(names: list[str], prefix: str) -> list[str]:
        values = {name: os.environ.get(f"NIGHTFOLD_{name}", "") for name in names}
        return [f"{prefix}{name}={quote(value)}" for name, value in values.items() if value not in ("", "configs")]

    return " ".join([*given(["DATA", "LAKE", "TRACKING"], "NIGHTFOLD_"), "make ui", *given(["CONFIG", "SOURCE"], "")])
