"""Dagster's web UI with the reports on the same origin, so that a link in metadata opens a tearsheet."""

import sys
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pipeline_defs.runs import fail_dead_runs, fail_lost_runs

_INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Nightfold reports</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }}</style>
</head><body><h1>Reports</h1>{content}</body></html>
"""


def with_reports(app: Starlette, reports: Path) -> Starlette:
    """Serve a folder under `/reports`, before the UI's catch-all route; `/reports/` lists its pages."""

    def index(request: Request) -> Response:
        return HTMLResponse(report_index(reports))

    reports.mkdir(parents=True, exist_ok=True)
    app.router.routes[:0] = [
        Route("/reports", lambda request: RedirectResponse("/reports/")),
        Route("/reports/", index),
        Mount("/reports", StaticFiles(directory=reports, html=True)),
    ]
    return app


def report_index(reports: Path) -> str:
    """Write a page that links every report, experiment by experiment."""
    pages = [page.relative_to(reports).as_posix() for page in sorted(reports.rglob("*.html"))]
    links = "".join(f'<li><a href="{escape(page)}">{escape(page.removesuffix(".html"))}</a></li>' for page in pages)
    empty = "<p>None yet. Materialize an experiment's <code>tearsheet</code>, or run <code>make run</code>.</p>"
    return _INDEX.format(content=f"<ul>{links}</ul>" if links else empty)


def serve(gate: Path, workspace: Path, reports: Path, port: int) -> None:
    """Serve until told to stop; loopback only.

    Parameters
    ----------
    gate
        Socket of the code server; serving begins when it is there.
    workspace
        Workspace file that names it.
    reports
        Folder of the pages people read.
    port
        Port on loopback.
    """
    with DagsterInstance.get() as instance:
        for run in (*fail_dead_runs(instance), *fail_lost_runs(instance)):
            print(f"run {run} was killed earlier; marked failed", flush=True)  # noqa: T201  # people read this log
        while not gate.exists():
            time.sleep(0.05)
        with WorkspaceProcessContext(instance, WorkspaceFileTarget(paths=[str(workspace)])) as context:
            app = with_reports(create_app_from_workspace_process_context(context), reports)
            uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)


def main(arguments: Sequence[str]) -> None:
    """Serve what the command line says: gate, workspace, reports, port."""
    gate, workspace, reports, port = arguments
    serve(Path(gate), Path(workspace), Path(reports), int(port))


if __name__ == "__main__":
    main(sys.argv[1:])
