"""Processes killed at random moments: what they had stored stays, what they left half-done harms nobody."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("line")

KILLS = {"ingest": 8, "research": 7, "train": 9, "predict": 4, "evaluate": 4}
LONG = {"symbols": ["BTCUSDT", "ETHUSDT"], "end": "2024-05-01"}
_STARTUP_S = 5.0
_PAUSE_S = 0.3


def test_a_line_killed_three_times_ends_as_if_nothing_had_happened(deployment, reference):
    moments = {"ingest": r"raw_bars .* rows", "research": r"features .* rows", "train": r"logistic_regression .* loss"}
    with reading(deployment) as reader:
        for layer, line in moments.items():
            process = deployment.start("backfill", "--layer", layer)
            wait_for(process, line)
            deployment.kill(process)
            if layer != "train":
                deployment.command("backfill", "--layer", layer)
        said = deployment.command("run")
    assert "was killed earlier; marked failed" in said
    assert re.search(r"logistic_regression 2024-02-05 pooled already fitted", said)
    assert re.search(r"logistic_regression 2024-02-26 pooled log loss", said)
    assert deployment.lake_files() == reference.lake_files()
    assert set(deployment.run_states()) == {"SUCCESS", "FAILURE"}
    assert reader["reads"] > 0
    assert reader["faults"] == []


@pytest.mark.slow
def test_a_backfill_killed_thirty_times_ends_as_if_nothing_had_happened(make_deployment, report):
    began = time.monotonic()
    undisturbed, disturbed = make_deployment("undisturbed", LONG), make_deployment("disturbed", LONG)
    lines = {layer: len(undisturbed.command("backfill", "--layer", layer).splitlines()) for layer in KILLS}
    undisturbed_s = time.monotonic() - began
    chance, killed = random.Random(20240501), dict.fromkeys(KILLS, 0)
    with reading(disturbed) as reader:
        for layer, wanted in KILLS.items():
            for _ in range(4 * wanted):
                process = disturbed.start("backfill", "--layer", layer)
                if dies_at(disturbed, process, chance.randint(0, lines[layer]), chance):
                    killed[layer] += 1
                if killed[layer] == wanted:
                    break
            disturbed.command("backfill", "--layer", layer)
            assert set(disturbed.run_states()) <= {"SUCCESS", "FAILURE"}
    report(
        f"killed {killed}, runs {dict(disturbed.run_states())}, {reader['reads']} reads; "
        f"undisturbed {undisturbed_s:.0f} s, in all {time.monotonic() - began:.0f} s"
    )
    assert killed == KILLS
    assert reader["reads"] > 1_000
    assert reader["faults"] == []
    assert disturbed.lake_files() == undisturbed.lake_files()
    assert disturbed.pages() == undisturbed.pages()
    assert disturbed.tracked() == undisturbed.tracked()


@pytest.mark.slow
def test_killed_runs_hold_up_no_run_of_the_daemon_and_a_killed_one_can_be_rerun(deployment, reference, report):
    for _ in range(2):
        process = deployment.start("backfill", "--layer", "ingest")
        wait_for(process, r"raw_bars .* rows")
        deployment.kill(process)
    assert deployment.run_states() == {"STARTED": 2}

    workspace = ["--workspace", "workspace.yaml"]
    daemon = deployment.spawn(sys.executable, "-m", "dagster._daemon", "run", *workspace, "--log-level", "error")
    block = {"start": "2024-01-01|BTCUSDT", "end": "2024-02-01|BTCUSDT"}
    tags = json.dumps({f"dagster/asset_partition_range_{edge}": key for edge, key in block.items()})

    def launch() -> str:
        launched = deployment.spawn("dagster", "job", "launch", *workspace, "-j", "ingest", "--tags", tags)
        said, _ = launched.communicate()
        assert launched.returncode == 0, said
        return deployment.runs()[0].run_id

    def state(run_id: str) -> str:
        return next(run.status.value for run in deployment.runs() if run.run_id == run_id)

    try:
        began, first = time.monotonic(), launch()
        wait_until(lambda: state(first) == "STARTED", 90)
        started_s = time.monotonic() - began
        os.kill(deployment.worker(first), signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: state(first) == "FAILURE", 90)
        report(f"a run started after {started_s:.0f} s, its kill was noticed after {time.monotonic() - began:.0f} s")
        second = launch()
        wait_until(lambda: state(second) == "SUCCESS", 120)
    finally:
        daemon.terminate()
        deployment.kill(daemon)
    made = deployment.lake_files()
    assert {name for name in made if "bars/" in name} == {name for name in reference.lake_files() if "bars/" in name}
    assert made.items() <= reference.lake_files().items()
    assert deployment.run_states() == {"FAILURE": 3, "SUCCESS": 1}


def dies_at(deployment, process: subprocess.Popen[str], line: int, chance: random.Random) -> bool:
    """Kill a process a moment after it has said so many lines; False where it ended before."""
    for _ in range(line):
        process.stdout.readline()
    try:
        process.wait(chance.uniform(0, _PAUSE_S if line else _STARTUP_S))
    except subprocess.TimeoutExpired:
        deployment.kill(process)
        return True
    assert process.returncode == 0, process.communicate()[0]
    return False


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Wait until a process says a line that matches."""
    said = []
    while not said or not re.search(line, said[-1]):
        said.append(process.stdout.readline())
        assert said[-1], "".join(said)


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    """Ask again and again until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def reading(deployment) -> Iterator[dict[str, object]]:
    """Let another process read the lake meanwhile; what it found is there at the end."""
    found: dict[str, object] = {}
    command = [sys.executable, str(Path(__file__).with_name("lake_reader.py")), str(deployment.folder / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        try:
            yield found
        finally:
            answer, _ = reader.communicate("")
            found.update(json.loads(answer))
