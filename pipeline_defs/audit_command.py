"""The `nightfold audit` commands: look for leaks in one's own work, and in the catalog."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from nightfold.tearsheet.number import day
from pipeline_defs.console import OUT, reported

if TYPE_CHECKING:
    import polars as pl

    from nightfold.experiment import Experiment
    from nightfold.splits.fold import Splitter
    from nightfold.splits.gap import Gap
    from resources.environments import Environment

app = typer.Typer(help="Look for leaks.", no_args_is_help=True)

_OFTEN = {0: "never", 1: "once"}
_LEAKS = 2
"""Place among the counts of a split."""


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
    cuts: Annotated[
        int | None,
        typer.Option(help="Points in time to try; 4 for the catalog and 400 for your own features if none.", min=1),
    ] = None,
) -> None:
    """Change the future of bars and see that no feature of their past moves; exit status 1 if one does.

    At some points in time the bars that come after are cut off, then replaced by noise. Whatever changes before such a
    point knew its future. The value at the point is also computed from just the bars its lookback names. Features that
    look at other symbols are audited on the bars of all. A feature of your own is loaded from its file for each
    computation, and tried at rows of all times of day and at rare ones: a peek of one bar shows at its own row alone.
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
        tried = {} if cuts is None else {"cuts": cuts, "own_cuts": cuts}
        found = audit_features(bars, chosen, **tried, interval=interval, leader=leads)
    fault = pl.col("moved_by_future") | pl.col("needs_more_than_lookback")
    faults = found.filter(fault)
    OUT.print(_table(faults if faults.height else found))
    if unknown := found.filter(known_rows=0)["feature"].to_list():
        OUT.print(f"[yellow]not audited:[/] {len(unknown)} have no value on these bars: {', '.join(unknown)}.")
    for (points, share), features in found.group_by("cuts", "visible_share", maintain_order=True):
        faulty = features.filter(fault).height or "none"
        OUT.print(f"{features.height} features on {bars.height:,} bars, {points} cuts: {faulty} with a fault.")
        OUT.print(f"A peek of one bar is found with 95 % where it shows in {100 * share:.1f} % of the bars or more.")
    raise typer.Exit(1 if faults.height else 0)


@app.command("splits")
def audit_splits_command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="EXPERIMENT", help="Whose labels, symbols and defaults; the first by name if none."),
    ] = None,
    own: Annotated[
        str | None,
        typer.Option(
            help="Splits of your own, FILE.py:NAME: an object with `split(X)` as in scikit-learn, what makes one, or a "
            "function of start and end that gives pairs of train and test rows. Rows are in time order, symbols of one "
            "moment together; `y` are the labels and `groups` the symbols, or the UTC days of a single one."
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
    horizon: Annotated[
        int | None,
        typer.Option(help="Bars that labels look ahead; all of the experiment named, or else the strategy's, if none."),
    ] = None,
    experiment: Annotated[str | None, typer.Option(help="The same as EXPERIMENT.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="SVG file to draw the splits into; of several horizons one file each.")
    ] = None,
) -> None:
    """Look for training labels that overlap a test, on the lake's labels; exit status 1 if one does.

    A label ends when the target that the experiment learns became known. The table has a line a split: rows of both
    sets, overlaps, and rows lost to purge and embargo. All symbols are cut at the same moments.
    """
    from nightfold.errors import ConfigError
    from pipeline_defs.audited_labels import audited_horizons
    from resources.environments import load_environment

    with reported(), _warned():
        if picture is not None and picture.suffix != ".svg":
            raise ConfigError(f"`picture` is {str(picture)!r}; it must end in .svg.")
        if name is not None and experiment not in {None, name}:
            raise ConfigError(f"`experiment` is {experiment}, and {name} is named as well; name one of them.")
        environment, wanted = load_environment(), name or experiment
        chosen = environment.experiment(wanted)
        leaks = 0
        horizons = audited_horizons(environment, chosen, horizon, is_named=wanted is not None)
        interval = chosen.interval or environment.universe.interval
        if own is None:
            gaps = {"purge": _gap(purge, chosen.split.purge), "embargo": _gap(embargo, chosen.split.embargo)}
            days = (chosen.split.train_days if train_days is None else train_days, test_days)
            splits: Any = _splitter(kind, (folds, test_folds), days, chosen, interval, gaps, expanding=expanding)
        else:
            splits = own
        for ahead in horizons:
            drawn = picture if picture is None or len(horizons) == 1 else picture.with_stem(f"{picture.stem}_{ahead}")
            leaks += _audit(environment, chosen, ahead, splits, own or kind, drawn)
    raise typer.Exit(1 if leaks else 0)


def _audit(
    environment: "Environment", experiment: "Experiment", horizon: int, splits: Any, called: str, picture: Path | None
) -> int:
    """Audit a splitter, or that of a place, on labels of one horizon; print what is found, and count the leaks."""
    from nightfold.splits.audit import audit_splits
    from nightfold.splits.audit_picture import audit_picture
    from nightfold.splits.own import load_splits
    from pipeline_defs.audited_labels import audited_groups, audited_labels

    labels = audited_labels(environment, experiment, horizon)
    start, end = labels["open_time"], labels["label_end"]
    if isinstance(splits, str):
        splits = load_splits(splits, start, end, labels["label"], audited_groups(labels))
    found = audit_splits(splits, start, end, experiment.interval or environment.universe.interval)
    if picture is not None:
        title = f"{called}: {', '.join(sorted(set(labels['symbol'])))}, labels of {horizon} bars"
        picture.write_text(audit_picture(found, title, is_simulated=environment.universe.is_simulated))
    target = experiment.target
    OUT.print(f"{experiment.name}: target {target.kind}, known at `{target.columns(horizon)[1]}`.")
    OUT.print(_splits_table(found.table))
    tested = ", ".join(f"{rows:,} {_OFTEN.get(times, f'{times} times')}" for times, rows in found.tested.iter_rows())
    OUT.print(f"{labels.height:,} rows with a known label of {horizon} bars are tested: {tested}.")
    OUT.print(f"{found.table.height} splits: {found.leaks or 'no'} training labels overlap a test.")
    return found.leaks


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
        warnings.filterwarnings("ignore", "The groups parameter is ignored")  # handed to all that could need them
        yield
    for message in dict.fromkeys(str(warning.message) for warning in told):
        OUT.print(f"[yellow]warning:[/] {escape(message)}")


def _splits_table(found: "pl.DataFrame") -> Table:
    """Write a line a split, narrow enough for a terminal of 80 columns; unknown labels only where there are any."""
    shown = found.drop("unknown") if found["unknown"].sum() == 0 else found
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False, pad_edge=False)
    for name in shown.rename({"embargoed": "embargo"}).columns:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for number, first, last, *counts in shown.iter_rows():
        cells = (str(number), day(first), day(last), *(f"{count:,}" for count in counts))
        table.add_row(*cells, style="red" if counts[_LEAKS] else None)
    return table


def _table(found: "pl.DataFrame") -> Table:
    name = Column("feature", no_wrap=True)
    table = Table(name, "lookback", "moved by its future", "needs more than its lookback")
    for feature, lookback, moved, short, *_ in found.iter_rows():
        table.add_row(feature, str(lookback), *("[red]yes[/]" if fault else "no" for fault in (moved, short)))
    return table
