"""Dagster's folder is whole or not there, however its making ends."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from resources.dagster_home import make_dagster_home


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "dagster.yaml"
    file.write_text("telemetry: {enabled: false}\n")
    return file


class KilledError(BaseException):
    """Stands for the end of the process."""


def is_usable(home: Path) -> bool:
    storage = DagsterSqliteStorage.from_local(str(home))
    storage.run_storage.add_run(dg.DagsterRun("job"))
    return (
        len(storage.run_storage.get_runs()) == 1
        and storage.event_log_storage.get_asset_records() == []
        and storage.schedule_storage.all_instigator_state() == []
    )


def test_settings_and_databases_are_there_and_can_be_used(tmp_path, settings):
    make_dagster_home(tmp_path / "home", settings)
    assert (tmp_path / "home" / "dagster.yaml").read_text() == settings.read_text()
    assert is_usable(tmp_path / "home")


def test_what_is_there_stays_and_new_settings_replace_the_old(tmp_path, settings):
    make_dagster_home(tmp_path / "home", settings)
    DagsterSqliteStorage.from_local(str(tmp_path / "home")).run_storage.add_run(dg.DagsterRun("job"))
    settings.write_text("nux: {enabled: false}\n")
    make_dagster_home(tmp_path / "home", settings)
    assert len(DagsterSqliteStorage.from_local(str(tmp_path / "home")).run_storage.get_runs()) == 1
    assert (tmp_path / "home" / "dagster.yaml").read_text() == "nux: {enabled: false}\n"


@pytest.mark.parametrize("step", [(SqliteEventLogStorage, "_initdb"), (SqliteScheduleStorage, "from_local")])
def test_a_making_that_was_killed_is_begun_anew(tmp_path, settings, monkeypatch, step):
    def die(*arguments: object, **options: object) -> None:
        (tmp_path / "home" / "making" / "history" / "runs" / "index.db").touch()  # Dagster would take it for complete
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(*step, die)
        with pytest.raises(KilledError):
            make_dagster_home(tmp_path / "home", settings)
    assert not (tmp_path / "home" / "history").exists()
    make_dagster_home(tmp_path / "home", settings)
    assert is_usable(tmp_path / "home")


def test_a_making_that_was_killed_between_two_renames_is_begun_anew(tmp_path, settings, monkeypatch):
    rename, renamed = Path.replace, []

    def replace(self: Path, target: Path) -> Path:
        if self.is_dir() and renamed:
            raise KilledError
        renamed.extend([target] * self.is_dir())
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KilledError):
            make_dagster_home(tmp_path / "home", settings)
    assert renamed == [tmp_path / "home" / "schedules"]
    make_dagster_home(tmp_path / "home", settings)
    assert is_usable(tmp_path / "home")
