"""A night as Dagster's daemon goes through it: the schedule's tick, sensor after sensor, runs in a chain."""

import json
import shutil
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import polars as pl
import pytest

from nightfold.window import window_of

pytestmark = [
    pytest.mark.xdist_group("daemon"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # within Dagster, as are the next ones
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

TODAY = window_of(datetime.now(UTC), "day").start
START = TODAY - timedelta(days=50)


@pytest.fixture
def webhook(monkeypatch):
    """Messages posted to a web server that stands for a chat."""
    messages = []

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self):
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Chat)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("NIGHTFOLD_WEBHOOK", f"http://127.0.0.1:{server.server_port}/chat")
    yield messages
    server.shutdown()
    server.server_close()
    thread.join()


def night(loops):
    """Turn the loops through one night; return its runs in the order in which they were asked for."""
    loops.schedules(TODAY + timedelta(minutes=5))
    loops.sensors(TODAY + timedelta(minutes=5))
    loops.schedules(TODAY + timedelta(minutes=10, seconds=30))
    for turn in range(8):
        loops.sensors(TODAY + timedelta(minutes=11, seconds=10 * turn))
    return loops.instance.get_runs()[::-1]


@pytest.mark.skipif(datetime.now(UTC).hour < 1, reason="in the first hour of a day none of its hourly bars has closed")
def test_the_schedule_goes_through_a_night_and_a_failure_stops_the_next(deploy, daemon, webhook, monkeypatch):
    monkeypatch.setenv("NIGHTFOLD_NIGHTLY", "1")
    ours = deploy(
        universe={"start": f"{START:%Y-%m-%d}", "end": None},
        experiments={"nightly_one": {"first_as_of": f"{TODAY:%Y-%m-%d}", "retrain": "day"}},
    )
    with ours.entered():
        with daemon() as loops:
            runs = night(loops)
        jobs = ["ingest", "research", "nightly_one_train", "nightly_one_predict"]
        assert [(run.job_name, run.status.value) for run in runs] == [(job, "SUCCESS") for job in jobs]
        assert webhook == []
        assert ours.files("nightly_one/predictions")

        shutil.rmtree(ours.lake / "bars")
        for path in (ours.lake / "raw_bars").rglob("*.parquet"):
            pl.read_parquet(path).select("open_time").write_parquet(path)
        with daemon() as loops:
            runs = night(loops)
        assert [(run.job_name, run.status) for run in runs] == [("ingest", dg.DagsterRunStatus.FAILURE)]
        (message,) = webhook
        assert message["title"] == "Nightfold: the night stopped at ingest"
