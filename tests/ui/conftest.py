"""A deployment of its own for each trial: settings and data in a temporary folder, and a web UI to start on them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

PROJECT = Path(__file__).parents[2]
NIGHTFOLD = [sys.executable, "-c", "from pipeline_defs.command import app; app()"]

UNIVERSE = "source: {source}\nsymbols: [BTCUSDT, ETHUSDT]\nstart: 2024-01-01\nend: 2024-04-01\nintervals: [5m]\n"
EXPERIMENT = {
    "description": "Two models, fitted each week; their mean is traded.",
    "first_as_of": "2024-02-05",
    "retrain": "week",
    "max_model_age": 14,
    "target": {"horizons": [20]},
    "features": {"groups": ["returns", "volatility"]},
    "split": {"train_days": 20},
    "models": {"lightgbm": None, "logistic_regression": None},
}

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
STATUS = """
query Status($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }
"""


def wait_until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain"
        time.sleep(0.1)
    return answer


@dataclass
class Interface:
    """A web UI that was started."""

    pid: int
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return self.log.read_text()

    def is_up(self) -> bool:
        """Whether it has told its addresses; a failed start is a failed test."""
        assert self.process is None or self.process.poll() is None, self.said
        return f"{self.address}/reports/" in self.said

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.address + path, trust_env=False, timeout=30)

    def ask(self, query: str, **variables: Any) -> Any:
        """Ask GraphQL; an error is a failed test."""
        document = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.address}/graphql", json=document, trust_env=False, timeout=60).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, job: str, first: str, last: str) -> str:
        """Launch a job for a block of partitions, and return the run's id."""
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        params = {
            "selector": {
                "repositoryName": "__repository__",
                "repositoryLocationName": "nightfold",
                "jobName": job,
            },
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        launched = self.ask(LAUNCH, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def latest_run(self) -> dict[str, str]:
        """Id and status of the run that was launched last."""
        found = self.ask("{ runsOrError(limit: 1) { ... on Runs { results { runId status } } } }")
        newest: dict[str, str] = found["runsOrError"]["results"][0]
        return newest

    def status(self, run: str) -> str:
        return str(self.ask(STATUS, run=run)["runOrError"]["status"])

    def stop(self, number: signal.Signals) -> int:
        """Send a signal, and return the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@dataclass
class Deployment:
    """Settings and data of one trial."""

    folder: Path
    source: str = "simulated"
    started: list[Interface] = field(default_factory=list)

    def __post_init__(self) -> None:
        configs = self.folder / "configs"
        (configs / "experiments").mkdir(parents=True)
        (configs / "universe.yaml").write_text(UNIVERSE.format(source=self.source))
        (configs / "labels.yaml").write_text("labels:\n  horizons: [20]\n")
        (configs / "experiments" / "quick.json").write_text(json.dumps(EXPERIMENT))

    command = NIGHTFOLD
    project = PROJECT

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NIGHTFOLD_", "DAGSTER_"))}
        chosen = {"NIGHTFOLD_CONFIG": self.folder / "configs", "NIGHTFOLD_DATA": self.folder / "data"}
        return {**kept, **{name: str(path) for name, path in chosen.items()}, "PYTHONWARNINGS": "ignore::UserWarning"}

    @property
    def reports(self) -> Path:
        return next((self.folder / "data").glob("*/reports"))

    def nightfold(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*NIGHTFOLD, *arguments], cwd=PROJECT, env=self.environment, capture_output=True, text=True, timeout=300
        )

    @contextmanager
    def ui(self, *, in_background: bool = False) -> Iterator[Interface]:
        """Start the web UI and wait until it answers; a shell's background ignores SIGINT from the start."""
        port, log = find_free_port(), self.folder / f"ui-{len(self.started)}.log"
        command = [*NIGHTFOLD, "ui", "--port", str(port)]
        with log.open("wb") as output:
            places: dict[str, Any] = {"cwd": PROJECT, "env": self.environment, "stderr": subprocess.STDOUT}
            if in_background:
                shell = ["/bin/sh", "-c", '"$@" > "$0" 2>&1 & echo $!', str(log), *command]
                pid = int(subprocess.run(shell, stdout=subprocess.PIPE, cwd=PROJECT, env=self.environment).stdout)
                interface = Interface(pid, port, log)
            else:
                process = subprocess.Popen(command, stdout=output, **places)
                interface = Interface(process.pid, port, log, process)
        self.started.append(interface)
        try:
            wait_until(interface.is_up, 120)
            yield interface
        finally:
            self.end()

    def living(self) -> dict[int, str]:
        """Processes that work on this deployment, whoever their parent is now."""
        mark = f"NIGHTFOLD_DATA={self.folder / 'data'}".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    def end(self) -> None:
        """Kill whatever is left."""
        for pid in self.living():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for interface in self.started:
            if interface.process is not None:
                interface.process.wait()


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    """A port that nothing listens on."""
    return find_free_port()


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait until something is true."""
    return wait_until


@pytest.fixture(scope="session")
def finished_line(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment whose line has been run from a market with something to find."""
    deployment = Deployment(tmp_path_factory.mktemp("finished"), source="{kind: simulated, trend_strength: 0.1}")
    made = deployment.nightfold("run")
    assert made.returncode == 0, made.stdout + made.stderr
    return deployment


@pytest.fixture(scope="session")
def finished_ui(finished_line: Deployment) -> Iterator[Interface]:
    """The web UI of that deployment."""
    with finished_line.ui() as ui:
        yield ui
        assert ui.stop(signal.SIGTERM) == 0


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """Nothing materialized yet, on the simulated market."""
    return Deployment(tmp_path)


@dataclass
class SlowArchive:
    """An archive that takes connections and then says nothing, until it is told to."""

    url: str
    asked: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)


@pytest.fixture
def slow_archive() -> Iterator[SlowArchive]:
    """A source that keeps a run busy for as long as a test wants; once released it has no file at all."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            archive.asked.set()
            archive.released.wait()
            with suppress(BrokenPipeError):  # a run that was killed meanwhile
                self.send_error(404)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    archive = SlowArchive(f"http://127.0.0.1:{server.server_port}")
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield archive
    archive.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def busy_deployment(tmp_path: Path, slow_archive: SlowArchive) -> Deployment:
    """A deployment whose `ingest` runs go on until the archive is released."""
    return Deployment(tmp_path, source=f"{{kind: binance_archive, url: '{slow_archive.url}'}}")
