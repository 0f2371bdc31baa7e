"""Bars of all symbols laid end to end, cut into stretches without a hole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import BarsError
from nightfold.interval import milliseconds
from nightfold.schema import KEY, PRICES, TIME

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
Sides = NDArray[np.int8]

LEAST_PRICE, MOST_PRICE = 1e-100, 1e100
"""Between these, no quotient of two prices is 0 or infinite."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Columns of sorted bars as arrays; row numbers count through all symbols."""

    key: pl.DataFrame
    """`symbol` and `open_time`, sorted."""
    closed: Rows
    """Time at which each bar closes, in milliseconds."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    first: Rows
    """Row of the first bar in the same stretch."""
    last: Rows
    """Row of the last bar in the same stretch."""
    step: int
    """Milliseconds from a bar to the next."""
    moves: Floats
    """Log return of each bar over the one before; NaN at the start of a stretch."""

    @property
    def size(self) -> int:
        """Number of bars."""
        return self.close.size

    def close_time(self, rows: Rows) -> pl.Series:
        """Time at which the bars in ``rows`` close; null for a negative row."""
        if self.size == 0:
            return pl.Series(dtype=TIME)
        return nullable(self.closed.take(rows, mode="wrap"), rows >= 0).cast(TIME)


def nullable(values: Floats | Rows | Sides, known: Flags) -> pl.Series:
    """Make a column of values as they lie in memory, without a copy, and of bits that say which are known."""
    import pyarrow as pa

    buffers = [pa.py_buffer(np.packbits(known, bitorder="little")), pa.py_buffer(values)]
    return pl.Series(pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, buffers))


def read_panel(bars: pl.DataFrame, interval: str | None = None) -> Panel:
    """Sort bars, check them, and find their holes.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time`` and the four prices, in any order.
    interval
        Length of a bar such as ``5m``; none: the shortest step found in ``open_time``.

    Raises
    ------
    BarsError
        With every fault: absent columns; columns of the wrong type; symbols or times that are null, prices that are
        null, not finite or not above 0; a high under the low or the close, a low over the close; repeated bars; bars
        closer together than ``interval``. An open may lie beyond both: a label that is decided there exits at it.
    """
    require_columns(bars, (*KEY, *PRICES))
    _refuse(_wrong_types(bars))
    bars = bars.select("symbol", pl.col("open_time").cast(TIME), pl.col(PRICES).cast(pl.Float64))
    _refuse([f"{name}: {count} values are null" for name in KEY if (count := bars[name].null_count())])
    symbols, steps = _steps(bars)
    if not _is_sorted(symbols, steps):
        bars = bars.sort(KEY)
        _, steps = _steps(bars)
    step = milliseconds(interval) if interval else _shortest(steps)
    starts = np.flatnonzero(steps != step)
    prices = {name: bars[name].to_numpy() for name in PRICES}
    _refuse([*_impossible(prices), *_too_close(steps, step)])

    ends = np.append(starts, bars.height)[1:]
    lengths = ends - starts
    first, last = np.repeat(starts, lengths), np.repeat(ends - 1, lengths)
    moves = _log_returns(prices["close"], first)
    return Panel(bars.select(KEY), _times(bars) + step, **prices, first=first, last=last, step=step, moves=moves)


def require_columns(bars: pl.DataFrame, names: Iterable[str]) -> None:
    """Raise a `BarsError` that names all absent columns, if any."""
    if absent := [name for name in names if name not in bars.columns]:
        raise BarsError(f"`bars` lacks the columns {', '.join(absent)}; it has {', '.join(bars.columns)}.")


def bar_step(rows: pl.DataFrame, interval: str | None = None) -> int:
    """Milliseconds from a bar to the next: ``interval``, or the shortest step found in rows sorted by time."""
    return milliseconds(interval) if interval else _shortest(_steps(rows)[1])


def _shortest(steps: Rows) -> int:
    known = steps[steps >= 0]
    return int(known.min()) if known.size else 0


def _times(rows: pl.DataFrame) -> Rows:
    return rows["open_time"].to_physical().to_numpy()


def _steps(bars: pl.DataFrame) -> tuple[pl.Series, Rows]:
    """Symbols as they follow each other, and milliseconds since the symbol's bar before; -1 where there is none."""
    runs = bars["symbol"].rle().struct.unnest()
    times, steps = _times(bars), np.empty(bars.height, np.int64)
    np.subtract(times[1:], times[:-1], out=steps[1:])
    steps[(runs["len"].cum_sum() - runs["len"]).to_numpy()] = -1
    return runs["value"], steps


def _is_sorted(symbols: pl.Series, steps: Rows) -> bool:
    """Whether time runs backward only where a symbol begins, and the symbols ascend."""
    return np.count_nonzero(steps < 0) == len(symbols) and bool((symbols[1:] > symbols[:-1]).all())


def _log_returns(close: Floats, first: Rows) -> Floats:
    from nightfold.labels import kernel

    ratios = kernel.close_ratios(close, first)
    return np.log(ratios, out=ratios)


def _refuse(faults: list[str]) -> None:
    if faults:
        raise BarsError(f"`bars` cannot be labelled: {'; '.join(faults)}.")


def _wrong_types(bars: pl.DataFrame) -> list[str]:
    symbol, time = bars.schema["symbol"], bars.schema["open_time"]
    faults = [] if symbol in (pl.String, pl.Categorical, pl.Enum) else [f"symbol: {symbol} is no text"]
    if not isinstance(time, pl.Datetime):
        faults.append(f"open_time: {time} is no moment; cast it to {TIME}")
    wrong = [name for name in PRICES if not bars.schema[name].is_numeric()]
    return faults + [f"{name}: {bars.schema[name]} is no number; cast it to Float64" for name in wrong]


def _impossible(prices: Mapping[str, Floats]) -> list[str]:
    from nightfold.labels import kernel

    found = {name: kernel.count_outside(values, LEAST_PRICE, MOST_PRICE) for name, values in prices.items()}
    high, low, close = prices["high"], prices["low"], prices["close"]
    disorder = {
        "high: {} values are under the low or the close": np.count_nonzero((high < low) | (high < close)),
        "low: {} values are over the close": np.count_nonzero(low > close),
    }
    return [
        f"{name}: {count} values are null, not finite or not above 0 (from {LEAST_PRICE:g} to {MOST_PRICE:g})"
        for name, count in found.items()
        if count
    ] + [fault.format(count) for fault, count in disorder.items() if count]


def _too_close(steps: Rows, step: int) -> list[str]:
    close = np.count_nonzero((steps >= 0) & (steps < max(step, 1)))
    if repeats := close and np.count_nonzero(steps == 0):
        return [f"open_time: {repeats} bars are repeated; keep one of each"]
    if close:
        return [f"open_time: {close} bars follow after less than `interval`, {step / 60_000:g} minutes"]
    return []
