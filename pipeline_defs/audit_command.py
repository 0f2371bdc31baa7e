"""The `nightfold audit` commands: look for leaks in one's own work, and in the catalog."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from nightfold.tearsheet.number import moment as minute
from pipeline_defs.console import OUT, reported

if TYPE_CHECKING:
    import polars as pl

    from nightfold.experiment import Experiment
    from nightfold.splits.fold import Splitter
    from nightfold.splits.gap import Gap
    from resources.environments import Environment

app = typer.Typer(help="Look for leaks.", no_args_is_help=True)

_OFTEN = {0: "never", 1: "once"}


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
    leader: Annotated[
        str | None, typer.Option(help="Symbol that the set cross_asset compares with; the universe's if none.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--bars", help="Parquet file of bars, in place of the lake's.")] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Bars of a simulated market, in place of the lake's.")
    ] = False,
    count: Annotated[int, typer.Option(help="Newest bars to use.", min=10)] = 3_000,
    cuts: Annotated[int, typer.Option(help="Points in time to try.", min=1)] = 4,
) -> None:
    """Change the future of bars and see that no feature of their past moves; exit status 1 if one does.

    At some points in time the bars that come after are cut off, then replaced by noise. Whatever changes before such a
    point knew its future. The value at the point is also computed from just the bars its lookback names. Features that
    look at other symbols are audited on the bars of all.
    """
    import polars as pl

    from nightfold.bars.symbol import normalize_symbol
    from nightfold.features.audit import audit_features
    from nightfold.features.own import load_feature
    from nightfold.features.select import FeatureSelection
    from pipeline_defs.audited_bars import audited_bars
    from resources.environments import load_environment

    with reported():
        environment = load_environment()
        chosen: list[Any] = [load_feature(place, lookback) for place in own or []]
        if names or sets or not own:
            chosen += FeatureSelection.model_construct(sets=sets or ["default"], patterns=names or []).resolve()
        leads = normalize_symbol(leader) if leader else environment.universe.leader
        bars = audited_bars(environment, chosen, symbol, leads, count, file, simulated=simulated)
        interval = environment.universe.interval if file is None else None
        found = audit_features(bars, chosen, cuts=cuts, interval=interval, leader=leads)
    faults = found.filter(pl.col("moved_by_future") | pl.col("needs_more_than_lookback"))
    OUT.print(_table(faults if faults.height else found))
    if unknown := found.filter(known_rows=0)["feature"].to_list():
        OUT.print(f"[yellow]not audited:[/] {len(unknown)} have no value on these bars: {', '.join(unknown)}.")
    OUT.print(f"{found.height} features on {bars.height:,} bars, {cuts} cuts: {faults.height or 'none'} with a fault.")
    raise typer.Exit(1 if faults.height else 0)


@app.command("splits")
def audit_splits_command(
    own: Annotated[
        str | None,
        typer.Option(
            help="Splits of your own, FILE.py:NAME: an object with `split(X)` as in scikit-learn, what makes one, or a "
            "function of start and end that gives pairs of train and test rows. Rows are in time order, symbols of one "
            "moment together."
        ),
    ] = None,
    kind: Annotated[str, typer.Option(help="Else ours: kfold, combinatorial or walk_forward.")] = "kfold",
    folds: Annotated[int, typer.Option(help="Folds of the first two.")] = 5,
    test_folds: Annotated[int, typer.Option(help="Folds that combinatorial tests together.")] = 2,
    train_days: Annotated[int | None, typer.Option(help="walk_forward trains on; the experiment's if none.")] = None,
    test_days: Annotated[int, typer.Option(help="walk_forward tests at a time.")] = 7,
    expanding: Annotated[bool, typer.Option(help="walk_forward trains from the first row on.")] = False,
    purge: Annotated[str | None, typer.Option(help="Bars, or a time such as 5h; the experiment's if none.")] = None,
    embargo: Annotated[str | None, typer.Option(help="Bars, or a time such as 24h; the experiment's if none.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Bars that labels look ahead; the strategy's if none.")] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Whose labels, symbols and defaults; the first by name if none.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="SVG file to draw the splits into.")] = None,
) -> None:
    """Look for training labels that overlap a test, on the lake's labels; exit status 1 if one does.

    The table has a line a split: rows of both sets, overlaps, and rows lost to purge and embargo. All symbols are cut
    at the same moments.
    """
    from nightfold.errors import ConfigError
    from nightfold.splits.audit import audit_splits
    from nightfold.splits.audit_picture import audit_picture
    from nightfold.splits.own import load_splits
    from resources.environments import load_environment

    with reported(), _warned():
        if picture is not None and picture.suffix != ".svg":
            raise ConfigError(f"`picture` is {str(picture)!r}; it must end in .svg.")
        environment = load_environment()
        chosen = environment.experiment(experiment)
        ahead = horizon or chosen.strategy.horizon
        labels = _known_labels(environment, chosen, ahead)
        start, end = labels["open_time"], labels[f"label_end_{ahead}"]
        interval = chosen.interval or environment.universe.interval
        if own is None:
            gaps = {"purge": _gap(purge, chosen.split.purge), "embargo": _gap(embargo, chosen.split.embargo)}
            days = (chosen.split.train_days if train_days is None else train_days, test_days)
            splits: Any = _splitter(kind, (folds, test_folds), days, chosen, interval, gaps, expanding=expanding)
        else:
            splits = load_splits(own, start, end)
        found = audit_splits(splits, start, end, interval)
        if picture is not None:
            title = f"{own or kind}: {', '.join(sorted(set(labels['symbol'])))}, labels of {ahead} bars"
            picture.write_text(audit_picture(found, title, is_simulated=environment.universe.is_simulated))
    OUT.print(_splits_table(found.table))
    tested = ", ".join(f"{rows:,} {_OFTEN.get(times, f'{times} times')}" for times, rows in found.tested.iter_rows())
    OUT.print(f"{labels.height:,} rows with a known label of {ahead} bars are tested: {tested}.")
    OUT.print(f"{found.table.height} splits: {found.leaks or 'no'} training labels overlap a test.")
    raise typer.Exit(1 if found.leaks else 0)


def _splitter(
    kind: str,
    folds: tuple[int, int],
    days: tuple[int, int],
    experiment: "Experiment",
    interval: str,
    gaps: dict[str, "Gap"],
    *,
    expanding: bool,
) -> "Splitter":
    """Make the splitter of a name."""
    from nightfold.errors import UnknownNameError
    from nightfold.features.select import max_lookback
    from nightfold.interval import duration
    from nightfold.splits.fold import CombinatorialPurged, PurgedKFold, WalkForward

    if kind == "walk_forward":
        train, test = (length * (duration("1d") // duration(interval)) for length in days)
        return WalkForward(train, test, expanding=expanding, **gaps)
    lookback = max_lookback(experiment.features.resolve())
    if kind == "kfold":
        return PurgedKFold(folds[0], lookback=lookback, **gaps)
    if kind == "combinatorial":
        return CombinatorialPurged(folds[0], folds[1], lookback=lookback, **gaps)
    raise UnknownNameError("kind of splits", kind, ["kfold", "combinatorial", "walk_forward"])


def _gap(text: str | None, default: int) -> "Gap":
    if text is None:
        return default
    return int(text) if text.isdecimal() else text


@contextmanager
def _warned() -> Iterator[None]:
    """Say what splits warn of."""
    from nightfold.splits.fold import LookbackWarning

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", LookbackWarning)
        yield
    for warning in told:
        OUT.print(f"[yellow]warning:[/] {escape(str(warning.message))}")


def _known_labels(environment: "Environment", experiment: "Experiment", horizon: int) -> "pl.DataFrame":
    """Read an experiment's stored rows that have a label, in time order, symbols of one moment together."""
    from assets.keys import data_key
    from nightfold.errors import ConfigError
    from nightfold.schema import KEY

    universe, lake, name = environment.universe, environment.lake, experiment.target.label_set
    offered = environment.label_sets[name].horizons
    if horizon not in offered:
        raise ConfigError(f"`horizon` is {horizon}; label set `{name}` has {', '.join(map(str, offered))}.")
    key, symbols = data_key(universe, name, experiment.interval), experiment.traded(universe.symbols)
    windows = lake.partitions(key, symbols)
    if not windows:
        raise ConfigError(f"the lake has no `{key}` yet; `nightfold backfill --layer research` makes them.")
    known = f"label_end_{horizon}"
    return (
        lake.require(key, symbols, windows[0].start, windows[-1].end, [*KEY, known])
        .drop_nulls(known)
        .sort("open_time", "symbol")
    )


def _splits_table(found: "pl.DataFrame") -> Table:
    table = Table()
    for name in found.columns:
        table.add_column(name.replace("_", " "), justify="right")
    for number, first, last, train, test, leaks, *lost in found.iter_rows():
        counts = (f"{count:,}" for count in (train, test, leaks, *lost))
        table.add_row(str(number), minute(first), minute(last), *counts, style="red" if leaks else None)
    return table


def _table(found: "pl.DataFrame") -> Table:
    name = Column("feature", no_wrap=True)
    table = Table(name, "lookback", "moved by its future", "needs more than its lookback")
    for feature, lookback, moved, short, _ in found.iter_rows():
        table.add_row(feature, str(lookback), *("[red]yes[/]" if fault else "no" for fault in (moved, short)))
    return table
