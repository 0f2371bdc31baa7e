"""The `nightfold stress` command: crises replayed by the models of their time, in one table."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nightfold.errors import ConfigError
from pipeline_defs.console import ERRORS, OUT, reported, show

_OUTPUTS = ("table", "csv", "json")


def stress(
    events: Annotated[
        list[str] | None, typer.Argument(metavar="[EVENT]...", help="covid, luna, ftx, usdc; all if none.")
    ] = None,
    experiments: Annotated[
        list[str] | None, typer.Option("--experiment", help="replay, replay_short; all of an event if none.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of recorded bars, where that is not ../shared/data.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--events", help="Folder with a folder for each event; configs/stress if none.")
    ] = None,
    run: Annotated[bool, typer.Option("--run/--no-run", help="Replay, or show what was stored.")] = True,
    output: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
) -> None:
    """Replay crises with the models that were in force then, and show what became of the account."""
    import polars as pl

    from nightfold.stress import REPLAYS
    from pipeline_defs.replay import EVENTS, find_replays

    with reported():
        if output not in _OUTPUTS:
            raise ConfigError(f"`output` is {output!r}; it must be table, csv or json.")
        replays = find_replays(events or [], folder or EVENTS, data)
        for replay in replays:
            for name in experiments or (None,):
                replay.environment.experiment(name)
            if run:
                replay.check_bars()
        rows = []
        for replay in replays:
            for name in experiments or replay.environment.experiments:
                if run:
                    replay.run(name, partial(_pass_on, replay.name))
                rows.append(replay.row(name))
        with pl.Config(float_precision=4):
            show(REPLAYS.conform(pl.DataFrame(rows)), output, rows=-1)
        if output == "table":
            for replay in replays:
                OUT.print(escape(f"{replay.name}: {replay.event.title}. {replay.event.why}"))


def _pass_on(about: str, line: str) -> None:
    ERRORS.print(escape(f"{about}  {line}"))
