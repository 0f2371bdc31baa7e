"""Bars and targets on their way into the simulation: checked at the door, laid out as arrays."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.kernel.quiet import list_decisions
from nightfold.backtest.kernel.record import BLOCK, Tape
from nightfold.errors import SchemaError
from nightfold.schema import KEY, PRICES, TIME

NEEDED = (*KEY, *PRICES, "volume")
BRACKETS = ("stop", "take_profit")
ORDER_PRICES = (*BRACKETS, "limit")

Floats = npt.NDArray[np.float64]


def checked_bars(bars: pl.DataFrame) -> pl.DataFrame:
    """Sort bars by symbol and time; refuse those that cannot be traded on.

    Raises
    ------
    SchemaError
        With every fault found.
    """
    absent = [name for name in NEEDED if name not in bars.columns]
    if absent:
        raise SchemaError(f"`bars` lack the columns {', '.join(absent)}; they need {', '.join(NEEDED)}.")
    bars = in_order(bars.with_columns(pl.col("symbol").cast(pl.String), pl.col("open_time").cast(TIME)))
    price, open_close, volume = pl.col(PRICES), pl.col("open", "close"), pl.col("volume")
    good = price.is_finite() & (price > 0) & price.is_not_null()
    inside = open_close.is_between(pl.col("low"), pl.col("high"))
    wrong = {
        "have prices that are not positive numbers": ~pl.all_horizontal(good.fill_null(value=False)),
        "open or close outside their high and low": ~pl.all_horizontal(inside),
        "have a volume that is no number of 0 or more": ~(volume.is_finite() & (volume >= 0)),
        "have no symbol or time": pl.any_horizontal(pl.col(KEY).is_null()),
        "are duplicates": is_repeated(),
    }
    counts = bars.select(rows.sum().alias(fault) for fault, rows in wrong.items()).row(0, named=True)
    faults = [
        f"{count} {fault}, the first {_place(bars.filter(wrong[fault]))}" for fault, count in counts.items() if count
    ]
    if bars.is_empty() or faults:
        found = "; ".join(faults) or "there are none"
        raise SchemaError(f"`bars` cannot be traded on: {found}. Pass bars as the lake has them.")
    return bars


def _place(rows: pl.DataFrame) -> str:
    symbol, time = rows.select(KEY).row(0)
    return f"{symbol} at {time}"


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort by symbol and time; a frame of one symbol that is in order already, as most are, stays what it is."""
    symbol, time = frame.select(KEY)
    is_whole = len(symbol) > 0 and symbol.null_count() == time.null_count() == 0
    return frame if is_whole and (symbol == symbol[0]).all() and time.is_sorted() else frame.sort(KEY)


def is_repeated() -> pl.Expr:
    """Whether a row of a sorted frame has the key of the one before."""
    return pl.all_horizontal(pl.col(KEY) == pl.col(KEY).shift())


def interval_of(bars: pl.DataFrame) -> int:
    """Length of a bar in milliseconds: the shortest step within a symbol.

    Raises
    ------
    SchemaError
        If no symbol has two bars.
    """
    same = pl.col("symbol") == pl.col("symbol").shift()
    step = bars.select(pl.col("open_time").to_physical().diff().filter(same).min()).item()
    if step is None:
        raise SchemaError("`bars` have one row a symbol; two are needed, since nothing fills on the bar that decides.")
    return int(step)


def aligned_targets(bars: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Bring targets to the rows of checked bars; NaN where there is no decision or no bracket.

    Raises
    ------
    SchemaError
        With every fault found.
    """
    absent = [name for name in (*KEY, "target") if name not in targets.columns]
    if absent:
        raise SchemaError(f"`targets` lack the columns {', '.join(absent)}; they have {', '.join(targets.columns)}.")
    targets = in_order(
        targets.select(
            pl.col("symbol").cast(pl.String),
            pl.col("open_time").cast(TIME),
            *(
                pl.col(name) if name in targets.columns else pl.lit(None).alias(name)
                for name in ("target", *ORDER_PRICES)
            ),
        )
    )
    targets = targets.with_columns(pl.col("target", *ORDER_PRICES).cast(pl.Float64).fill_null(math.nan))
    same = targets.select(KEY).equals(bars.select(KEY))
    known = targets.height if same else targets.join(bars.select(KEY), on=KEY, how="semi").height
    counts = targets.select(
        pl.lit(targets.height - known).alias("fall on no bar"),
        is_repeated().sum().alias("are duplicates"),
        pl.col("target").is_infinite().sum().alias("are infinite"),
        pl.any_horizontal(pl.col(BRACKETS).is_infinite() | (pl.col(BRACKETS) <= 0)).sum().alias("have brackets <= 0"),
        (pl.col("limit").is_infinite() | (pl.col("limit") <= 0)).sum().alias("have a limit <= 0"),
        is_crossed("stop", "take_profit").sum().alias("have a stop that is not behind the take-profit"),
        (is_crossed("stop", "limit") | is_crossed("limit", "take_profit"))
        .sum()
        .alias("have a limit that is not between stop and take-profit"),
    )
    faults = [f"{count} {fault}" for fault, count in counts.row(0, named=True).items() if count]
    if targets.height and faults:
        raise SchemaError(f"`targets` cannot be traded: {'; '.join(faults)}. One row a bar of `bars` at most.")
    if not same:
        targets = bars.select(KEY).join(targets, on=KEY, how="left", maintain_order="left")
    return targets.select(pl.col("target", *ORDER_PRICES).fill_null(math.nan))


def is_crossed(near: str, far: str) -> pl.Expr:
    """Whether a long's one price is not below its other, or a short's not above; they are stop, limit, take-profit."""
    side, one, other = pl.col("target").sign(), pl.col(near), pl.col(far)
    given = side.is_not_nan() & (side != 0) & one.is_not_nan() & other.is_not_nan()
    return given & (side * one >= side * other)


def build_tape(bars: pl.DataFrame, targets: pl.DataFrame, interval: int, rates: tuple[Floats, Floats] | None) -> Tape:
    """Lay out checked bars, their targets and their funding rates as arrays."""
    time = bars["open_time"].to_physical().to_numpy()
    new_symbol = np.diff(bars["symbol"].rle_id().to_numpy()) != 0
    first = np.concatenate(([0], np.flatnonzero(new_symbol) + 1, [bars.height]))
    fillable = is_fillable(bars)
    prices = {name: bars[name].cast(pl.Float64).to_numpy() for name in (*PRICES, "volume")}
    before, at_close = (np.zeros(bars.height), np.zeros(bars.height)) if rates is None else rates
    has_funding = (before != 0) | (at_close != 0)
    floor, ceiling = block_extremes(prices["low"], prices["high"], has_funding)
    arrays = {
        "first": first,
        "time": time,
        **prices,
        "decisions": decisions_of(frozen(targets["target"].to_numpy())),
        "mark": last_traded(prices["close"], fillable, first),
        "fillable": fillable,
        "follows": np.concatenate(([False], (np.diff(time) == interval) & ~new_symbol)),
        **{name: targets[name].to_numpy() for name in ("target", *ORDER_PRICES)},
        "funding_before": before,
        "funding_at_close": at_close,
        "has_funding": has_funding,
        "floor": floor,
        "ceiling": ceiling,
    }
    given = targets.select(pl.col(ORDER_PRICES).is_not_nan().any()).row(0, named=True)
    return Tape(
        **{name: frozen(array) for name, array in arrays.items()},
        interval=interval,
        has_brackets=given["stop"] or given["take_profit"],
        has_limits=given["limit"],
    )


def decisions_of(target: Floats) -> npt.NDArray[np.int64]:
    """Rows whose target is another than that of the row before."""
    rows = np.empty(len(target), dtype=np.int64)
    return rows[: list_decisions(target, rows)]


def block_extremes(low: Floats, high: Floats, has_funding: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Lowest low and highest high of each block of rows; infinite where one of them has funding."""
    starts = np.arange(0, len(low), BLOCK)
    floor, ceiling = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
    funded = np.flatnonzero(has_funding) // BLOCK
    floor[funded], ceiling[funded] = -np.inf, np.inf
    return floor, ceiling


def is_fillable(bars: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Whether anything can trade in a bar: it has volume, and it is not made up."""
    traded = pl.col("volume") > 0
    if "gap_filled" in bars.columns:
        traded &= ~pl.col("gap_filled")
    return bars.select(traded.fill_null(value=False)).to_series().to_numpy()


def last_traded(close: Floats, fillable: npt.NDArray[np.bool_], first: npt.NDArray[np.int64]) -> Floats:
    """Close of the last bar that traded; that of a symbol's first bar before there is any."""
    if fillable.all():
        return close
    source = np.where(fillable, np.arange(len(close)), -1)
    source[first[:-1]] = first[:-1]
    return close[np.maximum.accumulate(source)]


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a contiguous, read-only view: polars gives now one, now the other, and numba compiles anew for each."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
