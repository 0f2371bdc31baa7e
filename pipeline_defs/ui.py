"""Web UI and daemon as one program that ends all it started, however it is told to stop."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import httpx

from nightfold.errors import ConfigError

_GRACE_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


def check_port(port: int) -> None:
    """Refuse a port that something else listens on.

    Raises
    ------
    ConfigError
        If the port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigError(
                f"`port` is {port}, which is taken on 127.0.0.1; stop what listens there or choose another: "
                f"make ui PORT={port + 1}"
            ) from error


def run_ui(project: Path, reports: Path, port: int, announce: Callable[[str], None]) -> int:
    """Run web server and daemon until a signal comes or one of them ends.

    Parameters
    ----------
    project
        Folder with `workspace.yaml`.
    reports
        Folder served under `/reports`.
    port
        Port on loopback.
    announce
        Called with the address once the UI answers.

    Returns
    -------
    int
        0 after a signal, else the exit status of the child that ended by itself.
    """
    check_port(port)
    workspace = project / "workspace.yaml"
    web = [sys.executable, "-m", "pipeline_defs.webserver", "--workspace", str(workspace)]
    web += ["--reports", str(reports), "--port", str(port)]
    daemon = [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace), "--log-level", "warning"]
    stop = _StopSignal()
    children = [_start(command, project) for command in (web, daemon)]
    try:
        announced = False
        while not stop.received:
            for child in children:
                if (status := child.poll()) is not None:
                    return status or 1
            if not announced and _answers(port):
                announced = True
                announce(f"http://127.0.0.1:{port}")
            time.sleep(0.2)
        return 0
    finally:
        _end(children)


class _StopSignal:
    """Remembers SIGINT and SIGTERM, also where a shell started this in the background with SIGINT ignored."""

    def __init__(self) -> None:
        self.received = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.received = True


def _start(command: Sequence[str], project: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=project, start_new_session=True, preexec_fn=_die_with_parent)


def _die_with_parent() -> None:
    """Ask the kernel to end this child when its parent is killed; a system without that call goes on without."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/server_info", timeout=1.0).is_success
    except httpx.HTTPError:
        return False


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """End each child with everything in its session: first asked, then killed."""
    for child in children:
        _signal_session(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline and any(_session(child.pid) for child in children):
        for child in children:
            child.poll()
        time.sleep(0.1)
    for child in children:
        _signal_session(child.pid, signal.SIGKILL)
        child.wait()


def _signal_session(leader: int, number: signal.Signals) -> None:
    for process in _session(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _session(leader: int) -> list[int]:
    """Living processes of the session a child leads, the leader first."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(entry.name))
    return sorted(found)
