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
        text = (
            f"{feature.formula} Looks back {feature.lookback} bars. Null: {feature.nulls} Source: {feature.reference}"
        )
        columns[feature.name] = Column(pl.Float32, text, nullable=True)
    return Table(name, columns)
