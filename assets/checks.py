"""Asset checks on data: schema, completeness, freshness, leaks, label balance."""

from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg
import polars as pl

from assets.barrier_params import params_key
from assets.keys import asset_key, data_key
from assets.leaks import function_check, leak_check
from assets.markdown import markdown_table
from assets.stored import last_open_time, latest_window
from nightfold.bars.quality import completeness
from nightfold.errors import SchemaError
from nightfold.features.table import features_table, table_name
from nightfold.interval import Interval, duration, last_close
from nightfold.labels.searched import PARAMS
from nightfold.labels.table import LabelSet, label_balance, label_columns
from nightfold.schema import BARS, KEY, Table
from nightfold.universe import Universe
from nightfold.window import midnight
from resources.lake import Lake

_FRESH = timedelta(hours=25)
_HOUR = timedelta(hours=1)
_MINIMUM_CLASS_SHARE = 0.02


def data_checks(
    universe: Universe, interval: Interval, sets: list[str], label_sets: list[LabelSet]
) -> list[dg.AssetChecksDefinition]:
    """Make the checks of one interval's data assets: bars, sets of features, label sets."""
    bars = data_key(universe, "bars", interval)
    checks = [
        schema_check(universe, bars, BARS),
        completeness_check(universe, bars, interval),
        freshness_check(universe, bars, interval),
    ]
    for chosen in sets:
        key = data_key(universe, table_name(chosen), interval)
        checks += [
            schema_check(universe, key, features_table(chosen)),
            leak_check(universe, key, interval, chosen),
            function_check(universe, key, interval, chosen),
        ]
    for label_set in label_sets:
        key = data_key(universe, label_set.name, interval)
        checks += [
            schema_check(universe, key, label_columns(label_set)),
            balance_check(universe, key, label_set, interval),
        ]
        if label_set.is_searched:
            checks.append(schema_check(universe, params_key(universe, interval, label_set), PARAMS))
    return checks


def schema_check(universe: Universe, key: str, table: Table) -> dg.AssetChecksDefinition:
    """Hold the latest stored window against the table's schema once more."""

    @dg.asset_check(asset=asset_key(key), name="schema", description=f"Stored rows keep `{table.name}`.")
    def check(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        window, frame = latest_window(lake, key, universe)
        try:
            table.validate(frame)
        except SchemaError as error:
            return dg.AssetCheckResult(passed=False, metadata={"faults": str(error), "window": window.key})
        return dg.AssetCheckResult(passed=True, metadata={"rows": frame.height, "window": window.key})

    return check


def completeness_check(universe: Universe, key: str, interval: Interval) -> dg.AssetChecksDefinition:
    """Count missing bars per symbol and day."""

    @dg.asset_check(asset=asset_key(key), name="completeness", description="Bars missing, per symbol and day.")
    def check(lake: dg.ResourceParam[Lake], clock: dg.ResourceParam[Callable[[], datetime]]) -> dg.AssetCheckResult:
        stored = lake.partitions(key, universe.symbols)
        start = max(stored[0].start, midnight(universe.start))
        end = min(stored[-1].end, last_close(universe.horizon(clock()), interval))
        bars = lake.require(key, universe.symbols, start, end, [*KEY, "gap_filled", "zero_volume"])
        days = completeness(bars, interval, start, end, universe.symbols)
        missing = days.filter(pl.col("missing") > 0)
        return dg.AssetCheckResult(
            passed=missing.is_empty(),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "days": days.height,
                "missing_bars": int(days["missing"].sum()),
                "gap_filled_bars": int(days["gap_filled"].sum()),
                "days_with_missing_bars": dg.MetadataValue.md(markdown_table(missing.head(50))),
            },
        )

    return check


def freshness_check(universe: Universe, key: str, interval: Interval) -> dg.AssetChecksDefinition:
    """Tell how old the latest bar is, against what could exist now."""

    @dg.asset_check(asset=asset_key(key), name="freshness", description="Age of the latest bar.")
    def check(lake: dg.ResourceParam[Lake], clock: dg.ResourceParam[Callable[[], datetime]]) -> dg.AssetCheckResult:
        horizon = universe.horizon(clock())
        allowed = _FRESH + duration(interval)
        ages = {}
        for symbol in universe.symbols:
            last = last_open_time(lake, key, symbol)
            ages[symbol] = None if last is None else horizon - last - duration(interval)
        return dg.AssetCheckResult(
            passed=all(age is not None and age <= allowed for age in ages.values()),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "allowed_hours": allowed / _HOUR,
                **{f"hours_behind/{symbol}": _hours(age) for symbol, age in ages.items()},
            },
        )

    return check


def balance_check(universe: Universe, key: str, label_set: LabelSet, interval: Interval) -> dg.AssetChecksDefinition:
    """See that each class of each horizon occurs."""

    @dg.asset_check(
        asset=asset_key(key),
        name="balance",
        description=f"Each class of each horizon has at least {_MINIMUM_CLASS_SHARE:.0%} of the known labels.",
    )
    def check(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        window, frame = latest_window(lake, key, universe)
        balance = label_balance(frame, label_set, interval)
        rarest = balance.select(pl.min_horizontal("down", "flat", "up").min()).item()
        return dg.AssetCheckResult(
            passed=rarest is not None and rarest >= _MINIMUM_CLASS_SHARE,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"balance": dg.MetadataValue.md(markdown_table(balance)), "window": window.key},
        )

    return check


def _hours(age: timedelta | None) -> float | None:
    return None if age is None else round(age / _HOUR, 1)
