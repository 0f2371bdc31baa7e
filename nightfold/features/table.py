"""The sets of features as they lie in the lake: a table each, so that whoever uses one set depends on it alone."""

import polars as pl

from nightfold.errors import SchemaError
from nightfold.features.catalog import SETS
from nightfold.features.compute import extra_columns
from nightfold.features.feature import Feature
from nightfold.schema import TIME, Column, Table


def table_name(chosen: str) -> str:
    """Name the table of a set: `features` for the default one, else its own name."""
    return "features" if chosen == "default" else chosen


def features_table(chosen: str = "default") -> Table:
    """Describe the features of a set: type, formula and reference of each column."""
    columns = {
        "symbol": Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P."),
        "open_time": Column(TIME, "Start of the bar at whose close the values are known, UTC."),
    }
    for feature in SETS[chosen].values():
        columns[feature.name] = Column(pl.Float32, _describe(feature), nullable=True)
    return Table(table_name(chosen), columns)


def _describe(feature: Feature) -> str:
    parts = (feature.formula, f"Bars looked back: {feature.lookback}", f"Null: {feature.nulls}", feature.reference)
    return ". ".join(part.rstrip(".") for part in parts) + "."


def looks_across(chosen: str) -> bool:
    """Whether a set looks at the bars of other symbols."""
    return bool(extra_columns(SETS[chosen].values())[1])


def check_recorded(chosen: str, bars: pl.DataFrame) -> None:
    """Refuse bars in which a column that a set needs beside prices and volume has no value at all.

    Raises
    ------
    SchemaError
        With the columns, and the way out. Single unknown values are no fault: they give null.
    """
    unknown = [name for name in extra_columns(SETS[chosen].values())[0] if bars[name].is_null().all()]
    if unknown and bars.height:
        symbol, first = bars.select("symbol", "open_time").row(0)
        raise SchemaError(
            f"`bars` of {symbol} from {first:%Y-%m-%d} on have no value of {', '.join(unknown)}, which features of the "
            f"set `{chosen}` need; take a source that records them, or leave the set out of the experiments."
        )
