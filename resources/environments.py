"""Which deployment this is: settings files, folders and secrets, read once from the environment."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from nightfold.configuration import load_experiments, load_spec, read_mapping
from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.labels.table import LabelSet
from nightfold.source import parse_source
from nightfold.universe import Universe
from resources.lake import Lake
from resources.sources.build import build_source
from resources.sources.protocol import MarketDataSource

PROJECT = Path(__file__).parents[1]


class Settings(BaseSettings):
    """What may be set from outside, each as `NIGHTFOLD_...`."""

    model_config = SettingsConfigDict(env_prefix="NIGHTFOLD_", extra="forbid")

    config: Path = Path("configs")
    """Folder with `universe.yaml`, `labels.yaml` and `experiments/`."""
    source: str | None = None
    """Replaces the universe's source; symbols and range then follow what it holds, where it can tell."""
    data: Path = Path("data")
    """Folder for lake, reports, tracking and caches."""
    lake: str | None = None
    """Address of the lake where it is not in the data folder, such as `s3://bucket/lake`."""
    tracking: str | None = None
    """Address of an MLflow server; none: SQLite in the data folder."""
    webhook: SecretStr | None = None
    """Address that alerts are posted to."""
    nightly: bool = False
    """Whether the nightly schedule starts switched on."""

    @property
    def is_default(self) -> bool:
        """Whether this is the deployment the repository ships."""
        return self.source is None and self.config == Path("configs")


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
        return _absolute(self.settings.data) / self.source.slug

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
        """Dagster's own storage: one per source, so that partitions of one market never look like another's."""
        home = PROJECT / "dagster_home"
        return home if self.settings.is_default else home / self.source.slug

    @property
    def tracking_address(self) -> str:
        """Where MLflow keeps runs."""
        return self.settings.tracking or f"sqlite:///{self.data / 'mlflow.db'}"

    @property
    def lake(self) -> Lake:
        """The lake of this deployment."""
        url = self.settings.lake or str(self.data / "lake")
        return Lake(url=url, grain=self.universe.grain, locks=self.data / "locks")

    @property
    def lake_identity(self) -> dict[str, str | int]:
        """What the lake records of itself, and refuses to mix."""
        return {
            "format": 1,
            "grain": self.universe.grain,
            "interval": self.universe.interval,
            "source": self.source.slug,
        }

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
    settings = settings or Settings()
    folder = _absolute(settings.config)
    universe = load_spec(folder / "universe.yaml", Universe)
    cache = _absolute(settings.data) / "downloads"
    if settings.source is not None:
        universe = _with_source(universe, settings.source, now, cache)
    source = build_source(universe.source, now, cache)
    label_sets = {
        name: LabelSet.model_validate({"name": name, **(values or {})})
        for name, values in read_mapping(folder / "labels.yaml").items()
    }
    experiments = load_experiments(folder / "experiments")
    for experiment in experiments.values():
        _check_against(experiment, universe, label_sets, folder)
    return Environment(settings, universe, label_sets, experiments, source, now)


def prepare_dagster_home(environment: Environment) -> Path:
    """Make Dagster's folder with the project's `dagster.yaml` in it, and name it to this process and its children."""
    home = environment.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    template = PROJECT / "dagster_home" / "dagster.yaml"
    if home != template.parent:
        shutil.copyfile(template, home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _with_source(universe: Universe, text: str, now: Callable[[], datetime], cache: Path) -> Universe:
    source = build_source(parse_source(text), now, cache)
    interval = universe.source_interval or universe.interval
    offered = source.symbols(interval)
    wanted = universe.symbols if offered is None else [s for s in universe.symbols if s in offered] or offered
    spans = [span for symbol in wanted if (span := source.coverage(symbol, interval)) is not None]
    changes: dict[str, object] = {"source": parse_source(text), "symbols": wanted}
    if spans:
        changes |= {"start": min(s for s, _ in spans).date(), "end": _day_after(max(e for _, e in spans))}
    return Universe.model_validate({**universe.model_dump(), **changes})


def _day_after(end: datetime) -> date:
    return (end - timedelta(milliseconds=1)).date() + timedelta(days=1)


def _check_against(
    experiment: Experiment, universe: Universe, label_sets: dict[str, LabelSet], folder: Path
) -> None:
    where = f"{folder / 'experiments' / experiment.name}"
    experiment.traded(universe.symbols)
    if experiment.interval not in {None, *universe.intervals}:
        raise ConfigError(
            f"{where}: `interval` is {experiment.interval!r}; the universe has {', '.join(universe.intervals)}."
        )
    label_set = label_sets.get(experiment.target.label_set)
    if label_set is None:
        raise ConfigError(
            f"{where}: `target.label_set` is {experiment.target.label_set!r}; labels.yaml has {', '.join(label_sets)}."
        )
    missing = sorted(set(experiment.target.horizons) - set(label_set.horizons))
    if missing:
        raise ConfigError(
            f"{where}: `target.horizons` has {missing}; label set `{label_set.name}` has {label_set.horizons}."
        )


def _absolute(path: Path) -> Path:
    return path if path.is_absolute() else PROJECT / path
