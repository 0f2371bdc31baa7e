"""Fixtures that every test may ask for."""

import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import hypothesis
import pytest
import yaml

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

SHARED = Path(__file__).parents[1].parent / "shared" / "data"

UNIVERSE = {
    "source": "simulated",
    "symbols": ["AAAUSDT", "BBBUSDT"],
    "start": "2024-01-01",
    "end": "2024-03-01",
    "intervals": ["1h"],
}
LABELS = {"labels": {"horizons": [5]}}
EXPERIMENT = {
    "first_as_of": "2024-02-12",
    "retrain": "week",
    "target": {"horizons": [5]},
    "features": {"groups": ["returns"]},
    "split": {"train_days": 40, "purge": 5, "embargo": 5},
    "models": {"class_frequencies": None, "logistic_regression": None},
    "strategy": {"horizon": 5},
}
EXPERIMENTS = {"pooled_one": EXPERIMENT, "single": {**EXPERIMENT, "pooling": "per_symbol"}}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore:Asset job ingest materializes assets with varying")


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of recorded market data that lies beside the project."""
    if not SHARED.is_dir():
        pytest.skip(f"no recorded market data at {SHARED}: tests on real bars need it")
    return SHARED


@dataclass(frozen=True)
class Deployment:
    """A deployment in a folder of its own: tiny, on the simulated market, reached as from a shell."""

    folder: Path

    @property
    def configs(self) -> Path:
        return self.folder / "configs"

    @property
    def lake(self) -> Path:
        (found,) = (self.folder / "data").glob("*/lake")
        return found

    def write(self, name: str, settings: dict[str, Any]) -> Path:
        path = self.configs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(settings))
        return path

    def files(self, key: str = "") -> dict[str, bytes]:
        """Contents of the lake under a key, by place."""
        return {
            path.relative_to(self.lake).as_posix(): path.read_bytes()
            for path in sorted((self.lake / key).rglob("*"))
            if path.is_file() and path.suffix in {".parquet", ".json"} and path.name != "cpu_seconds.json"
        }

    def environment(self, now: datetime | None = None) -> Any:
        from resources.environments import Settings, load_environment, utc_now

        settings = Settings(config=self.configs, data=self.folder / "data")
        return load_environment(settings, utc_now if now is None else lambda: now)

    def build(self, now: datetime | None = None) -> tuple[Any, Any]:
        """Definitions and line."""
        from pipeline_defs.definitions import build

        return build(self.environment(now))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this process, and those it starts, see the deployment through the environment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NIGHTFOLD_CONFIG", str(self.configs))
            patch.setenv("NIGHTFOLD_DATA", str(self.folder / "data"))
            patch.setenv("DAGSTER_HOME", str(self.folder))
            yield

    @contextmanager
    def workshop(self, now: datetime | None = None, told: list[str] | None = None) -> Iterator[Any]:
        """Workshop in this deployment; what it says is added to ``told``."""
        from pipeline_defs.workshop import Workshop

        with self.entered(), Workshop.open([].append if told is None else told.append, now) as workshop:
            yield workshop

    def copy(self, to: Path) -> "Deployment":
        shutil.copytree(self.folder, to, dirs_exist_ok=True)
        return Deployment(to)


@pytest.fixture(scope="session")
def quick_records() -> None:
    """Let this process's SQLite go on without waiting for the disk: no test pulls the plug of the machine."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "connect", lambda connection, record: connection.execute("PRAGMA synchronous = OFF"))


@pytest.fixture(scope="session")
def deploy(tmp_path_factory: pytest.TempPathFactory, quick_records: None) -> Callable[..., Deployment]:
    """Make an empty deployment: `deploy(universe={...}, labels={...}, experiments={...})`, each over a tiny default."""

    def make(
        universe: dict[str, Any] | None = None,
        labels: dict[str, Any] | None = None,
        experiments: dict[str, Any] | None = None,
    ) -> Deployment:
        made = Deployment(tmp_path_factory.mktemp("deployment"))
        settings = {**UNIVERSE, **(universe or {})}
        made.write("universe.yaml", {key: value for key, value in settings.items() if value is not None})
        made.write("labels.yaml", LABELS if labels is None else labels)
        (made.configs / "experiments").mkdir()
        for name, experiment in (EXPERIMENTS if experiments is None else experiments).items():
            made.write(f"experiments/{name}.yaml", {**EXPERIMENT, **experiment})
        return made

    return make


@pytest.fixture(scope="session")
def finished(deploy: Callable[..., Deployment]) -> Deployment:
    """Deployment with every layer made by `nightfold backfill`; copy it before changing anything."""
    made = deploy()
    with made.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict", "evaluate"):
            workshop.backfill(layer)
    return made


@pytest.fixture
def nightfold() -> Callable[..., tuple[int, str]]:
    """Run a command in a deployment; return its exit code and what it said on both streams."""
    from typer.testing import CliRunner

    from pipeline_defs import command

    def run(deployment: Deployment, *arguments: str) -> tuple[int, str]:
        with deployment.entered():
            result = CliRunner().invoke(command.app, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return run


@dataclass(frozen=True)
class Reply:
    """What to answer; ``sent`` bytes of the body go out before the connection drops."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None


@dataclass
class LocalServer:
    """Serves files and functions by path; replies planned for a path come first, one a request."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, Callable[[dict[str, str]], Reply]] = field(default_factory=dict)
    planned: defaultdict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    serves_ranges: bool = True
    answer: type[Reply] = Reply

    def plan(self, path: str, *replies: Reply) -> None:
        """Answer the next requests of a path with these."""
        self.planned[path].extend(replies)

    def paths(self) -> list[str]:
        """Paths asked for, in order."""
        return [path for path, _ in self.requests]

    def reply(self, target: str, headers: dict[str, str]) -> Reply:
        """Decide what to answer."""
        parts = urlsplit(target)
        path = parts.path
        self.requests.append((path, headers))
        planned = self.planned[path].pop(0) if self.planned[path] else None
        if planned and planned.sent is None:
            return planned
        if path in self.pages:
            return planned or self.pages[path](dict(parse_qsl(parts.query)))
        if path not in self.files:
            return Reply(404, b"not here")
        reply = self._part(self.files[path], headers.get("Range"))
        return Reply(reply.status, reply.body, reply.headers, planned.sent if planned else None)

    def _part(self, body: bytes, wanted: str | None) -> Reply:
        if not wanted or not self.serves_ranges:
            return Reply(200, body)
        first = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if first >= len(body):
            return Reply(416, b"")
        return Reply(206, body[first:], {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"})


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """Run a small web server in this process that can misbehave on request."""
    local = LocalServer("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            reply = local.reply(self.path, dict(self.headers))
            if reply.status == 0:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body if reply.sent is None else reply.body[: reply.sent])

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    local.address = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield local
    httpd.shutdown()
    httpd.server_close()
    thread.join()
