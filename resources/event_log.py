"""Dagster's event log on SQLite, with one transaction for the events of a range run instead of three for each event.

A range run over 30 months of 3 symbols records 180 events an asset. Dagster hands them over in batches where
`DAGSTER_EVENT_BATCH_SIZE` is set, but its SQLite storage still opens, commits and closes its files for every one.
This may go once that storage writes batches itself.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


class BatchedEventLog(SqliteEventLogStorage):
    """An event log that stores a batch of events all together or not at all."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._batch: dict[str, Connection] | None = None
        super().__init__(base_dir, inst_data)
        self._db_lock = threading.RLock()  # type: ignore[assignment]  # a batch holds it, and its events take it again

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events in one transaction a database file; on an error none of them is stored."""
        with self._db_lock, ExitStack() as self._transactions:
            self._batch = {}
            try:
                super().store_event_batch(events)
            finally:
                self._batch = None

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, _brief_errors():
            if self._batch is None:
                with super()._connect(shard) as connection:
                    yield connection
                return
            if shard not in self._batch:
                self._batch[shard] = self._transactions.enter_context(super()._connect(shard))
            yield self._batch[shard]


@contextmanager
def _brief_errors() -> Iterator[None]:
    """Leave statements and events out of what the database says: Dagster prints all of it before it raises it."""
    try:
        yield
    except DBAPIError as error:
        error.statement, error.code = None, ""
        raise


class BatchedSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage, in the same files, with the batched event log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = BatchedEventLog(str(Path(base_dir) / "history" / "runs"))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Make it from the lines in `dagster.yaml`."""
        return cls.from_local(config_value["base_dir"], inst_data)
