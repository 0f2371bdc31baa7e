"""Barrier labels of clean bars: null until their future is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.barrier_params import barrier_params, in_force
from assets.frame_type import frame_type, table_metadata
from assets.keys import OWNER, asset_key, code_version, data_key
from assets.markdown import upright_table
from assets.partitions import IN_ONE_RUN, DataPartition, data_partitions, data_to_data, selected_data
from assets.pictures import show_picture
from nightfold.interval import Interval, duration
from nightfold.labels.picture import label_picture
from nightfold.labels.table import LabelSet, label_balance, label_columns, label_table, margin
from nightfold.universe import Universe
from resources.io_manager import Frames, Piece
from resources.lake import Lake

GROUP = "labels"


@dataclass(frozen=True, slots=True)
class Labels:
    """The assets of one label set and interval, its barrier search first, with the code version of the labels."""

    assets: Sequence[dg.AssetsDefinition]
    version: str


def labels(universe: Universe, interval: Interval, label_set: LabelSet, bars_version: str) -> Labels:
    """Make the labels of one set and interval, and the search of their barriers where they are searched."""
    key, bars_key = (data_key(universe, name, interval) for name in (label_set.name, "bars"))
    table = label_columns(label_set)
    before, after = (bars * duration(interval) for bars in margin(label_set))
    searched = barrier_params(universe, interval, label_set, bars_version) if label_set.is_searched else None
    version = code_version("labels", label_set.settings, bars_version, *([searched.version] if searched else []))
    deps = [dg.AssetDep(asset_key(bars_key), partition_mapping=data_to_data(universe, before, after))]
    if searched:
        deps.append(dg.AssetDep(searched.params))

    @dg.asset(
        key=asset_key(key),
        deps=deps,
        group_name=GROUP,
        partitions_def=data_partitions(universe),
        backfill_policy=IN_ONE_RUN,
        io_manager_key="lake_io",
        code_version=version,
        dagster_type=frame_type(table, key),
        metadata={**table_metadata(table), **label_set.settings},
        kinds={"parquet", "polars"},
        owners=[OWNER],
        tags={"layer": "labels"},
        description="Triple-barrier labels per horizon: what happened next, and when it was known.",
    )
    def asset(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], reports: dg.ResourceParam[Path]
    ) -> Frames:
        partitions = selected_data(context, universe.grain)
        return Frames(table, (_piece(lake, reports, each, universe, interval, label_set) for each in partitions))

    return Labels([*(searched.assets if searched else ()), asset], version)


def _piece(
    lake: Lake, reports: Path, partition: DataPartition, universe: Universe, interval: Interval, label_set: LabelSet
) -> Piece:
    symbol, window = partition.symbol, partition.window
    before, after = (bars * duration(interval) for bars in margin(label_set))
    bars_key = data_key(universe, "bars", interval)
    bars = lake.require(bars_key, [symbol], window.start - before, window.end + after)
    params = in_force(lake, universe, interval, label_set, partition) if label_set.is_searched else None
    frame = label_table(bars, label_set, interval, params).filter(
        pl.col("open_time").is_between(window.start, window.end, closed="left")
    )
    balance = label_balance(frame, label_set, interval)
    drawn_at = label_set.horizons[len(label_set.horizons) // 2]
    drawn = label_picture(
        bars,
        frame,
        label_set,
        drawn_at,
        interval,
        f"Labels of {symbol} within {drawn_at} bars, {window.key}",
        is_simulated=universe.is_simulated,
    )
    name = f"{data_key(universe, label_set.name, interval)}/{symbol}/{window.key}"
    metadata: dict[str, Any] = {
        "balance": dg.MetadataValue.md(upright_table(balance, "horizon")),
        "windows": show_picture(reports, name, "Some labelled windows", drawn),
    }
    if params is not None:
        metadata["fallbacks"] = int(params["fallback"].sum())
    return Piece(symbol, window, frame, metadata)
