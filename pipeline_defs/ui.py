"""Web UI, daemon and code server as one program that ends all it started, however it is told to stop."""

import contextlib
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import IO

from nightfold.errors import ConfigError

_HOST = "127.0.0.1"
_GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.1

_CODE_SERVER = (
    *("dagster", "code-server", "start", "--module-name", "pipeline_defs.definitions"),
    *("--location-name", "nightfold", "--log-level", "warning"),
)
_WEB_SERVER = ("pipeline_defs.webserver",)
_DAEMON = ("dagster._daemon", "run", "--log-level", "warning")

# Reads the process groups that were started, one a line, until the pipe closes because its writer is gone.
_GUARD = """
while read -r group; do groups="$groups -$group"; done
kill -s INT -- $groups; sleep 5; kill -s KILL -- $groups
"""


def check_port(port: int) -> None:
    """Refuse a port that cannot be listened on.

    Raises
    ------
    ConfigError
        If the port is taken, or reserved by the system.
    """
    try:
        _probe(port)
    except OSError as error:
        reason = "taken" if error.errno == errno.EADDRINUSE else f"refused by the system ({error.strerror})"
        raise ConfigError(
            f"`port` is {port}, which is {reason} on {_HOST}; stop what listens there or choose another: "
            f"make ui PORT={_probe(0)}"
        ) from error


def run_ui(project: Path, home: Path, reports: Path, port: int, tell: Callable[[str], None]) -> int:
    """Run code server, web server and daemon until a signal comes or one of them ends.

    Parameters
    ----------
    project
        Folder of the code.
    home
        Dagster's folder; one UI at a time works on it, since two daemons would start every run twice.
    reports
        Folder served under `/reports`.
    port
        Port on loopback.
    tell
        Called with what people should know.

    Returns
    -------
    int
        0 after SIGINT, SIGTERM or SIGHUP, 1 where a part ended by itself.

    Raises
    ------
    ConfigError
        If the port is taken, or another UI works on the same home.
    """
    check_port(port)
    address = f"http://{_HOST}:{port}"
    stop = _StopSignal()
    tell("Starting the web UI and the daemon; Ctrl-C ends them ...")
    with (
        _only_one(home, address),
        TemporaryDirectory(prefix="nightfold-") as folder,
        _parts(project) as parts,
    ):
        gate = Path(folder) / "code"
        workspace = Path(folder) / "workspace.yaml"
        workspace.write_text(f"load_from: [{{grpc_server: {{socket: {gate}, location_name: nightfold}}}}]\n")
        parts.start("code server", [*_CODE_SERVER, "--working-directory", str(project), "--socket", str(gate)])
        parts.start("web server", [*_WEB_SERVER, str(gate), str(workspace), str(reports), str(port)])
        answers = False
        while not stop.received:
            if ended := parts.ended():
                time.sleep(_POLL_SECONDS)
                tell(f"The {ended} ended by itself, so everything ends; what it said stands above.")
                return 1
            if not answers and _answers(port):
                answers = True
                parts.start("daemon", [*_DAEMON, "--workspace", str(workspace)])
                tell(f"Web UI:    {address}")
                tell(f"Reports:   {address}/reports/")
            time.sleep(_POLL_SECONDS)
        tell("Ending the web UI, the daemon and their runs ...")
        return 0


class _StopSignal:
    """Remembers signals that end a program, also where a shell started it in the background with SIGINT ignored."""

    def __init__(self) -> None:
        self.received = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.received = True


class _Parts:
    """Python modules running as processes, each leading a group that holds all it starts."""

    def __init__(self, project: Path, guard: subprocess.Popen[str]) -> None:
        self._project = project
        self._guard = guard
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = False

    def start(self, name: str, module: Sequence[str]) -> None:
        """Start a module, and tell the guard."""
        command = [sys.executable, "-m", *module]
        process = subprocess.Popen(
            command, cwd=self._project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        self._processes[name] = process
        threading.Thread(target=self._pass_on, args=[process.stdout], daemon=True).start()
        print(process.pid, file=self._guard.stdin, flush=True)

    def ended(self) -> str | None:
        """Name a part that has ended."""
        return next((name for name, process in self._processes.items() if process.poll() is not None), None)

    def end(self) -> None:
        """End all groups: first asked, so that runs record that they were interrupted, then killed."""
        self._ending = True
        self._signal(signal.SIGINT)
        deadline = time.monotonic() + _GRACE_SECONDS
        while self._signal(0) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._signal(signal.SIGKILL)
        for process in self._processes.values():
            process.wait()

    def _pass_on(self, output: IO[bytes]) -> None:
        """Show what a part says, but not the complaints of processes that are told to end."""
        with output:
            for line in output:
                if not self._ending:
                    sys.stderr.buffer.write(line)
                    sys.stderr.flush()

    def _signal(self, number: int) -> bool:
        """Signal each group; tell whether any still has a process."""
        alive = False
        for process in self._processes.values():
            process.poll()  # else an ended leader counts as a process of its group
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
                alive = True
        return alive


@contextlib.contextmanager
def _parts(project: Path) -> Iterator[_Parts]:
    """Give a place for processes that ends them on the way out; a guard ends them where this process is killed."""
    command = ["/bin/sh", "-c", _GUARD]
    silent = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=silent, stderr=silent, text=True, start_new_session=True
    ) as guard:
        parts = _Parts(project, guard)
        try:
            yield parts
        finally:
            parts.end()
            guard.kill()


@contextlib.contextmanager
def _only_one(home: Path, address: str) -> Iterator[None]:
    """Hold the home's lock, which dies with this process."""
    with (home / "ui.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise ConfigError(
                f"the web UI of {home} already runs: {file.read().strip()}; open that address, or stop it first."
            ) from error
        file.truncate(0)
        print(address, file=file, flush=True)
        yield


def _probe(port: int) -> int:
    """Bind a port for a moment; 0 finds a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((_HOST, port))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    connection = HTTPConnection(_HOST, port, timeout=1.0)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
