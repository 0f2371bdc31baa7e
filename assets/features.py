"""Features of clean bars, each known at its bar's close."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg
import polars as pl

from assets.frame_type import frame_type, table_metadata
from assets.keys import OWNER, asset_key, code_version, data_key
from assets.markdown import preview
from assets.partitions import IN_ONE_RUN, DataPartition, data_partitions, data_to_data, selected_data
from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.features.select import max_lookback
from nightfold.features.table import features_table
from nightfold.interval import Interval, duration
from nightfold.universe import Universe
from resources.io_manager import Frames, Piece
from resources.lake import Lake

GROUP = "features"


@dataclass(frozen=True, slots=True)
class Features:
    """The asset of one interval, with the code version that everything below it carries on."""

    asset: dg.AssetsDefinition
    version: str


def features(universe: Universe, interval: Interval, bars_version: str) -> Features:
    """Make `features` of one interval."""
    key, bars_key = (data_key(universe, name, interval) for name in ("features", "bars"))
    table = features_table()
    formulas = {name: [each.formula, each.lookback, *each.parameters] for name, each in FEATURES.items()}
    version = code_version(1, formulas, bars_version)
    reach = max_lookback(FEATURES) * duration(interval)

    @dg.asset(
        key=asset_key(key),
        deps=[dg.AssetDep(asset_key(bars_key), partition_mapping=data_to_data(universe, reach))],
        group_name=GROUP,
        partitions_def=data_partitions(universe),
        backfill_policy=IN_ONE_RUN,
        io_manager_key="lake_io",
        code_version=version,
        dagster_type=frame_type(table, key),
        metadata=table_metadata(table),
        kinds={"parquet", "polars"},
        owners=[OWNER],
        tags={"layer": "features"},
        description=f"{len(FEATURES)} scale-free features of each bar, from it and the bars before it alone.",
    )
    def asset(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Frames:
        return Frames(table, _pieces(lake, bars_key, selected_data(context, universe.grain), interval, reach))

    return Features(asset, version)


def _pieces(
    lake: Lake, bars_key: str, partitions: Iterator[DataPartition], interval: Interval, reach: timedelta
) -> Iterator[Piece]:
    for partition in partitions:
        window = partition.window
        bars = lake.require(bars_key, [partition.symbol], window.start - reach, window.end)
        frame = compute_features(bars, interval=interval).filter(pl.col("open_time") >= window.start)
        share = frame.select(pl.any_horizontal(pl.col(list(FEATURES)).is_null()).mean()).item() or 0.0
        metadata = {"incomplete_rows": round(share, 4), "preview": dg.MetadataValue.md(preview(frame))}
        yield Piece(partition.symbol, window, frame, metadata)
