"""A stress replay as a deployment of its own: its settings, its folder, what it stored."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import yaml

from assets.experiment import Plan
from assets.line import Line
from assets.splits import stored_split
from nightfold.configuration import load_spec, read_mapping
from nightfold.errors import ConfigError, NightfoldError, SourceError, UnknownNameError
from nightfold.source import FolderSource
from nightfold.stress import StressEvent, held_worth, replay_row
from nightfold.universe import Universe
from nightfold.window import midnight
from pipeline_defs.definitions import build
from resources.environments import Environment, Settings, load_environment
from resources.lake import Lake
from resources.project import PROJECT, in_project

EVENTS = Path("configs/stress")
RECORDED = Path("../shared/data")
"""Where the shipped replays look for recorded bars."""

_EVENT = "event.yaml"
_WHOLE = "range=full"
_COMMAND = "from pipeline_defs.command import app; app()"


@dataclass(frozen=True)
class Replay:
    """One event with the settings and the folder its experiments are run in."""

    name: str
    event: StressEvent
    settings: Settings

    @cached_property
    def environment(self) -> Environment:
        """Its deployment."""
        return load_environment(self.settings)

    @cached_property
    def line(self) -> Line:
        """The assets of it."""
        return build(self.environment)[1]

    def check_bars(self) -> None:
        """See that there are bars of each symbol before and within the event.

        Raises
        ------
        ConfigError
            If not; the message says where they would lie.
        """
        universe, source = self.environment.universe, self.environment.source
        for symbol in universe.symbols:
            try:
                span = source.coverage(symbol, universe.source_interval or universe.interval)
            except SourceError as error:
                raise ConfigError(f"the bars of `{self.name}` are not there: {error} {self._way_out()}") from error
            if span is not None and not span[0] < self.event.start < span[1]:
                raise ConfigError(
                    f"the bars of {symbol} run from {span[0]:%Y-%m-%d} to {span[1]:%Y-%m-%d}, and `{self.name}` begins "
                    f"on {self.event.first_day}. {self._way_out()}"
                )

    def check_funding(self, experiment: str) -> None:
        """See that recorded funding can be read, where an experiment pays any: it is needed only after training.

        Raises
        ------
        ConfigError
            If not; the message says where it would lie.
        """
        try:
            _ = self.line.plans[experiment].funding
        except SourceError as error:
            raise ConfigError(
                f"the funding of `{self.name}` is not there: {error}; `--data FOLDER` names the folder that recorded "
                "bars and rates lie in."
            ) from error

    def _way_out(self) -> str:
        path = getattr(self.environment.universe.source, "path", "")
        return f"They would lie at {in_project(path).resolve()}; `--data FOLDER` names the folder of recorded bars."

    def run(self, experiment: str, tell: Callable[[str], None]) -> None:
        """Run the whole line of an experiment in a process of its own; models that were fitted before stay.

        Raises
        ------
        NightfoldError
            If it failed; what it said was told.
        """
        own = {"NIGHTFOLD_CONFIG": str(self.settings.config), "NIGHTFOLD_DATA": str(self.settings.data)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTFOLD_")}
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "run", "--experiment", experiment],
            cwd=PROJECT,
            env={"PYTHONWARNINGS": "ignore::UserWarning", **kept, **own, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            for line in process.stdout or ():
                tell(line.rstrip())
        if process.returncode:
            raise NightfoldError(f"the replay {self.name}/{experiment} failed; what it said is above.")

    def row(self, experiment: str) -> dict[str, object]:
        """Measure what an experiment stored.

        Raises
        ------
        ConfigError
            If it was not run yet, or as `replay_row`.
        """
        event, lake, plan = self.event, self.environment.lake, self.line.plans[experiment]
        symbols = plan.symbols
        if lake.version(plan.key("backtest"), _WHOLE) is None:
            raise ConfigError(f"{self.name}/{experiment} was not replayed yet; `nightfold stress {self.name}` does it.")
        spoken = lake.require(plan.key("predictions"), symbols, event.start, event.end, ["open_time", "as_of"])
        in_force = spoken["as_of"].drop_nulls().dt.date().unique().sort().to_list()
        first = midnight(plan.universe.start)
        bars = lake.require(plan.data("bars"), symbols, first, event.end, ["symbol", "open_time", "close"])
        with TemporaryDirectory() as scratch:
            folder = lake.fetch_folder(plan.key("backtest"), _WHOLE, Path(scratch))
            equity, trades = (pl.read_parquet(folder / f"{name}.parquet") for name in ("equity", "trades"))
            known = {as_of: _known_until(plan, lake, as_of, Path(scratch)) for as_of in in_force}
        held = held_worth(bars, event, plan.interval)
        return replay_row(
            event, experiment, equity=equity, trades=trades, held=held, in_force=in_force, trained_until=known
        )


def find_replays(names: Sequence[str] = (), events: Path = EVENTS, recorded: Path | None = None) -> list[Replay]:
    """Read the events of a folder, by their first days.

    Parameters
    ----------
    names
        Which; all where none is named.
    events
        A folder with one folder an event: `event.yaml` beside the settings of a deployment.
    recorded
        Folder of recorded bars that takes the place of `RECORDED`.

    Raises
    ------
    ConfigError
        If there is no event, a file is wrong, or the bars of an event do not lie under `RECORDED` to begin with.
    UnknownNameError
        If an event is not there; the message offers the close ones.
    """
    place = in_project(events)
    folders = {path.parent.name: path.parent for path in sorted(place.glob(f"*/{_EVENT}"))}
    if not folders:
        raise ConfigError(
            f"{place} has no event; each is a folder of its own with {_EVENT}, universe.yaml, labels.yaml and "
            "experiments/."
        )
    for name in names:
        if name not in folders:
            raise UnknownNameError("event", name, folders)
    found = [_replay(folder, recorded) for name, folder in folders.items() if name in (names or folders)]
    return sorted(found, key=lambda replay: replay.event.first_day)


def _replay(folder: Path, recorded: Path | None) -> Replay:
    event = load_spec(folder / _EVENT, StressEvent, name=folder.name)
    data = in_project(Settings().data) / "stress" / folder.name
    configs = folder if recorded is None else _moved(folder, data / "configs", recorded)
    settings = Settings(config=configs, data=data, source=None, lake=None, tracking=None, webhook=None, nightly=False)
    return Replay(folder.name, event, settings)


def _moved(folder: Path, to: Path, recorded: Path) -> Path:
    """Copy the settings of a deployment, with its bars and funding rates from another folder."""
    universe = load_spec(folder / "universe.yaml", Universe)
    source = universe.source
    if not isinstance(source, FolderSource) or not Path(source.path).is_relative_to(RECORDED):
        raise ConfigError(
            f"`data` is {recorded}, which takes the place of {RECORDED}; the `source` of {folder / 'universe.yaml'} "
            "does not lie there: leave `data` out, or change the source."
        )

    def there(path: str) -> str:
        return str(recorded.expanduser().resolve() / Path(path).relative_to(RECORDED))

    moved = read_mapping(folder / "universe.yaml") | {
        "source": {**source.model_dump(), "path": there(source.path)},
        "funding": {
            symbol: there(file) if Path(file).is_relative_to(RECORDED) else file
            for symbol, file in universe.funding.items()
        },
    }
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)
    (to / "universe.yaml").write_text(yaml.safe_dump(moved, sort_keys=False))
    return to


def _known_until(plan: Plan, lake: Lake, as_of: date, scratch: Path) -> datetime:
    """Latest end of a label that any model of an as-of may know."""
    horizon = plan.experiment.strategy.horizon
    keys = plan.experiment.universe_keys(plan.universe.symbols)
    splits = [stored_split(plan, lake, f"universe={key}/{as_of:%Y-%m-%d}", scratch)[horizon] for key in keys]
    return max(datetime.fromisoformat(split["span"]["known_until"]) for split in splits)
