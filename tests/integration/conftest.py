"""A deployment in a temporary folder, driven through the command line or in this process."""

import hashlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from pipeline_defs.workshop import Workshop

Settings = dict[str, Any]
Said = list[str]

PROJECT = Path(__file__).parents[2]

EXPERIMENT: Settings = {
    "description": "The smallest line that has every part.",
    "first_as_of": "2024-02-05",
    "retrain": "week",
    "max_model_age": 7,
    "target": {"horizons": [5]},
    "strategy": {"horizon": 5},
    "split": {"train_days": 21},
    "features": {"groups": ["returns"]},
    "models": {"logistic_regression": None, "class_frequencies": None},
}
UNIVERSE: Settings = {
    "source": {"kind": "simulated", "trend_strength": 0.5},
    "symbols": ["BTCUSDT"],
    "start": "2024-01-01",
    "end": "2024-03-01",
}


@dataclass(frozen=True)
class Deployment:
    """Settings and data in one folder, and the commands that work on them."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process must find in its environment to work here."""
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("NIGHTFOLD", "DAGSTER"))}
        settings = {"NIGHTFOLD_CONFIG": str(self.folder / "configs"), "NIGHTFOLD_DATA": str(self.folder / "data")}
        return {**outer, **settings, "PYTHONWARNINGS": "ignore"}

    @property
    def place(self) -> Path:
        """Folder of lake, reports, tracking and Dagster's own storage."""
        (found,) = (self.folder / "data").glob("*/lake")
        return found.parent

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a `nightfold` command in a process group of its own."""
        return self.spawn(str(Path(sys.executable).with_name("nightfold")), *arguments)

    def spawn(self, *command: str) -> subprocess.Popen[str]:
        """Start any command in this environment, in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def command(self, *arguments: str) -> str:
        """Run a `nightfold` command to its end and return what it said."""
        process = self.start(*arguments)
        said, _ = process.communicate()
        assert process.returncode == 0, said
        return said

    def kill(self, process: subprocess.Popen[str]) -> None:
        """SIGKILL a process with all of its group, and wait for its end."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def configure(self, universe: Settings, experiment: Settings) -> "Deployment":
        """Write the settings files: the usual ones, changed."""
        folder, experiment = self.folder / "configs", EXPERIMENT | experiment
        (folder / "experiments").mkdir(parents=True, exist_ok=True)
        labels = {"labels": {"horizons": experiment["target"]["horizons"]}}
        for name, settings in (
            ("universe", UNIVERSE | universe),
            ("labels", labels),
            ("experiments/trial", experiment),
        ):
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(settings))
        return self

    def lake_files(self) -> dict[str, str]:
        """Digest of every file in the lake, by its place."""
        lake = self.place / "lake"
        files = (path for path in lake.rglob("*") if path.is_file())
        return {path.relative_to(lake).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def pages(self) -> dict[str, str]:
        """Every report, by its name."""
        return {page.name: page.read_text() for page in (self.place / "reports").rglob("*.html")}

    def runs(self) -> list[dg.DagsterRun]:
        """What Dagster has recorded, the newest first."""
        return list(self._storage.run_storage.get_runs())

    def run_states(self) -> Counter[str]:
        """How many recorded runs are in which state."""
        return Counter(run.status.value for run in self.runs())

    def worker(self, run_id: str) -> int:
        """The process in which the daemon runs something."""
        told = [entry.message for entry in self._storage.event_log_storage.get_logs_for_run(run_id)]
        (pid,) = (
            int(match[1]) for text in told if (match := re.search(r"Started process for run \(pid: (\d+)\)", text))
        )
        return pid

    @property
    def _storage(self) -> DagsterSqliteStorage:
        return DagsterSqliteStorage.from_local(str(self.place / "dagster_home"))

    def tracked(self) -> list[tuple[str, str]]:
        """Model and state of every tracked run."""
        with closing(sqlite3.connect(self.place / "mlflow.db")) as database:
            wanted = "select t.value, status from runs join tags t using (run_uuid) where t.key = 'nightfold.identity'"
            return sorted(database.execute(wanted).fetchall())


@pytest.fixture
def make_deployment(tmp_path: Path) -> Callable[..., Deployment]:
    """Make a deployment of a name, with changes to the usual universe and experiment."""

    def make(name: str, universe: Settings | None = None, experiment: Settings | None = None) -> Deployment:
        return Deployment(tmp_path / name).configure(universe or {}, experiment or {})

    return make


@pytest.fixture
def deployment(make_deployment: Callable[..., Deployment]) -> Deployment:
    """One symbol, two simulated months, weekly models from February on."""
    return make_deployment("deployment")


@pytest.fixture
def workshop(monkeypatch: pytest.MonkeyPatch) -> Callable[[Deployment], AbstractContextManager[tuple[Workshop, Said]]]:
    """Open a deployment in this process; it comes with the list of all that it says."""
    return partial(_open, monkeypatch)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say what a trial measured, whatever pytest does with prints."""

    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return say


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The usual deployment after one undisturbed run; only to be read."""
    deployment = Deployment(tmp_path_factory.mktemp("reference")).configure({}, {})
    with pytest.MonkeyPatch.context() as monkeypatch, _open(monkeypatch, deployment) as (workshop, _):
        workshop.run_line("trial")
    return deployment


@contextmanager
def _open(monkeypatch: pytest.MonkeyPatch, deployment: Deployment) -> Iterator[tuple[Workshop, Said]]:
    for name in os.environ:
        if name.startswith(("NIGHTFOLD", "DAGSTER")):
            monkeypatch.delenv(name)
    for name, value in deployment.environment.items():
        if name.startswith("NIGHTFOLD"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", "")  # so that what the workshop sets does not outlive the test
    said: Said = []
    with Workshop.open(said.append) as workshop:
        yield workshop, said
