"""Processes killed at random moments: what they had stored stays, what they left half-done harms nobody."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.xdist_group("line")

KILLS = {"ingest": 8, "research": 7, "train": 9, "predict": 4, "evaluate": 4}
TREND = {"source": {"kind": "simulated", "trend_strength": 0.5}}
TRADES = {
    "costs": {"taker_fee_bps": 0, "half_spread_bps": 0, "slippage_bps": 0},
    "models": {"lightgbm": None, "logistic_regression": None},
}
BLOCK = ("2024-01-01|AAAUSDT", "2024-02-01|BBBUSDT")
_STARTUP_S = 4.0
_PAUSE_S = 0.3


def test_a_backfill_killed_while_it_fits_goes_on_where_it_was(finished, site, tmp_path):
    undisturbed, disturbed = site(finished.folder), site(finished.copy(tmp_path).folder)
    shutil.rmtree(disturbed.place / "lake" / "pooled_one")
    with disturbed.read_meanwhile() as reader:
        process = disturbed.start("backfill", "--layer", "train", "--experiment", "pooled_one")
        disturbed.wait_for(process, r"pooled_one/logistic_regression .* log loss")
        disturbed.kill(process)
        assert disturbed.run_states()["STARTED"] == 1
        said = disturbed.command("backfill", "--layer", "train", "--experiment", "pooled_one")
    assert "was killed earlier; marked failed" in said
    assert "logistic_regression 2024-02-12 pooled already fitted" in said
    assert "logistic_regression 2024-02-26 pooled log loss" in said
    others = re.compile(r"pooled_one/(predictions|forecast_log|backtest)")
    wanted = {name: digest for name, digest in undisturbed.lake_files().items() if not others.match(name)}
    assert disturbed.lake_files() == wanted
    assert disturbed.run_states() == undisturbed.run_states() + Counter(SUCCESS=1, FAILURE=1)
    assert set(reader["reads"]) == {"by_polars", "by_duckdb", "as_json", "as_page"}
    assert reader["faults"] == []


@pytest.mark.slow
def test_a_backfill_killed_thirty_times_ends_as_if_nothing_had_happened(deploy, site, wait_until, tell):
    undisturbed, disturbed = (
        site(deploy({**TREND, "end": "2024-05-01", "intervals": ["5m"]}, experiments={"trial": TRADES}).folder)
        for _ in range(2)
    )
    began = time.monotonic()
    lines = {layer: len(undisturbed.command("backfill", "--layer", layer).splitlines()) for layer in KILLS}
    undisturbed_s = time.monotonic() - began
    chance, killed, places, half_made = random.Random(20240501), Counter(), Counter(), 0
    with disturbed.read_meanwhile() as reader:
        for layer, wanted in KILLS.items():
            for _ in range(4 * wanted):
                process = disturbed.start("backfill", "--layer", layer)
                if place := dies(disturbed, process, chance.randint(0, lines[layer]), chance):
                    killed[layer] += 1
                    places[place] += 1
                    half_made += len(disturbed.half_made())
                if killed[layer] == wanted:
                    break
            disturbed.command("backfill", "--layer", layer)
            assert set(disturbed.run_states()) <= {"SUCCESS", "FAILURE"}
        with disturbed.ui() as launch:
            run = launch("ingest", *BLOCK)
            begins_s = wait_until(lambda: disturbed.run_state(run) in {"STARTED", "SUCCESS"}, 60)
            wait_until(lambda: disturbed.run_state(run) == "SUCCESS", 120)
    tell(
        f"killed {killed.total()} times after {dict(places)}, {half_made} times within a write; "
        f"runs {dict(disturbed.run_states())}; reads {reader['reads']}, faults {len(reader['faults'])}; "
        f"a run of the UI began after {begins_s:.1f} s; "
        f"undisturbed {undisturbed_s:.0f} s, in all {time.monotonic() - began:.0f} s"
    )
    assert killed == KILLS
    assert min(reader["reads"].values()) > 0
    assert reader["faults"] == []
    assert disturbed.lake_files() == undisturbed.lake_files()
    assert disturbed.pages() == undisturbed.pages()
    assert disturbed.tracked() == undisturbed.tracked()


@pytest.mark.slow
def test_killed_runs_hold_up_none_of_the_ui_and_one_that_is_killed_can_be_rerun(
    deploy, finished, site, wait_until, tell
):
    disturbed = site(deploy().folder)

    def leave_two_killed() -> None:
        """As many as may run at once, so that a run which they hold up never begins."""
        both = []
        for symbol in ("AAAUSDT", "BBBUSDT"):
            both.append(disturbed.start("backfill", "--layer", "ingest", "--symbols", symbol))
            disturbed.wait_for(both[-1], r"raw_bars .* rows")
            os.killpg(both[-1].pid, signal.SIGSTOP)
        for process in both:
            disturbed.kill(process)
        assert disturbed.run_states()["STARTED"] == 2

    def begins(launch: Callable[..., str]) -> float:
        run = launch("ingest", *BLOCK)
        seconds = wait_until(lambda: disturbed.run_state(run) in {"STARTED", "SUCCESS"}, 60)
        wait_until(lambda: disturbed.run_state(run) == "SUCCESS", 120)
        return seconds

    leave_two_killed()
    with disturbed.ui() as launch:
        before_s = begins(launch)
        leave_two_killed()
        meanwhile_s = begins(launch)
        run = launch("ingest", *BLOCK)
        wait_until(lambda: worker(disturbed, run) is not None, 60)
        os.kill(worker(disturbed, run), signal.SIGKILL)
        noticed_s = wait_until(lambda: disturbed.run_state(run) == "FAILURE", 90)
        begins(launch)
    tell(
        f"a run of the UI began {before_s:.1f} s after two others were killed before it opened, {meanwhile_s:.1f} s "
        f"after two were killed meanwhile; that its own was killed was noticed after {noticed_s:.1f} s"
    )
    made = {name: digest for name, digest in site(finished.folder).lake_files().items() if "bars/" in name}
    assert {name: digest for name, digest in disturbed.lake_files().items() if "bars/" in name} == made
    assert disturbed.run_states() == {"FAILURE": 5, "SUCCESS": 3}


def dies(disturbed, process: subprocess.Popen[str], line: int, chance: random.Random) -> str:
    """Kill a process a moment after it has said so many lines; return what it was at, nothing if it had ended.

    Its start-up may tell of earlier kills, and MLflow when it makes its tables: with a date.
    """
    at = "start-up"
    for _ in range(line):
        word = process.stdout.readline().split()
        at = word[0] if word and word[0][0].isalpha() and word[0] != "run" else at
    try:
        process.wait(chance.uniform(0, _PAUSE_S if line else _STARTUP_S))
    except subprocess.TimeoutExpired:
        disturbed.kill(process)
        return at
    disturbed.end(process)
    return ""


def worker(disturbed, run: str) -> int | None:
    """The process in which the UI's code server executes a run."""
    told = [entry.message for entry in disturbed.storage.event_log_storage.get_logs_for_run(run)]
    found = [match for text in told if (match := re.search(r"Started process for run \(pid: (\d+)\)", text))]
    return int(found[0][1]) if found else None
