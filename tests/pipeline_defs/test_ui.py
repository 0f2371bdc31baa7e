"""What the web UI's supervisor refuses, tells and ends, with small programs in the place of Dagster's."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nightfold.errors import ConfigError
from pipeline_defs import ui

PROJECT = Path(__file__).parents[2]

# Starts two parts, each with a child of its own that ignores every request to end, and says where they are.
SUPERVISOR = """
import signal, sys, time
from pathlib import Path
from pipeline_defs.ui import _parts
signal.signal(signal.SIGINT, signal.default_int_handler)  # where these tests themselves run in the background
with _parts(Path(sys.argv[1])) as parts:
    for name in ("first", "second"):
        parts.start(name, ["stubborn", name])
    while len(list(Path(sys.argv[1]).glob("*.pid"))) < 4:
        time.sleep(0.05)
    print("ready", flush=True)
    time.sleep(60)
"""
STUBBORN = """
import os, signal, subprocess, sys, time
from pathlib import Path
name = sys.argv[1]
Path(name + ".pid").write_text(str(os.getpid()))
if not name.endswith("child"):
    subprocess.Popen([sys.executable, "-m", "stubborn", name + "-child"])
else:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
time.sleep(60)
"""


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def supervisor(tmp_path):
    """A process with two stubborn parts, and the numbers of those four processes."""
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        pids = [int(file.read_text()) for file in tmp_path.glob("*.pid")]
        yield process, pids
        for pid in [process.pid, *filter(is_alive, pids)]:
            if process.poll() is None or pid != process.pid:
                os.kill(pid, signal.SIGKILL)


def test_the_guard_ends_all_groups_when_the_supervisor_is_killed(supervisor):
    process, pids = supervisor
    assert all(map(is_alive, pids))
    process.kill()
    deadline = time.monotonic() + 20
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_leaving_ends_those_who_refuse_to(supervisor):
    process, pids = supervisor
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert not any(map(is_alive, pids))


def test_a_taken_port_is_refused_with_a_free_one_to_choose():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"`port` is {taken}, which is taken on 127.0.0.1; .* make ui PORT=\d+$"
        ) as it:
            ui.check_port(taken)
    ui.check_port(int(str(it.value).rpartition("=")[2]))


def test_a_second_ui_on_the_same_home_is_told_the_address_of_the_first(tmp_path):
    with (
        ui._only_one(tmp_path, "http://127.0.0.1:3000"),
        pytest.raises(ConfigError, match=r"already runs: http://127\.0\.0\.1:3000; open that address"),
        ui._only_one(tmp_path, "http://127.0.0.1:3001"),
    ):
        pass
    with ui._only_one(tmp_path, "http://127.0.0.1:3002"):
        assert (tmp_path / "ui.lock").read_text() == "http://127.0.0.1:3002\n"
