"""Features of clean bars, each known at its bar's close: one asset a set."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import dagster as dg
import polars as pl

from assets.frame_type import frame_type, table_metadata
from assets.keys import OWNER, asset_key, code_version, data_key
from assets.markdown import preview
from assets.partitions import IN_ONE_RUN, DataPartition, data_partitions, data_to_data, selected_data
from nightfold.errors import LakeError
from nightfold.experiment import Experiment
from nightfold.features.catalog import SETS
from nightfold.features.compute import compute_features
from nightfold.features.select import by_set, max_lookback
from nightfold.features.table import check_recorded, features_table, looks_across, table_name
from nightfold.interval import Interval, duration
from nightfold.universe import Universe
from nightfold.window import Window, midnight, windows
from resources.io_manager import Frames, Piece
from resources.lake import Lake

GROUP = "features"

_DESCRIPTIONS = {
    "default": "{} scale-free features of each bar, from it and the bars before it alone.",
    "order_flow": "{} features of who trades and in what sizes, from columns that some sources record.",
    "cross_asset": "{} features of each symbol among the others, from bars of the same time and before.",
}


@dataclass(frozen=True, slots=True)
class Features:
    """The asset of one set and interval, with the code version that everything below it carries on."""

    asset: dg.AssetsDefinition
    version: str


def wanted_sets(universe: Universe, interval: Interval, experiments: Iterable[Experiment]) -> list[str]:
    """List the sets that are made at an interval: the default one, and those an experiment there has picked from.

    What nobody asked for is not made: it would cost every night, and could fail where bars cannot feed it.
    """
    there = (each for each in experiments if (each.interval or universe.interval) == interval)
    picked = {name for each in there for name in by_set(each.features.resolve())}
    return [name for name in SETS if name in picked | {"default"}]


def features(universe: Universe, interval: Interval, chosen: str, bars_version: str) -> Features:
    """Make the asset of one set and interval: `features` of the default set, `order_flow`, `cross_asset`."""
    table = features_table(chosen)
    key, bars_key = (data_key(universe, name, interval) for name in (table.name, "bars"))
    formulas = {name: [each.formula, each.lookback, *each.parameters] for name, each in SETS[chosen].items()}
    across = looks_across(chosen)
    market = {"leader": universe.leader, "symbols": universe.symbols} if across else {}
    version = code_version("features", {**formulas, **market}, bars_version)
    reach = max_lookback(SETS[chosen]) * duration(interval)

    @dg.asset(
        key=asset_key(key),
        deps=[dg.AssetDep(asset_key(bars_key), partition_mapping=data_to_data(universe, reach, across=across))],
        group_name=GROUP,
        partitions_def=data_partitions(universe),
        backfill_policy=IN_ONE_RUN,
        io_manager_key="lake_io",
        code_version=version,
        dagster_type=frame_type(table, key),
        metadata={**table_metadata(table), **market},
        kinds={"parquet", "polars"},
        owners=[OWNER],
        tags={"layer": "features"},
        description=_DESCRIPTIONS[chosen].format(len(SETS[chosen])),
    )
    def asset(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Frames:
        partitions = selected_data(context, universe.grain)
        return Frames(table, _pieces(lake, partitions, universe, interval, chosen))

    return Features(asset, version)


def _pieces(
    lake: Lake, partitions: Iterator[DataPartition], universe: Universe, interval: Interval, chosen: str
) -> Iterator[Piece]:
    names = list(SETS[chosen])
    for window, symbols in _batches(partitions, together=looks_across(chosen)):
        bars = bars_behind(lake, universe, interval, chosen, symbols, window)
        frame = compute_features(bars, names, interval=interval, leader=universe.leader)
        for symbol in symbols:
            check_recorded(chosen, bars.filter(pl.col("open_time") >= window.start, symbol=symbol))
            rows = frame.filter(pl.col("open_time") >= window.start, symbol=symbol)
            share = rows.select(pl.any_horizontal(pl.col(names).is_null()).mean()).item() or 0.0
            metadata = {"incomplete_rows": round(share, 4), "preview": dg.MetadataValue.md(preview(rows))}
            yield Piece(symbol, window, rows, metadata)


def _batches(partitions: Iterator[DataPartition], *, together: bool) -> Iterator[tuple[Window, list[str]]]:
    """Yield partitions one by one, or all symbols of a window together: what others did is then looked up once."""
    if not together:
        yield from ((each.window, [each.symbol]) for each in partitions)
        return
    in_time = sorted(partitions, key=lambda each: (each.window.start, each.symbol))
    for window, batch in groupby(in_time, key=lambda each: each.window):
        yield window, [each.symbol for each in batch]


def bars_behind(
    lake: Lake, universe: Universe, interval: Interval, chosen: str, symbols: list[str], window: Window
) -> pl.DataFrame:
    """Bars that a window's features of a set come from: of the symbols, or of all where the set looks across them.

    Raises
    ------
    LakeError
        If the window has no bars stored, or a set that looks across lacks those of some symbol: what is made must not
        depend on who was fetched first.
    """
    key = data_key(universe, "bars", interval)
    start = window.start - max_lookback(SETS[chosen]) * duration(interval)
    if not looks_across(chosen):
        return lake.require(key, symbols, start, window.end)
    for each in windows(max(start, midnight(universe.start)), window.end, universe.grain):
        absent = [symbol for symbol in universe.symbols if not lake.files(key, [symbol], each.start, each.end)]
        if absent:
            raise LakeError(
                f"the lake has no `{key}` of {', '.join(absent)} in {each.key}; `{table_name(chosen)}` looks at every "
                f"symbol of the universe, so materialize `{key}` for these partitions first."
            )
    return lake.require(key, universe.symbols, start, window.end)
