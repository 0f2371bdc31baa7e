"""A deployment in a temporary folder, driven through the command line or in this process."""

import hashlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipeline_defs.workshop import Workshop

PROJECT = Path(__file__).parents[2]

EXPERIMENT = {
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
UNIVERSE = {"source": "simulated", "symbols": ["BTCUSDT"], "start": "2024-01-01", "end": "2024-03-01"}


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

    def configure(self, universe: dict[str, object], experiment: dict[str, object] | None = None) -> "Deployment":
        """Write the settings files."""
        configs = self.folder / "configs"
        (configs / "experiments").mkdir(parents=True, exist_ok=True)
        experiment = EXPERIMENT | (experiment or {})
        (configs / "universe.yaml").write_text(yaml.safe_dump(UNIVERSE | universe))
        (configs / "labels.yaml").write_text(yaml.safe_dump({"labels": {"horizons": experiment["target"]["horizons"]}}))
        (configs / "experiments" / "trial.yaml").write_text(yaml.safe_dump(experiment))
        return self

    def lake_files(self) -> dict[str, str]:
        """Digest of every file in the lake, by its place."""
        lake = self.place / "lake"
        files = (path for path in lake.rglob("*") if path.is_file())
        return {path.relative_to(lake).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def run_states(self) -> Counter[str]:
        """How many recorded runs are in which state."""
        with dg.DagsterInstance.from_config(str(self.place / "dagster_home")) as instance:
            return Counter(run.status.value for run in instance.get_runs())


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """One symbol, two simulated months, weekly models from February on."""
    return Deployment(tmp_path).configure({})


@pytest.fixture
def workshop(monkeypatch: pytest.MonkeyPatch) -> Callable[[Deployment], "Iterator[tuple[Workshop, list[str]]]"]:
    """Open a deployment in this process, and collect what it says."""

    @contextmanager
    def open_workshop(deployment: Deployment) -> Iterator[tuple[Workshop, list[str]]]:
        for name, value in deployment.environment.items():
            if name.startswith("NIGHTFOLD"):
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("DAGSTER_HOME", "set when the workshop opens")
        said: list[str] = []
        with Workshop.open(said.append) as opened:
            yield opened, said

    return open_workshop


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL a process with all it has started, and wait for its end."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
