"""In which markets the money was made: bull, bear or range, restless or calm, and whether a crash was among it.

A regime is read from days that are over: what is known at the close of a day is the regime of the next one.
"""

from collections.abc import Sequence
from datetime import timedelta
from math import sqrt
from typing import Annotated

import polars as pl
from pydantic import Field, PositiveFloat

from nightfold.interval import duration
from nightfold.spec import Spec
from nightfold.tearsheet import measures

TRENDS = ("bull", "bear", "range")
UNREST = ("high", "low")
UNKNOWN = "unknown"

LIVED_DAYS = 30
"""Days after which a regime counts as lived through."""

Days = Annotated[int, Field(ge=2)]


class RegimeRules(Spec):
    """What makes a market a bull, a bear, restless or calm; all windows end at the close of the day.

    References
    ----------
    Moskowitz, Ooi and Pedersen (2012), Time Series Momentum, *Journal of Financial Economics* 104, for a trend as the
    trailing return in units of its own volatility.
    """

    trend_days: Days = 60
    """Days whose return is the trend."""
    strength: PositiveFloat = 0.75
    """Standard deviations of that many days at which bull or bear begins: for a symbol that moves by 60 % a year about
    the usual 20 %."""
    volatility_days: Days = 30
    """Days whose standard deviation is the unrest: high above its own median, else low."""
    compare_days: Days = 365
    """Days of that median; fewer where history is shorter, but no fewer than `volatility_days`."""


def market_days(bars: pl.DataFrame, interval: str) -> pl.DataFrame:
    """Mean daily log return of the symbols that have the day and the one before, each counting the same.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``, ``close``; any order.
    interval
        Length of a bar, such as ``5m``.

    Returns
    -------
    DataFrame
        ``day`` (UTC, of the bar's close; 00:00 belongs to the day before) and ``log_return``, by time. Days in a hole
        return 0, and the day after it all that happened.
    """
    closes = (
        bars.sort("open_time")
        .group_by("symbol", _day(interval).alias("day"), maintain_order=True)
        .agg(pl.col("close").last())
        .sort("symbol", "day")
        .upsample("day", every="1d", group_by="symbol", maintain_order=True)
        .with_columns(pl.col("symbol", "close").forward_fill())
    )
    moves = closes.select("day", log_return=pl.col("close").log().diff().over("symbol"))
    return moves.drop_nulls().group_by("day").agg(pl.col("log_return").mean()).sort("day")


def regimes(bars: pl.DataFrame, interval: str, rules: RegimeRules | None = None) -> pl.DataFrame:
    """Name the regime of each day, as it was known before the day began.

    Parameters
    ----------
    bars, interval
        As in `market_days`. Bars from before the range traded let its first days have a regime.
    rules
        Windows and thresholds; the defaults where none are given.

    Returns
    -------
    DataFrame
        ``day``, ``trend`` (`TRENDS`) and ``unrest`` (`UNREST`), by time, to the day after the last close; null where
        history is too short or nothing moved.
    """
    rules = rules or RegimeRules()
    strength = pl.col("log_return").rolling_mean(rules.trend_days) / _deviation(rules.trend_days)
    strength = pl.when(_moves(rules.trend_days)).then(strength * sqrt(rules.trend_days))
    bull, bear = strength >= rules.strength, strength <= -rules.strength
    unrest = _deviation(rules.volatility_days) * _moves(rules.volatility_days).cast(pl.Float64)
    usual = unrest.rolling_median(rules.compare_days, min_samples=rules.volatility_days)
    return market_days(bars, interval).select(
        pl.col("day") + pl.duration(days=1),
        trend=_first_true(bull=bull, bear=bear, range=~(bull | bear)),
        unrest=_first_true(high=unrest > usual, low=unrest <= usual),
    )


def _moves(days: int) -> pl.Expr:
    """Whether any of the last days differs from the others; null for too few."""
    return pl.col("log_return").rolling_max(days) > pl.col("log_return").rolling_min(days)


def _deviation(days: int) -> pl.Expr:
    return pl.col("log_return").rolling_std(days)


def _first_true(**claims: pl.Expr) -> pl.Expr:
    """Name of the claim that is true; null where none is known to be."""
    return pl.coalesce(pl.when(claim).then(pl.lit(name)) for name, claim in claims.items())


def regime_returns(daily: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Measure the strategy in each regime.

    Parameters
    ----------
    daily
        ``day`` and ``daily_return``, one row a UTC day.
    known
        As from `regimes`.

    Returns
    -------
    DataFrame
        ``kind`` (trend, unrest), ``regime`` (`UNKNOWN` where none is known), ``days``, ``share`` of all days,
        ``total_return`` compounded over its days, ``sharpe_ratio`` and ``worst_day``; regimes without days have 0 days
        and null measures. The days of each kind sum to those of ``daily``.
    """
    days = daily.join(known, on="day", how="left", maintain_order="left")
    kinds = {"trend": TRENDS, "unrest": UNREST}
    rows = [_measured(days, kind, regime) for kind, names in kinds.items() for regime in (*names, UNKNOWN)]
    return pl.DataFrame(rows, schema=_TABLE, orient="row")


_TABLE: dict[str, type[pl.DataType]] = {
    "kind": pl.String,
    "regime": pl.String,
    "days": pl.Int64,
    **dict.fromkeys(("share", "total_return", "sharpe_ratio", "worst_day"), pl.Float64),
}


def _measured(days: pl.DataFrame, kind: str, regime: str) -> Sequence[object]:
    own = days.filter(pl.col(kind).fill_null(UNKNOWN) == regime)["daily_return"]
    share = own.len() / days.height if days.height else None
    lost = measures.is_ruined(own)
    total, sharpe = (-1.0, None) if lost else (measures.total_return(own), measures.sharpe_ratio(own))
    return kind, regime, own.len(), share, total, sharpe, own.min()


def regimes_lived(table: pl.DataFrame) -> int:
    """Count the trends that lasted 30 days or more in all, of bull, bear and range.

    Parameters
    ----------
    table
        As from `regime_returns`.
    """
    lived = (pl.col("kind") == "trend") & (pl.col("regime") != UNKNOWN) & (pl.col("days") >= LIVED_DAYS)
    return table.filter(lived).height


def crashes(bars: pl.DataFrame, interval: str, fall: float = 0.2, hours: int = 24) -> pl.DataFrame:
    """Find where a close lay so far under a close of the hours before; wicks do not count.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``, ``close``, of the range that is judged; any order.
    interval
        Length of a bar, such as ``5m``.
    fall
        Share of the price that is lost.
    hours
        Time it is lost in.

    Returns
    -------
    DataFrame
        ``symbol``, ``start`` and ``end`` (first and last close that lay so low), ``fall`` (deepest, <= 0), one row a
        crash of a symbol, by time; lows of a symbol that are no further apart than ``hours`` are one crash.
    """
    close, time = pl.col("close"), pl.col("time")
    ended = bars.select("symbol", "close", time=pl.col("open_time") + duration(interval)).sort("symbol", "time")
    peak = close.rolling_max_by("time", window_size=f"{hours}h", closed="both").over("symbol")
    low = ended.with_columns(peak=peak).filter(close <= pl.col("peak") * (1.0 - fall))
    begins = (time.diff() > timedelta(hours=hours)).fill_null(value=True)
    return (
        low.with_columns(number=begins.cum_sum())
        .group_by("symbol", "number", maintain_order=True)
        .agg(start=time.first(), end=time.last(), fall=(close / pl.col("peak") - 1.0).min())
        .drop("number")
        .sort("start", "symbol")
    )


def count_crashes(found: pl.DataFrame) -> int:
    """Count the crashes of a market: those of several symbols that overlap in time are one.

    Parameters
    ----------
    found
        As from `crashes`.
    """
    ended = pl.col("end").cum_max().shift()
    return int(found.sort("start").select((pl.col("start") > ended).fill_null(value=True).sum()).item())


def _day(interval: str) -> pl.Expr:
    """UTC day of a bar's close, where 00:00 ends the day before."""
    return (pl.col("open_time") + duration(interval) - timedelta(milliseconds=1)).dt.date()
