"""The project's own folder: relative places mean the same wherever a command is started."""

from pathlib import Path

PROJECT = Path(__file__).parents[1]
"""Folder that holds `pipeline_defs`, `configs` and `dagster_home`."""


def in_project(place: Path | str) -> Path:
    """Resolve a place that is given relative to the project, or from the home folder by ``~``."""
    return PROJECT / Path(place).expanduser()
