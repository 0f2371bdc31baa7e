"""SQL over the lake: an in-memory DuckDB with one view per frame asset, so that no file is shared between runs.

A run may replace partitions while they are queried. DuckDB opens a path several times in one query, so it is given
open files instead of paths; in an object store each read asks for the version that was listed first.
"""

import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import polars as pl

from nightfold.errors import ConfigError, LakeError
from resources.lake import Lake

if TYPE_CHECKING:
    import duckdb

_ATTEMPTS = 5
_FILES_OF_DUCKDB = 256


def query(lake: Lake, statement: str) -> pl.DataFrame:
    """Run one SQL statement that reads.

    Parameters
    ----------
    lake
        Each of its frames is a view: `bars` as ``bars``, `baseline/predictions` as ``baseline.predictions``,
        `1h/bars` as ``"1h".bars``.
    statement
        SQL as DuckDB speaks it: ``select``, ``from``, ``with``, ``describe``, ``summarize``, ``show tables``.

    Raises
    ------
    ConfigError
        If it is more than one statement or would write, or if DuckDB refuses it; the message lists the views.
    LakeError
        If the lake has more files than a process may open.
    """
    import duckdb

    attempts = 0
    while True:
        attempts += 1
        try:
            with _views(lake, statement) as connection:
                kinds = [str(part.type) for part in connection.extract_statements(statement)]
                if kinds != ["StatementType.SELECT"]:
                    raise ConfigError(
                        f"`sql` is {statement!r}; it must be one statement, and one that reads. "
                        f"Views: {_list_views(lake)}"
                    )
                answer: pl.DataFrame = connection.sql(statement).pl()
                return answer
        except duckdb.Error as error:
            if "FileExpired" not in str(error) or attempts == _ATTEMPTS:
                raise ConfigError(f"`sql` is {statement!r}: {error}\nViews: {_list_views(lake)}") from error


def view_name(key: str) -> str:
    """Quote an asset key as the name of its view.

    Examples
    --------
    >>> view_name("baseline/predictions")
    '"baseline"."predictions"'
    """
    return ".".join(_quoted(part, '"') for part in key.split("/"))


@contextmanager
def _views(lake: Lake, statement: str) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open a database in memory whose views read the lake; those that the statement names read it as it is now."""
    import duckdb

    offline: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with ExitStack() as opened, duckdb.connect(config=offline) as connection:
        connection.sql("SET TimeZone = 'UTC'")
        if not lake.is_local:
            connection.register_filesystem(_listing_once(lake))
        for key in lake.frame_keys():
            *schema, name = key.split("/")
            for each in schema:
                connection.sql(f"CREATE SCHEMA IF NOT EXISTS {_quoted(each, chr(34))}")
            is_named = name.lower() in statement.lower()
            files = _open(lake.all_files(key), opened) if lake.is_local and is_named else [_pattern(lake, key)]
            listed = ", ".join(_quoted(file, "'") for file in files)
            source = f"read_parquet([{listed}], hive_partitioning = false)"
            connection.sql(f"CREATE VIEW {view_name(key)} AS FROM {source}")
        yield connection


def _open(files: list[str], opened: ExitStack) -> list[str]:
    """Open files, and return the names under which this process can open the very same ones again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = len(files) + _FILES_OF_DUCKDB
    if wanted > hard:
        raise LakeError(f"the lake has {len(files)} files there, and a process may open {hard}; raise `ulimit -Hn`.")
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return [f"/dev/fd/{opened.enter_context(Path(path).open('rb')).fileno()}" for path in files]


def _pattern(lake: Lake, key: str) -> str:
    path = escape(f"{lake.root}/{key}") + "/symbol=*/*.parquet"
    return path if lake.is_local else str(lake.file_system.unstrip_protocol(path))


def _listing_once(lake: Lake) -> fsspec.AbstractFileSystem:
    """Make a file system that keeps its listings: an object replaced since then is refused, not mixed."""
    return fsspec.core.url_to_fs(lake.url, use_listings_cache=True, skip_instance_cache=True)[0]


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, 2 * mark) + mark


def _list_views(lake: Lake) -> str:
    return ", ".join(view_name(key) for key in lake.frame_keys()) or "none: the lake is empty"
