"""Dagster's web UI with the reports on the same origin, so that a link in metadata opens a tearsheet."""

import argparse
from pathlib import Path

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles


def with_reports(app: Starlette, reports: Path) -> Starlette:
    """Serve a folder under `/reports`, before the UI's catch-all route."""
    reports.mkdir(parents=True, exist_ok=True)
    app.router.routes.insert(0, Mount("/reports", StaticFiles(directory=reports, html=True)))
    return app


def serve(workspace: Path, reports: Path, port: int) -> None:
    """Serve until told to stop; loopback only."""
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget(paths=[str(workspace)])) as context,
    ):
        app = with_reports(create_app_from_workspace_process_context(context), reports)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    serve(arguments.workspace, arguments.reports, arguments.port)
