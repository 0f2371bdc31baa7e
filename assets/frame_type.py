"""How a lake table appears in the asset graph: a type for its values, and its columns with their meanings."""

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg
import polars as pl

from nightfold.schema import Table
from resources.io_manager import Frames


def frame_type(table: Table, key: str) -> dg.DagsterType:
    """Make the type of an asset that makes `Frames` of a table; rows are checked as each partition is written."""
    return dg.DagsterType(
        type_check_fn=lambda _, value: isinstance(value, Frames) and value.table == table,
        name="".join(part.title() for part in key.replace("/", "_").split("_")) + "Frames",
        description=f"Partitions of `{table.name}`, each validated with pandera before it is written.",
    )


def table_metadata(table: Table) -> dict[str, dg.MetadataValue]:
    """Column names, types, meanings and constraints, as the UI shows them."""
    return _schema(_columns(table))


def folder_metadata(tables: Mapping[str, Table]) -> dict[str, dg.MetadataValue]:
    """Return the same of an asset that is a folder of tables: each column behind its file's name, `trades.profit`."""
    return _schema(column for file, table in tables.items() for column in _columns(table, f"{file}."))


def _schema(columns: Iterable[dg.TableColumn]) -> dict[str, dg.MetadataValue]:
    return {"dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(list(columns)))}


def _columns(table: Table, prefix: str = "") -> Iterator[dg.TableColumn]:
    for name, column in table.columns.items():
        yield dg.TableColumn(
            prefix + name,
            type=_type_name(table.dtypes[name]),
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )


def _type_name(dtype: pl.DataType) -> str:
    match dtype:
        case pl.Datetime():
            return f"Datetime({dtype.time_unit}, {dtype.time_zone})"
        case pl.Enum():
            return f"String({', '.join(dtype.categories)})"
        case _:
            return str(dtype)
