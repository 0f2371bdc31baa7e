"""Asset checks on data: schema, completeness, freshness, leaks, label balance."""

from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg
import polars as pl

from assets.keys import asset_key, data_key
from assets.markdown import markdown_table
from assets.stored import last_open_time
from nightfold.bars.quality import completeness
from nightfold.errors import LakeError, SchemaError
from nightfold.features.audit import audit_features, differing_features
from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.features.select import max_lookback
from nightfold.features.table import features_table
from nightfold.interval import Interval, duration, last_close
from nightfold.labels.table import LabelSet, label_balance, label_columns
from nightfold.schema import BARS, KEY, Table
from nightfold.universe import Universe
from nightfold.window import Window, midnight
from resources.lake import Lake

_FRESH = timedelta(hours=25)
_AUDITED_BARS = 2_000
_HOUR = timedelta(hours=1)
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


def leak_check(universe: Universe, key: str, bars_key: str, interval: Interval) -> dg.AssetChecksDefinition:
    """Recompute every feature with its future cut off and with its lookback alone, and compare the stored values."""

    @dg.asset_check(
        asset=asset_key(key),
        name="leaks",
        description="No feature moves when its future is cut off, none needs more than its lookback, and what is "
        "stored is what the stored bars give.",
    )
    def check(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        _, stored = _latest(lake, key, universe)
        symbol, reach = stored["symbol"][0], (max_lookback(FEATURES) + _AUDITED_BARS) * duration(interval)
        last: datetime = stored.filter(symbol=symbol).select(pl.col("open_time").max()).item()
        bars = lake.require(bars_key, [symbol], last - reach, last + duration(interval))
        audit = audit_features(bars, interval=interval)
        faults = audit.filter(pl.col("moved_by_future") | pl.col("needs_more_than_lookback"))
        differing = differing_features(stored, compute_features(bars, interval=interval)[-_AUDITED_BARS:])
        return dg.AssetCheckResult(
            passed=faults.is_empty() and not differing,
            metadata={
                "features": audit.height,
                "faults": dg.MetadataValue.md(markdown_table(faults if faults.height else audit.head(10))),
                "stored_values_differ": ", ".join(differing) or "none",
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
        rarest = balance.select(pl.min_horizontal("down", "flat", "up").min()).item()
        return dg.AssetCheckResult(
            passed=rarest is not None and rarest >= _MINIMUM_CLASS_SHARE,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"balance": dg.MetadataValue.md(markdown_table(balance)), "window": window.key},
        )

    return check


def _latest(lake: Lake, key: str, universe: Universe) -> tuple[Window, pl.DataFrame]:
    """Latest stored window that has rows, with them."""
    for window in reversed(lake.partitions(key, universe.symbols)):
        frame = lake.require(key, universe.symbols, window.start, window.end)
        if frame.height:
            return window, frame
    raise LakeError(f"the lake has no rows of `{key}`; materialize it first.")


def _hours(age: timedelta | None) -> float | None:
    return None if age is None else round(age / _HOUR, 1)
