"""Deployments worked on by processes of their own, which can be killed."""

import hashlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

PROJECT = Path(__file__).parents[2]
CODE = {"repositoryName": "__repository__", "repositoryLocationName": "nightfold"}
LAUNCH = """
mutation($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


@dataclass(frozen=True)
class Site:
    """A deployment as seen from outside: its processes, its files, its records."""

    folder: Path

    @property
    def place(self) -> Path:
        """Folder of lake, reports, tracking and Dagster's own storage."""
        (found,) = (self.folder / "data").glob("*/lake")
        return found.parent

    def spawn(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, in an environment that leads here."""
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("NIGHTFOLD", "DAGSTER"))}
        settings = {"NIGHTFOLD_CONFIG": str(self.folder / "configs"), "NIGHTFOLD_DATA": str(self.folder / "data")}
        for home in (self.folder / "data").glob("*/dagster_home"):
            settings["DAGSTER_HOME"] = str(home)
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**outer, **settings, "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a `nightfold` command."""
        return self.spawn(str(Path(sys.executable).with_name("nightfold")), *arguments)

    def command(self, *arguments: str) -> str:
        """Run a `nightfold` command to its end, and return what it said."""
        return self.end(self.start(*arguments))

    def end(self, process: subprocess.Popen[str]) -> str:
        """Wait for the good end of a process, and return what it said."""
        said, _ = process.communicate()
        assert process.returncode == 0, said
        return said

    def half_made(self) -> list[str]:
        """Files that writers have begun and not put into their places."""
        return [path.name for folder in ("lake", "reports") for path in (self.place / folder).rglob("*.part")]

    def kill(self, process: subprocess.Popen[str]) -> None:
        """SIGKILL a process with all of its group, and wait for its end."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def wait_for(self, process: subprocess.Popen[str], line: str) -> None:
        """Wait until a process says a line that matches."""
        said: list[str] = []
        while not said or not re.search(line, said[-1]):
            said.append(process.stdout.readline())
            assert said[-1], "".join(said)

    def lake_files(self) -> dict[str, str]:
        """Digest of every file in the lake, whatever its name, by its place; what fits took differs each time."""
        lake = self.place / "lake"
        files = (path for path in lake.rglob("*") if path.is_file() and path.name != "cpu_seconds.json")
        return {path.relative_to(lake).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def pages(self) -> dict[str, str]:
        """Every report by its place; the comparison of models tells CPU seconds, which are never the same twice."""
        reports = self.place / "reports"
        same = (page for page in reports.rglob("*.html") if page.name != "model_comparison.html")
        return {page.relative_to(reports).as_posix(): page.read_text() for page in same}

    @property
    def storage(self) -> DagsterSqliteStorage:
        """What Dagster keeps of this deployment."""
        return DagsterSqliteStorage.from_local(str(self.place / "dagster_home"))

    def run_states(self) -> Counter[str]:
        """How many recorded runs are in which state."""
        return Counter(run.status.value for run in self.storage.run_storage.get_runs())

    def run_state(self, run: str) -> str:
        """State of one recorded run."""
        return self.storage.run_storage.get_runs(dg.RunsFilter([run]))[0].status.value

    def recorded(self, key: str) -> set[str]:
        """Partitions of an asset that Dagster has seen stored."""
        return self.storage.event_log_storage.get_materialized_partitions(dg.AssetKey(key.split("/")))

    def tracked(self) -> list[tuple[str, str]]:
        """Model and state of every run that MLflow has."""
        with closing(sqlite3.connect(self.place / "mlflow.db")) as database:
            wanted = "select t.value, status from runs join tags t using (run_uuid) where t.key = 'nightfold.identity'"
            return sorted(database.execute(wanted).fetchall())

    @contextmanager
    def read_meanwhile(self) -> Iterator[dict[str, Any]]:
        """Let another process read lake and pages over and over; at the end there are its `reads` and `faults`."""
        found: dict[str, Any] = {}
        command = [sys.executable, str(Path(__file__).with_name("lake_reader.py")), str(self.folder / "data")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            try:
                yield found
            finally:
                answer, _ = reader.communicate("")
                found.update(json.loads(answer))

    @contextmanager
    def ui(self) -> Iterator[Callable[[str, str, str], str]]:
        """Open the web UI; `launch(job, first, last)` launches a run of a block through it, and gives the run's id."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = self.start("ui", "--port", str(port))

        def launch(job: str, first: str, last: str) -> str:
            block = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
            params = {
                "selector": {**CODE, "jobName": job},
                "runConfigData": {},
                "mode": "default",
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in block.items()]},
            }
            document = {"query": LAUNCH, "variables": {"params": params}}
            answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=document, trust_env=False, timeout=60).json()
            assert "run" in answer["data"]["launchPipelineExecution"], answer
            return str(answer["data"]["launchPipelineExecution"]["run"]["runId"])

        try:
            self.wait_for(process, r"Web UI: +http")
            yield launch
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture
def site() -> type[Site]:
    """`site(deployment.folder)` works on a deployment from outside."""
    return Site


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool], float], float]:
    """Ask again and again until something holds; return how many seconds that took."""

    def wait(holds: Callable[[], bool], seconds: float) -> float:
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < seconds
            time.sleep(0.2)
        return time.monotonic() - began

    return wait


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say what a trial measured, whatever pytest does with output."""

    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return say
