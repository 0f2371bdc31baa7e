"""How a lake table appears in the asset graph: a type for its values, and its columns with their meanings."""

from collections.abc import Mapping

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
    return {"dagster/column_schema": _schema(table)}


def folder_metadata(tables: Mapping[str, Table]) -> dict[str, dg.MetadataValue]:
    """Return the same of an asset that is a folder of tables, one entry a table."""
    return {f"columns/{name}": _schema(table) for name, table in tables.items()}


def _schema(table: Table) -> dg.MetadataValue:
    columns = [
        dg.TableColumn(
            name,
            type=_type_name(table.dtypes[name]),
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )
        for name, column in table.columns.items()
    ]
    return dg.MetadataValue.table_schema(dg.TableSchema(columns))


def _type_name(dtype: pl.DataType) -> str:
    match dtype:
        case pl.Datetime():
            return f"Datetime({dtype.time_unit}, {dtype.time_zone})"
        case pl.Enum():
            return f"String({', '.join(dtype.categories)})"
        case _:
            return str(dtype)
