"""Dagster's own folder: its settings, and databases made whole before anything can see them."""

import fcntl
import shutil
from pathlib import Path

from resources.commit import replace_file


def make_dagster_home(home: Path, settings: Path) -> None:
    """Put Dagster's settings and empty databases into a folder, where they are not there yet.

    Dagster takes a database file that exists for a complete one: a process killed while it makes the tables would
    break the folder for good, and two that make them at once fail. So they are made beside their place, by one process.

    Parameters
    ----------
    home
        The folder; made if needed.
    settings
        The `dagster.yaml` to have there.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "making.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        copy = home / settings.name
        if not copy.exists() or copy.read_bytes() != settings.read_bytes():
            replace_file(copy, settings.read_bytes(), home / f"{settings.name}.part")
        if not (home / "history").exists():
            _make_databases(home)


def _make_databases(home: Path) -> None:
    from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

    making = home / "making"
    shutil.rmtree(making, ignore_errors=True)
    DagsterSqliteStorage.from_local(str(making))
    shutil.rmtree(home / "schedules", ignore_errors=True)
    for name in ("schedules", "history"):  # the last one tells that both are there
        (making / name).replace(home / name)
    making.rmdir()
