"""The feature table as it lies in the lake."""

import polars as pl

from nightfold.features.catalog import FEATURES
from nightfold.schema import TIME, Column, Table


def features_table(name: str = "features") -> Table:
    """Describe the features of the default set: type, formula and reference of each column."""
    columns = {
        "symbol": Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P."),
        "open_time": Column(TIME, "Start of the bar at whose close the values are known, UTC."),
    }
    for feature in FEATURES.values():
        parts = (feature.formula, f"Bars looked back: {feature.lookback}", f"Null: {feature.nulls}", feature.reference)
        text = ". ".join(part.rstrip(".") for part in parts) + "."
        columns[feature.name] = Column(pl.Float32, text, nullable=True)
    return Table(name, columns)
