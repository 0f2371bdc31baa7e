"""Checks that no feature knows its future: the windows just stored, and the functions that made them."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.features import bars_behind
from assets.keys import asset_key
from assets.markdown import markdown_table
from assets.partitions import DataPartition, selected_data
from assets.stored import latest_window
from nightfold.errors import SchemaError
from nightfold.features.audit import audit_features, audit_stored
from nightfold.features.catalog import SETS
from nightfold.interval import Interval, duration
from nightfold.universe import Universe
from nightfold.window import Window
from resources.lake import Lake

_AUDITED_BARS = 2_000


def leak_check(universe: Universe, key: str, interval: Interval, chosen: str) -> dg.AssetChecksDefinition:
    """Hold every window just made against what comes out where its future is not known."""

    @dg.asset_check(
        asset=asset_key(key),
        name="leaks",
        description="Each window is what its bars give, also where the bars after a row are cut off or noise.",
    )
    def check(context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        audited, faults = [], []
        for partition in _made(context, lake, key, universe):
            window, symbol = partition.window, partition.symbol
            stored = lake.require(key, [symbol], window.start, window.end)
            bars = bars_behind(lake, universe, interval, chosen, [symbol], window)
            try:
                found = audit_stored(stored, bars, interval=interval, leader=universe.leader)
            except SchemaError as error:
                return dg.AssetCheckResult(passed=False, metadata={"faults": str(error), "window": window.key})
            audited.append({"window": window.key, "symbol": symbol, "rows": stored.height, "faults": found.height})
            faults.append(found.select(pl.lit(window.key).alias("window"), pl.lit(symbol).alias("symbol"), pl.all()))
        differing = pl.concat(faults)
        return dg.AssetCheckResult(
            passed=differing.is_empty(),
            metadata={
                "features": len(SETS[chosen]),
                "windows": dg.MetadataValue.md(markdown_table(pl.DataFrame(audited))),
                "faults": dg.MetadataValue.md(markdown_table(differing.head(50))),
            },
        )

    return check


def function_check(universe: Universe, key: str, interval: Interval, chosen: str) -> dg.AssetChecksDefinition:
    """Audit the feature functions themselves on the newest stored bars."""

    @dg.asset_check(
        asset=asset_key(key),
        name="functions",
        description="No feature function moves with its future, and none needs more bars than its lookback.",
    )
    def check(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        window, stored = latest_window(lake, key, universe)
        symbol, last = stored.sort("open_time").select("symbol", "open_time").row(-1)
        newest = Window(last - _AUDITED_BARS * duration(interval), last + duration(interval))
        bars = bars_behind(lake, universe, interval, chosen, [symbol], newest)
        try:
            audit = audit_features(bars, SETS[chosen], interval=interval, leader=universe.leader)
        except SchemaError as error:
            return dg.AssetCheckResult(passed=False, metadata={"faults": str(error), "window": window.key})
        faults = audit.filter(pl.col("moved_by_future") | pl.col("needs_more_than_lookback"))
        return dg.AssetCheckResult(
            passed=faults.is_empty(),
            metadata={
                "features": audit.height,
                "faults": dg.MetadataValue.md(markdown_table(faults)),
                "audited": dg.MetadataValue.md(markdown_table(audit)),
            },
        )

    return check


def _made(context: dg.AssetCheckExecutionContext, lake: Lake, key: str, universe: Universe) -> Iterator[DataPartition]:
    """Partitions of this run that are stored; the latest one of each symbol where the run names none."""
    run = context.op_execution_context
    if run.has_partition_key or run.has_partition_key_range:
        stored = {symbol: set(lake.partitions(key, [symbol])) for symbol in universe.symbols}
        yield from (each for each in selected_data(run, universe.grain) if each.window in stored[each.symbol])
    else:
        window, rows = latest_window(lake, key, universe)
        yield from (DataPartition(window, symbol) for symbol in rows["symbol"].unique().sort())
