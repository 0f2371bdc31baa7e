"""Asset checks on data: schema, completeness, freshness, leaks, label balance."""

from collections.abc import Callable
from datetime import datetime

import dagster as dg
import polars as pl

from assets.keys import asset_key, data_key
from assets.markdown import markdown_table
from nightfold.bars.quality import completeness
from nightfold.features.audit import audit_features
from nightfold.features.catalog import FEATURES
from nightfold.features.table import features_table
from nightfold.errors import SchemaError
from nightfold.interval import Interval, duration
from nightfold.labels.table import LabelSet, label_balance, label_columns
from nightfold.schema import BARS, Table
from nightfold.universe import Universe
from nightfold.window import Window, midnight
from resources.lake import Lake

_FRESH_BARS = 300
_AUDITED_BARS = 2_000
_MINIMUM_CLASS_SHARE = 0.02


def data_checks(universe: Universe, interval: Interval, label_sets: list[LabelSet]) -> list[dg.AssetChecksDefinition]:
    """Make the checks of one interval's data assets."""
    bars, features = (data_key(universe, name, interval) for name in ("bars", "features"))
    checks = [
        schema_check(universe, bars, BARS),
        completeness_check(universe, bars, interval),
        freshness_check(universe, bars, interval),
        schema_check(universe, features, features_table()),
        leak_check(universe, features, bars, interval),
    ]
    for label_set in label_sets:
        key = data_key(universe, label_set.name, interval)
        checks += [
            schema_check(universe, key, label_columns(label_set)),
            balance_check(universe, key, label_set, interval),
        ]
    return checks


def schema_check(universe: Universe, key: str, table: Table) -> dg.AssetChecksDefinition:
    """Hold the latest stored window against the table's schema once more."""

    @dg.asset_check(asset=asset_key(key), name="schema", description=f"Stored rows keep `{table.name}`.")
    def check(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        window, frame = _latest(lake, key, universe)
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
        end = min(stored[-1].end, universe.horizon(clock()))
        bars = lake.require(key, universe.symbols, start, end)
        days = completeness(bars, interval, start, end)
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
        window, frame = _latest(lake, key, universe)
        last = frame.group_by("symbol").agg(pl.col("open_time").max() + duration(interval)).sort("symbol")
        age = (horizon - last["open_time"].min()) / duration(interval)
        return dg.AssetCheckResult(
            passed=age <= _FRESH_BARS,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "bars_behind": round(age, 1),
                "allowed_bars_behind": _FRESH_BARS,
                "latest": dg.MetadataValue.md(markdown_table(last)),
                "window": window.key,
            },
        )

    return check


def leak_check(universe: Universe, key: str, bars_key: str, interval: Interval) -> dg.AssetChecksDefinition:
    """Recompute every feature with its future cut off and with its lookback alone, on stored bars."""

    @dg.asset_check(
        asset=asset_key(key),
        name="leaks",
        description="No feature moves when its future is cut off; none needs more than its lookback.",
    )
    def check(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        window = lake.partitions(bars_key, universe.symbols)[-1]
        reach = _AUDITED_BARS * duration(interval)
        bars = lake.require(bars_key, universe.symbols[:1], window.start - reach, window.end).tail(_AUDITED_BARS)
        audit = audit_features(bars, list(FEATURES), interval=interval)
        faults = audit.filter(pl.col("moved_by_future") | pl.col("needs_more_than_lookback"))
        return dg.AssetCheckResult(
            passed=faults.is_empty(),
            metadata={
                "features": audit.height,
                "faults": dg.MetadataValue.md(markdown_table(faults if faults.height else audit.head(10))),
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
        window, frame = _latest(lake, key, universe)
        balance = label_balance(frame, label_set, interval)
        shares = balance.select("down", "flat", "up").min_horizontal().min()
        return dg.AssetCheckResult(
            passed=shares is not None and shares >= _MINIMUM_CLASS_SHARE,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"balance": dg.MetadataValue.md(markdown_table(balance)), "window": window.key},
        )

    return check


def _latest(lake: Lake, key: str, universe: Universe) -> tuple[Window, pl.DataFrame]:
    window = lake.partitions(key, universe.symbols)[-1]
    return window, lake.require(key, universe.symbols, window.start, window.end)
