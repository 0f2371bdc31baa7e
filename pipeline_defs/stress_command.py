"""The `nightfold stress` command: crises replayed by the models of their time, in one table and on a page."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from nightfold.errors import ConfigError
from pipeline_defs.console import ERRORS, OUT, reported, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from pipeline_defs.replay import Replay

_OUTPUTS = ("table", "csv", "json")


def stress(
    events: Annotated[
        list[str] | None, typer.Argument(metavar="[EVENT]...", help="covid, luna, ftx, usdc; all if none.")
    ] = None,
    experiments: Annotated[
        list[str] | None, typer.Option("--experiment", help="replay, replay_short; all of an event if none.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of recorded bars and funding, where that is not ../shared/data.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--events", help="Folder with a folder for each event; configs/stress if none.")
    ] = None,
    run: Annotated[bool, typer.Option("--run/--no-run", help="Replay, or show what was stored.")] = True,
    output: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
) -> None:
    """Replay crises with the models that were in force then, and show what became of the account.

    The table is written as a page and as CSV, too: data/stress/stress.html and stress.csv have what was asked last.
    """
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
                for name in experiments or replay.environment.experiments:
                    replay.check_funding(name)
        rows = []
        for replay in replays:
            for name in experiments or replay.environment.experiments:
                if run:
                    replay.run(name, partial(_pass_on, replay.name))
                rows.append(replay.row(name))
        table = REPLAYS.conform(pl.DataFrame(rows))
        with pl.Config(float_precision=4):
            show(table, output, rows=-1)
        page = _write(table, replays)
        if output == "table":
            for replay in replays:
                OUT.print(escape(f"{replay.name}: {replay.event.title}. {replay.event.why}"))
        (OUT if output == "table" else ERRORS).print(escape(f"Page: {page}"))


def _write(table: "pl.DataFrame", replays: "Sequence[Replay]") -> Path:
    """Write the page of the replays, with its CSV beside it, into the folder above theirs."""
    from os.path import relpath

    from nightfold.source import market_note
    from nightfold.tearsheet.stress import render_stress
    from resources.reports import write_report

    folder = replays[0].settings.data.parent
    pages = {
        (replay.name, name): replay.environment.reports / name / "tearsheet.html"
        for replay in replays
        for name in table.filter(event=replay.name)["experiment"]
    }
    links = {place: relpath(page, folder) for place, page in pages.items() if page.exists()}
    universes = [replay.environment.universe for replay in replays]
    note = next((market_note(each.source) for each in universes if each.is_simulated), "")
    write_report(folder, "stress.csv", table.write_csv().encode())
    page = render_stress(table, [replay.event for replay in replays], links, note)
    return write_report(folder, "stress.html", page.encode()).path


def _pass_on(about: str, line: str) -> None:
    ERRORS.print(escape(f"{about}  {line}"))
