"""Which deployment this is: settings files, folders and secrets, read once from the environment."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from nightfold.configuration import describe_faults, load_experiments, load_spec, load_specs
from nightfold.errors import ConfigError, UnknownNameError
from nightfold.experiment import STAGES, Experiment
from nightfold.labels.table import LabelSet
from nightfold.source import parse_source
from nightfold.spec import fingerprint
from nightfold.universe import Universe
from resources.dagster_home import make_dagster_home
from resources.lake import Lake
from resources.project import PROJECT, in_project
from resources.sources.build import build_source
from resources.sources.protocol import MarketDataSource

DATA = Path("data")
CONFIG = Path("configs")


class Settings(BaseSettings):
    """What may be set from outside, each as `NIGHTFOLD_...`."""

    model_config = SettingsConfigDict(env_prefix="NIGHTFOLD_", extra="forbid")

    config: Path = CONFIG
    """Folder with `universe.yaml`, `labels.yaml` and `experiments/`."""
    source: str | None = None
    """Replaces the universe's source; symbols and range then follow what it holds, where it can tell."""
    data: Path = DATA
    """Folder for lake, reports, tracking and caches."""
    lake: str | None = None
    """Address of the lake where it is not in the data folder, such as `s3://bucket/lake`."""
    tracking: str | None = None
    """Address of an MLflow server; none: SQLite in the data folder."""
    webhook: SecretStr | None = None
    """Address that alerts are posted to."""
    nightly: bool = False
    """Whether the nightly schedule starts switched on."""


@dataclass(frozen=True)
class Environment:
    """One deployment: its settings, and the folders it keeps things in."""

    settings: Settings
    universe: Universe
    label_sets: dict[str, LabelSet]
    experiments: dict[str, Experiment]
    source: MarketDataSource
    now: Callable[[], datetime]

    @cached_property
    def data(self) -> Path:
        """Folder of this source's lake, reports, tracking and caches."""
        return in_project(self.settings.data) / self.source.slug

    @property
    def reports(self) -> Path:
        """Folder of the pages people read."""
        return self.data / "reports"

    @property
    def scratch(self) -> Path:
        """Folder for what may be lost at any time."""
        return self.data / "scratch"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage: one per lake, so that partitions of one market never look like another's."""
        home, settings = PROJECT / "dagster_home", self.settings
        if settings.lake is not None:
            return home / f"{self.source.slug}-{fingerprint([settings.lake, str(settings.data)])[:6]}"
        if settings.data != DATA:
            return self.data / "dagster_home"
        return home if settings.source is None and settings.config == CONFIG else home / self.source.slug

    @property
    def tracking_address(self) -> str:
        """Where MLflow keeps runs."""
        return self.settings.tracking or f"sqlite:///{self.data / 'mlflow.db'}"

    @cached_property
    def lake(self) -> Lake:
        """The lake of this deployment; its locks lie beside it, or in the data folder where it is no folder."""
        given = self.settings.lake
        if given is not None and "://" in given:
            return Lake(given, self.universe.grain, self.data / "lake.locks")
        folder = self.data / "lake" if given is None else in_project(Path(given))
        return Lake(str(folder), self.universe.grain, folder.with_name(f"{folder.name}.locks"))

    @property
    def lake_identity(self) -> dict[str, str | int]:
        """What the lake records of itself, and refuses to mix."""
        return {
            "format": 1,
            "grain": self.universe.grain,
            "interval": self.universe.interval,
            "source": self.source.slug,
        }

    def experiment(self, name: str | None = None) -> Experiment:
        """Find an experiment by name; the first one where none is given.

        Raises
        ------
        ConfigError
            If there is none at all.
        UnknownNameError
            If none has this name; the message offers the close ones.
        """
        if not self.experiments:
            raise ConfigError(
                f"there is no experiment; write one into `{in_project(self.settings.config)}/experiments/`."
            )
        if name is not None and name not in self.experiments:
            raise UnknownNameError("experiment", name, self.experiments)
        return self.experiments[name or next(iter(self.experiments))]

    def horizon(self) -> datetime:
        """End of what can exist now."""
        return self.universe.horizon(self.now())


def utc_now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)


def load_environment(settings: Settings | None = None, now: Callable[[], datetime] = utc_now) -> Environment:
    """Read settings files and build what they describe.

    Raises
    ------
    ConfigError
        If a file is wrong; the message names file, key, value and what is allowed.
    """
    settings = settings or _read_settings()
    folder = in_project(settings.config)
    universe = load_spec(folder / "universe.yaml", Universe)
    cache = in_project(settings.data) / "downloads"
    if settings.source is not None:
        universe = _with_source(universe, settings.source, now, cache)
    label_sets = load_specs(folder / "labels.yaml", LabelSet)
    taken = sorted(set(label_sets) & (STAGES - {"labels"}))
    if taken:
        raise ConfigError(f"{folder / 'labels.yaml'}: {taken[0]!r} is the name of a stage; give the label set another.")
    experiments = load_experiments(folder / "experiments", lambda each: each.check_against(universe, label_sets))
    return Environment(settings, universe, label_sets, experiments, build_source(universe.source, now, cache), now)


def prepare_dagster_home(environment: Environment) -> Path:
    """Make Dagster's folder with the project's `dagster.yaml`, and name it to this process and its children."""
    home = environment.dagster_home
    make_dagster_home(home, PROJECT / "dagster_home" / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")
    return home


def _read_settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigError(describe_faults("environment NIGHTFOLD_...", error, Settings)) from error


def _with_source(universe: Universe, text: str, now: Callable[[], datetime], cache: Path) -> Universe:
    """Take bars from elsewhere: its symbols, where it has none of the universe's, and the range it covers."""
    source = build_source(parse_source(text), now, cache)
    interval = universe.source_interval or universe.interval
    offered = source.symbols(interval)
    wanted = universe.symbols if offered is None else [s for s in universe.symbols if s in offered] or offered
    if not wanted:
        raise ConfigError(
            f"`source` is {text!r}, which has no {interval} bars; set `intervals` or `source_interval` of the universe "
            "to what is there."
        )
    spans = [span for symbol in wanted if (span := source.coverage(symbol, interval)) is not None]
    leader = universe.leader if universe.leader in wanted else None
    funding = {symbol: file for symbol, file in universe.funding.items() if symbol in wanted}
    changes: dict[str, object] = {"source": parse_source(text), "symbols": wanted, "leader": leader, "funding": funding}
    if spans and offered is not None:
        changes |= {"start": min(s for s, _ in spans).date(), "end": _day_after(max(e for _, e in spans))}
    return Universe.model_validate({**universe.model_dump(), **changes})


def _day_after(end: datetime) -> date:
    return (end - timedelta(milliseconds=1)).date() + timedelta(days=1)
