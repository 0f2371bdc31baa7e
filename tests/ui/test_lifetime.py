"""The web UI as people and machines start, reload and stop it: nothing may be left of it, and no run may hang."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

WHOLE = ("2024-01-01|BTCUSDT", "2024-03-01|ETHUSDT")
RELOAD = """
mutation { reloadRepositoryLocation(repositoryLocationName: "nightfold") {
  ... on WorkspaceLocationEntry { loadStatus }
} }
"""
ERRORS = """
query Errors($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on ExecutionStepFailureEvent { error { message causes { message } } }
} } } }
"""
FINAL = {"SUCCESS", "FAILURE", "CANCELED"}


def listening(port):
    """Local addresses that TCP sockets listen on at a port, as the kernel writes them."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1].rpartition(":")[0] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}


def busy_run(ui, archive):
    """Launch a run that waits for the archive, and return its id once it does."""
    run = ui.launch("ingest", *WHOLE)
    assert archive.asked.wait(90), ui.said
    assert ui.status(run) == "STARTED"
    return run


def test_an_empty_deployment_started_in_the_background_answers_on_loopback_and_leaves_nothing(
    deployment, until, free_port
):
    with deployment.ui(in_background=True) as ui:
        assert ui.get("/server_info").json()["dagster_webserver_version"]
        assert "None yet" in ui.get("/reports/").text
        assert ui.get("/reports").headers["location"] == "/reports/"
        assert listening(ui.port) == {"0100007F"}
        second = deployment.nightfold("ui", "--port", str(ui.port))
        assert second.returncode == 1
        assert "taken" in second.stderr
        other = deployment.nightfold("ui", "--port", str(free_port))
        assert other.returncode == 1
        assert ui.address in other.stderr
        os.kill(ui.pid, signal.SIGINT)
        until(lambda: not deployment.living(), 20)
        lines = ui.said.splitlines()
    assert lines == [
        "Starting the web UI and the daemon; Ctrl-C ends them ...",
        f"Web UI:    {ui.address}",
        f"Reports:   {ui.address}/reports/",
        "Ending the web UI, the daemon and their runs ...",
    ]


def test_a_wrong_setting_is_told_before_anything_starts(deployment, free_port):
    (deployment.folder / "configs/experiments/second.yaml").write_text("first_as_of: 2024-02-05\nmodel: lightgbm\n")
    refused = deployment.nightfold("ui", "--port", str(free_port))
    assert refused.returncode == 1
    assert "second.yaml" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_a_new_experiment_is_there_after_a_reload_and_its_runs_start(deployment, until):
    with deployment.ui() as ui:
        settings = (deployment.folder / "configs/experiments/quick.json").read_text()
        (deployment.folder / "configs/experiments/second.json").write_text(settings)
        assert ui.ask(RELOAD)["reloadRepositoryLocation"]["loadStatus"] == "LOADED"
        keys = {
            tuple(node["assetKey"]["path"]) for node in ui.ask("{ assetNodes { assetKey { path } } }")["assetNodes"]
        }
        assert {("quick", "ensemble"), ("second", "ensemble")} <= keys
        run = ui.launch("second_train", "2024-02-05|pooled", "2024-02-05|pooled")
        until(lambda: ui.status(run) in FINAL, 120)
        failures = [event["error"] for event in ui.ask(ERRORS, run=run)["logsForRun"]["events"] if event]
        assert failures, "the run never came to its first step"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_and_records_that_the_run_was_interrupted(
    busy_deployment, slow_archive, number, until
):
    with busy_deployment.ui() as ui:
        run = busy_run(ui, slow_archive)
        assert ui.stop(number) == 0
        assert busy_deployment.living() == {}
    with busy_deployment.ui() as ui:
        assert ui.status(run) == "FAILURE"


@pytest.mark.slow
def test_killing_the_supervisor_ends_everything_and_a_new_start_takes_runs_at_once(
    busy_deployment, slow_archive, until
):
    with busy_deployment.ui() as ui:
        run = busy_run(ui, slow_archive)
        assert ui.stop(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: not busy_deployment.living(), 20)
    slow_archive.released.set()
    with busy_deployment.ui() as ui:
        until(lambda: ui.status(run) in FINAL, 60)
        assert ui.status(run) == "FAILURE"
        again = ui.launch("ingest", *WHOLE)
        until(lambda: ui.status(again) in FINAL, 60)


@pytest.mark.slow
def test_runs_whose_worker_was_killed_with_everything_else_do_not_stay_started(busy_deployment, slow_archive, until):
    with busy_deployment.ui() as ui:
        run = busy_run(ui, slow_archive)
        busy_deployment.end()
    with busy_deployment.ui() as ui:
        until(lambda: ui.status(run) == "FAILURE", 60)


@pytest.mark.slow
def test_killing_a_run_worker_fails_its_run_and_leaves_the_ui_alone(busy_deployment, slow_archive, until):
    with busy_deployment.ui() as ui:
        run = busy_run(ui, slow_archive)
        workers = [pid for pid, command in busy_deployment.living().items() if "spawn_main" in command]
        assert len(workers) == 1
        os.kill(workers[0], signal.SIGKILL)
        until(lambda: ui.status(run) == "FAILURE", 60)
        assert ui.stop(signal.SIGTERM) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "command"),
    [("web server", "pipeline_defs.webserver"), ("daemon", "dagster._daemon"), ("code server", "code-server")],
)
def test_a_part_that_ends_by_itself_ends_all_and_is_named(deployment, part, command, until):
    with deployment.ui() as ui:
        victims = [pid for pid, line in deployment.living().items() if command in line]
        assert len(victims) == 1
        os.kill(victims[0], signal.SIGKILL)
        assert ui.process.wait(timeout=30) == 1
        assert f"The {part} ended by itself" in ui.said
        until(lambda: not deployment.living(), 5)


@pytest.mark.slow
def test_a_command_line_run_that_was_killed_is_marked_failed_at_the_next_start(busy_deployment, slow_archive, until):
    command = ["backfill", "--layer", "ingest"]
    from_shell = subprocess.Popen(
        [*busy_deployment.command, *command], env=busy_deployment.environment, cwd=busy_deployment.project
    )
    assert slow_archive.asked.wait(90)
    from_shell.kill()
    from_shell.wait()
    with busy_deployment.ui() as ui:
        assert "was killed earlier; marked failed" in ui.said
