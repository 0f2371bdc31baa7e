"""Processes killed at random moments: what they had stored stays, what they left half-done harms nobody."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import dagster as dg
import pytest

pytestmark = pytest.mark.xdist_group("line")

KILLS = {"ingest": 8, "research": 7, "train": 9, "predict": 4, "evaluate": 4}
TREND = {"source": {"kind": "simulated", "trend_strength": 0.5}}
TRADES = {"costs": {"taker_fee_bps": 0, "half_spread_bps": 0, "slippage_bps": 0}}
_STARTUP_S = 4.0
_PAUSE_S = 0.3


def test_a_run_killed_three_times_goes_on_where_it_was(deploy, finished, site):
    disturbed, undisturbed = site(deploy().folder), site(finished.folder)
    with disturbed.read_meanwhile() as reader:
        for line in (r"raw_bars .* rows", r"features .* rows", r"pooled_one/logistic_regression .* log loss"):
            process = disturbed.start("run", "--experiment", "pooled_one")
            disturbed.wait_for(process, line)
            disturbed.kill(process)
        said = disturbed.command("run", "--experiment", "pooled_one")
    assert "was killed earlier; marked failed" in said
    assert "logistic_regression 2024-02-12 pooled already fitted" in said
    assert "logistic_regression 2024-02-26 pooled log loss" in said
    others = re.compile(r"single/|pooled_one/predictions/.*/2024-01-01")  # `run` predicts from the first as-of on
    wanted = {name: digest for name, digest in undisturbed.lake_files().items() if not others.match(name)}
    assert disturbed.lake_files() == wanted
    assert set(disturbed.run_states()) == {"SUCCESS", "FAILURE"}
    assert reader["reads"] > 0
    assert reader["faults"] == []


@pytest.mark.slow
def test_a_backfill_killed_thirty_times_ends_as_if_nothing_had_happened(deploy, site, tell):
    undisturbed, disturbed = (
        site(deploy({**TREND, "end": "2024-05-01", "intervals": ["5m"]}, experiments={"trial": TRADES}).folder)
        for _ in range(2)
    )
    began = time.monotonic()
    lines = {layer: len(undisturbed.command("backfill", "--layer", layer).splitlines()) for layer in KILLS}
    undisturbed_s = time.monotonic() - began
    chance, killed = random.Random(20240501), dict.fromkeys(KILLS, 0)
    with disturbed.read_meanwhile() as reader:
        for layer, wanted in KILLS.items():
            for _ in range(4 * wanted):
                process = disturbed.start("backfill", "--layer", layer)
                killed[layer] += dies(disturbed, process, chance.randint(0, lines[layer]), chance)
                if killed[layer] == wanted:
                    break
            disturbed.command("backfill", "--layer", layer)
            assert set(disturbed.run_states()) <= {"SUCCESS", "FAILURE"}
    tell(
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
def test_killed_runs_hold_up_none_of_the_daemon_and_one_that_is_killed_can_be_rerun(
    deploy, finished, site, wait_until, tell
):
    disturbed = site(deploy().folder)
    both = []
    for _ in range(2):
        both.append(disturbed.start("backfill", "--layer", "ingest"))
        disturbed.wait_for(both[-1], r"raw_bars .* rows")
        os.killpg(both[-1].pid, signal.SIGSTOP)
    for process in both:
        disturbed.kill(process)
    assert disturbed.run_states() == {"STARTED": 2}, "as many as may run at once"

    def launch() -> str:
        block = {"start": "2024-01-01|AAAUSDT", "end": "2024-02-01|BBBUSDT"}
        tags = {f"dagster/asset_partition_range_{edge}": key for edge, key in block.items()}
        command = ["dagster", "job", "launch", "--workspace", "workspace.yaml", "-j", "ingest"]
        disturbed.end(disturbed.spawn(sys.executable, "-m", *command, "--tags", json.dumps(tags)))
        return disturbed.storage.run_storage.get_runs(limit=1)[0].run_id

    def state(run: str) -> str:
        return disturbed.storage.run_storage.get_runs(dg.RunsFilter([run]))[0].status.value

    options = ["--workspace", "workspace.yaml", "--log-level", "error"]
    daemon = disturbed.spawn(sys.executable, "-m", "dagster._daemon", "run", *options)
    try:
        first = launch()
        begins_s = wait_until(lambda: state(first) in {"STARTED", "SUCCESS"}, 90)
        second = launch()
        wait_until(lambda: worker(disturbed, second) is not None, 90)
        os.kill(worker(disturbed, second), signal.SIGKILL)
        noticed_s = wait_until(lambda: state(second) == "FAILURE", 90)
        third = launch()
        wait_until(lambda: state(third) == "SUCCESS", 120)
    finally:
        daemon.terminate()
        daemon.communicate()
    tell(f"a run of the daemon began after {begins_s:.0f} s; the kill of another was noticed after {noticed_s:.0f} s")
    made = {name: digest for name, digest in site(finished.folder).lake_files().items() if "bars/" in name}
    assert {name: digest for name, digest in disturbed.lake_files().items() if "bars/" in name} == made
    assert disturbed.run_states() == {"FAILURE": 3, "SUCCESS": 2}


def dies(disturbed, process: subprocess.Popen[str], line: int, chance: random.Random) -> bool:
    """Kill a process a moment after it has said so many lines; False where it ended before."""
    for _ in range(line):
        process.stdout.readline()
    try:
        process.wait(chance.uniform(0, _PAUSE_S if line else _STARTUP_S))
    except subprocess.TimeoutExpired:
        disturbed.kill(process)
        return True
    disturbed.end(process)
    return False


def worker(disturbed, run: str) -> int | None:
    """The process in which the daemon executes a run."""
    told = [entry.message for entry in disturbed.storage.event_log_storage.get_logs_for_run(run)]
    found = [match for text in told if (match := re.search(r"Started process for run \(pid: (\d+)\)", text))]
    return int(found[0][1]) if found else None
