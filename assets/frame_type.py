"""How a lake table appears in the asset graph: a type for its values, and its columns with their meanings."""

import dagster as dg

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
    return {"dagster/column_schema": dg.MetadataValue.table_schema(_schema(table))}


def _schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=str(table.dtypes[name]),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for name, column in table.columns.items()
        ]
    )
