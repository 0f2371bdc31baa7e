"""What no cleaning can repair, found before it starts: every fault, in one error."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from nightfold.bars.quality import agreement_by_lag
from nightfold.bars.symbol import normalize_symbol
from nightfold.errors import BarsError, ConfigError
from nightfold.interval import milliseconds
from nightfold.schema import FLOW, PRICES

_SHOWN = 3
_MISORDERED_SHARE = 0.1
_ROLE_SHARE = 0.9
_ENOUGH_ROWS = 10
_CLOCKS_DIFFER_UP_TO = 14 * 3_600_000
_SAME_MARKET = 0.5
_OTHER_TIME = 0.25


@dataclass(frozen=True, slots=True)
class _Rule:
    """Rows where `broken` is true are a fault."""

    broken: pl.Expr
    found: str
    allowed: str


def check_raw_bars(raw: pl.DataFrame, interval: str, now: datetime | None = None) -> None:
    """Refuse raw rows that hold what cannot be repaired.

    Parameters
    ----------
    raw
        Rows of the table ``raw_bars``, any order.
    interval
        Length of a bar; stamps must be whole multiples of it since 1970.
    now
        A bar that closes later is not finished; unchecked where None.

    Raises
    ------
    BarsError
        With every fault: what was found, in how many rows, the first of them, what is allowed.
    """
    faults = list(_without_key(raw)) or [
        *_misspelled(raw),
        *_misordered(raw),
        *_broken_rows(raw, interval, now),
        *_many_conflicts(raw),
        *_shifted(raw, interval),
    ]
    if faults:
        listed = "".join(f"\n- {fault}" for fault in faults)
        raise BarsError(f"Raw bars cannot be repaired; faults found: {len(faults)}{listed}")


def _rules(interval: str, now: datetime | None) -> Iterator[_Rule]:
    for name in PRICES:
        price = pl.col(name)
        wrong = price.is_null() | ~price.is_finite() | (price <= 0)
        yield _Rule(wrong, f"`{name}` is no price", "a finite number above 0")
    for name in ("volume", *FLOW):
        amount = pl.col(name)
        unknown = pl.lit(name == "volume") & amount.is_null()
        wrong = unknown | ~amount.is_finite() | (amount < 0)
        yield _Rule(wrong, f"`{name}` is no amount", "a finite number from 0")
    yield _Rule(pl.col("high") < pl.max_horizontal(PRICES), "`high` is not the highest price", "high >= the others")
    yield _Rule(pl.col("low") > pl.min_horizontal(PRICES), "`low` is not the lowest price", "low <= the others")
    step = milliseconds(interval)
    off_grid = pl.col("open_time").dt.epoch("ms") % step != 0
    yield _Rule(off_grid, f"`open_time` is off the {interval} grid", f"whole multiples of {interval} since 1970, UTC")
    if now is not None:
        ends = pl.col("open_time").dt.offset_by(f"{step}ms")
        yield _Rule(ends > now, "the bar is not over", f"closed bars up to now, {_stamp(now)}")


def _broken_rows(raw: pl.DataFrame, interval: str, now: datetime | None) -> Iterator[str]:
    rules = list(_rules(interval, now))
    counts = raw.select(rule.broken.sum().alias(rule.found) for rule in rules).row(0)
    for rule, count in zip(rules, counts, strict=True):
        if count:
            shown = "; ".join(_row(row) for row in raw.filter(rule.broken).head(_SHOWN).iter_rows(named=True))
            yield f"{rule.found} in {count} of {len(raw)} rows; allowed: {rule.allowed}; first: {shown}"


def _row(row: dict[str, object]) -> str:
    values = ", ".join(f"{name} {row[name]}" for name in (*PRICES, "volume"))
    return f"{row['symbol']} {row['venue']} {_stamp(row['open_time'])} ({values})"


def _stamp(time: object) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"


def _without_key(raw: pl.DataFrame) -> Iterator[str]:
    for name in ("symbol", "venue", "open_time"):
        if count := raw[name].null_count():
            yield f"`{name}` is null in {count} of {len(raw)} rows; every row must say it"


def _misspelled(raw: pl.DataFrame) -> Iterator[str]:
    for symbol in raw["symbol"].unique().sort():
        try:
            inside = normalize_symbol(symbol)
        except ConfigError as error:
            yield str(error)
        else:
            if inside != symbol:
                yield f"symbol {symbol!r} is spelled {inside!r} inside; the source must normalise it"


def _misordered(raw: pl.DataFrame) -> Iterator[str]:
    for (symbol, venue), rows in _by_venue(raw):
        roles = _roles(rows)
        moved = [f"`{name}` behaves as the {role}" for name, role in roles.items() if name != role]
        if moved:
            yield (
                f"{symbol} {venue}: the price columns look misordered ({', '.join(moved)}); "
                "rename them in the source, and check its time zone too"
            )


def _roles(rows: pl.DataFrame) -> dict[str, str]:
    """Which price each column behaves as, where many rows break the order of prices and another order would not."""
    broken = (pl.col("high") < pl.max_horizontal(PRICES)) | (pl.col("low") > pl.min_horizontal(PRICES))
    if len(rows) < _ENOUGH_ROWS or rows.filter(broken).height < _MISORDERED_SHARE * len(rows):
        return {}
    highest = rows.select((pl.col(name) == pl.max_horizontal(PRICES)).mean() for name in PRICES).row(0)
    lowest = rows.select((pl.col(name) == pl.min_horizontal(PRICES)).mean() for name in PRICES).row(0)
    high, low = PRICES[int(np.argmax(highest))], PRICES[int(np.argmax(lowest))]
    if min(max(highest), max(lowest)) < _ROLE_SHARE or high == low:
        return {}
    first, second = (name for name in PRICES if name not in (high, low))
    if _jump(rows, opened=first, closed=second) > _jump(rows, opened=second, closed=first):
        first, second = second, first
    return {first: "open", high: "high", low: "low", second: "close"}


def _jump(rows: pl.DataFrame, opened: str, closed: str) -> float:
    """Median log distance from one bar's close to the next one's open."""
    jump = (pl.col(opened) / pl.col(closed).shift(1)).log().abs().median()
    return float(rows.sort("open_time").select(jump).item() or 0.0)


def _many_conflicts(raw: pl.DataFrame) -> Iterator[str]:
    for (symbol, venue), rows in _by_venue(raw):
        repeated = rows.filter(pl.col("open_time").is_duplicated()).unique()
        differing = repeated.group_by("open_time").len().filter(pl.col("len") > 1).sort("open_time")
        if len(differing) > max(3, rows["open_time"].n_unique() // 100):
            yield (
                f"{symbol} {venue}: {len(differing)} bars come more than once with different values, first "
                f"{_stamp(differing['open_time'][0])}; allowed: 1 bar in 100; fetch them again from one source"
            )


def _shifted(raw: pl.DataFrame, interval: str) -> Iterator[str]:
    """Venues whose returns are another's of the same symbol, hours earlier or later."""
    max_bars = _CLOCKS_DIFFER_UP_TO // milliseconds(interval)
    sound = raw.filter(pl.col("close").is_finite() & (pl.col("close") > 0))
    by_venue = {key: rows.unique("open_time", keep="any") for key, rows in _by_venue(sound)} if max_bars else {}
    pairs = [(a, b) for a in by_venue for b in by_venue if a[0] == b[0] and a[1] < b[1]]
    for (symbol, reference), (_, venue) in pairs:
        agreement = agreement_by_lag(by_venue[symbol, venue], by_venue[symbol, reference], interval, max_bars)
        best = int(np.argmax(np.nan_to_num(agreement, nan=-1.0)))
        if agreement[best] > _SAME_MARKET and agreement[max_bars] < _OTHER_TIME:
            ahead = (best - max_bars) * milliseconds(interval) / 3_600_000
            side = "ahead of" if ahead > 0 else "behind"
            yield (
                f"{symbol}: {venue} is stamped {abs(ahead):g} hours {side} {reference} "
                f"(returns agree {agreement[best]:.2f} there, {agreement[max_bars]:.2f} as stamped); "
                "bars are stamped with their start in UTC: set the source's time zone right"
            )


def _by_venue(raw: pl.DataFrame) -> Iterator[tuple[tuple[str, str], pl.DataFrame]]:
    parts = raw.partition_by("symbol", "venue", as_dict=True)
    for symbol, venue in sorted(parts):
        yield (symbol, venue), parts[symbol, venue]
