"""The `nightfold audit` commands: look for leaks in one's own work, and in the catalog."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipeline_defs.console import OUT, reported

if TYPE_CHECKING:
    import polars as pl

    from resources.environments import Environment

app = typer.Typer(help="Look for leaks.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Look for leaks."""


@app.command("features")
def audit_features_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or patterns such as 'rsi_*'; the whole default set if none.")
    ] = None,
    own: Annotated[
        list[str] | None,
        typer.Option(help="A feature of your own, FILE.py:FUNCTION: from a frame of bars to one number a bar."),
    ] = None,
    lookback: Annotated[int, typer.Option(help="Bars that your own features need before the current one.")] = 288,
    sets: Annotated[list[str] | None, typer.Option("--set", help="Sets to choose from.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Symbol whose bars are used; the first if none.")] = None,
    file: Annotated[Path | None, typer.Option("--bars", help="Parquet file of bars, in place of the lake's.")] = None,
    count: Annotated[int, typer.Option(help="Newest bars to use.", min=10)] = 3_000,
    cuts: Annotated[int, typer.Option(help="Points in time to try.", min=1)] = 4,
) -> None:
    """Change the future of bars and see that no feature of their past moves; exit status 1 if one does.

    At some points in time the bars that come after are cut off, then replaced by noise. Whatever changes before such a
    point knew its future. The value at the point is also computed from just the bars its lookback names.
    """
    import polars as pl

    from nightfold.features.audit import audit_features
    from nightfold.features.own import load_feature
    from nightfold.features.select import FeatureSelection
    from resources.environments import load_environment

    with reported():
        environment = load_environment()
        chosen: list[Any] = [load_feature(place, lookback) for place in own or []]
        if names or sets or not own:
            chosen += FeatureSelection.model_construct(sets=sets or ["default"], patterns=names or []).resolve()
        bars = _newest_bars(environment, symbol, count) if file is None else pl.read_parquet(file).tail(count)
        found = audit_features(bars, chosen, cuts=cuts, interval=environment.universe.interval)
    faults = found.filter(pl.col("moved_by_future") | pl.col("needs_more_than_lookback"))
    OUT.print(_table(faults if faults.height else found))
    OUT.print(f"{found.height} features on {bars.height:,} bars, {cuts} cuts: {faults.height or 'none'} with a fault.")
    raise typer.Exit(1 if faults.height else 0)


def _newest_bars(environment: "Environment", symbol: str | None, count: int) -> "pl.DataFrame":
    """Newest stored bars of one symbol."""
    from assets.stored import last_open_time
    from nightfold.bars.symbol import normalize_symbol
    from nightfold.errors import ConfigError, UnknownNameError
    from nightfold.interval import duration

    universe, lake = environment.universe, environment.lake
    name = normalize_symbol(symbol) if symbol else universe.symbols[0]
    if name not in universe.symbols:
        raise UnknownNameError("symbol", name, universe.symbols)
    last = last_open_time(lake, "bars", name)
    if last is None:
        raise ConfigError(f"the lake has no bars of {name}; `nightfold backfill --layer ingest` brings them in.")
    step = duration(universe.interval)
    return lake.require("bars", [name], last - (count - 1) * step, last + step)


def _table(found: "pl.DataFrame") -> Table:
    table = Table("feature", "lookback", "moved by its future", "needs more than its lookback")
    for name, lookback, moved, short in found.iter_rows():
        table.add_row(name, str(lookback), *("[red]yes[/]" if fault else "no" for fault in (moved, short)))
    return table
