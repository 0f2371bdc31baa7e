"""Barrier labels of clean bars: null until their future is known."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import polars as pl

from assets.frame_type import frame_type, table_metadata
from assets.keys import OWNER, asset_key, code_version, data_key
from assets.markdown import markdown_table
from assets.partitions import IN_ONE_RUN, DataPartition, data_partitions, data_to_data, selected_data
from nightfold.interval import Interval, duration
from nightfold.labels.table import LabelSet, label_balance, label_columns, label_table, margin
from nightfold.universe import Universe
from resources.io_manager import Frames, Piece
from resources.lake import Lake

GROUP = "labels"


@dataclass(frozen=True, slots=True)
class Labels:
    """The asset of one label set and interval, with its code version."""

    asset: dg.AssetsDefinition
    version: str


def labels(universe: Universe, interval: Interval, label_set: LabelSet, bars_version: str) -> Labels:
    """Make the labels of one set and interval."""
    key, bars_key = (data_key(universe, name, interval) for name in (label_set.name, "bars"))
    table = label_columns(label_set)
    before, after = (bars * duration(interval) for bars in margin(label_set))
    version = code_version(1, label_set.model_dump(mode="json"), bars_version)

    @dg.asset(
        key=asset_key(key),
        deps=[dg.AssetDep(asset_key(bars_key), partition_mapping=data_to_data(universe, before, after))],
        group_name=GROUP,
        partitions_def=data_partitions(universe),
        backfill_policy=IN_ONE_RUN,
        io_manager_key="lake_io",
        code_version=version,
        dagster_type=frame_type(table, key),
        metadata={**table_metadata(table), **label_set.model_dump(mode="json")},
        kinds={"parquet", "polars"},
        owners=[OWNER],
        tags={"layer": "labels"},
        description="Triple-barrier labels per horizon: what happened next, and when it was known.",
    )
    def asset(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Frames:
        return Frames(table, _pieces(lake, bars_key, selected_data(context, universe.grain), interval, label_set))

    return Labels(asset, version)


def _pieces(
    lake: Lake, bars_key: str, partitions: Iterator[DataPartition], interval: Interval, label_set: LabelSet
) -> Iterator[Piece]:
    before, after = (bars * duration(interval) for bars in margin(label_set))
    for partition in partitions:
        window = partition.window
        bars = lake.require(bars_key, [partition.symbol], window.start - before, window.end + after)
        frame = label_table(bars, label_set, interval).filter(
            pl.col("open_time").is_between(window.start, window.end, closed="left")
        )
        balance = label_balance(frame, label_set, interval)
        yield Piece(partition.symbol, window, frame, {"balance": dg.MetadataValue.md(markdown_table(balance))})
