"""SQL over the lake: an in-memory DuckDB with one view per frame asset, so that no file is shared between runs."""

from typing import TYPE_CHECKING

import polars as pl

from nightfold.errors import ConfigError
from resources.lake import Lake

if TYPE_CHECKING:
    import duckdb


def query(lake: Lake, statement: str) -> pl.DataFrame:
    """Run one SQL statement over the lake.

    Parameters
    ----------
    lake
        Each of its frames is a view: `bars` as ``bars``, `baseline/predictions` as ``baseline.predictions``,
        `1h/bars` as ``"1h".bars``.
    statement
        SQL as DuckDB speaks it.

    Raises
    ------
    ConfigError
        If DuckDB refuses the statement; the message lists the views.
    """
    import duckdb

    with connect(lake) as connection:
        try:
            return connection.sql(statement).pl()
        except (duckdb.Error, AttributeError) as error:
            views = ", ".join(view_name(key) for key in lake.frame_keys()) or "none: the lake is empty"
            raise ConfigError(f"`sql` is {statement!r}: {error}\nViews: {views}") from error


def connect(lake: Lake) -> "duckdb.DuckDBPyConnection":
    """Open a database in memory whose views read the lake."""
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.sql("SET TimeZone = 'UTC'")
    if not lake.is_local:
        connection.register_filesystem(lake.file_system)
    for key in lake.frame_keys():
        *schema, _ = key.split("/")
        if schema:
            connection.sql(f'CREATE SCHEMA IF NOT EXISTS "{schema[0]}"')
        pattern = lake.address(f"{key}/symbol=*/*.parquet").replace("'", "''")
        connection.sql(
            f"CREATE VIEW {view_name(key)} AS SELECT * FROM read_parquet('{pattern}', hive_partitioning = false)"
        )
    return connection


def view_name(key: str) -> str:
    """Quote an asset key as the name of its view.

    Examples
    --------
    >>> view_name("baseline/predictions")
    '"baseline"."predictions"'
    """
    return ".".join(f'"{part}"' for part in key.split("/"))
