"""Bars of all symbols laid end to end, cut into stretches without a hole."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import BarsError
from nightfold.interval import milliseconds
from nightfold.schema import KEY, PRICES, TIME

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Panel:
    """Columns of sorted bars as arrays; row numbers count through all symbols."""

    key: pl.DataFrame
    """`symbol` and `open_time`, sorted."""
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

    @property
    def size(self) -> int:
        """Number of bars."""
        return self.close.size

    def close_time(self, rows: Rows) -> pl.Series:
        """Time at which the bars in ``rows`` close; null for a negative row."""
        closes = self.key["open_time"].to_physical().gather(np.maximum(rows, 0)) + self.step
        return closes.cast(TIME).set(pl.Series(rows < 0), None)


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
        With every fault: absent columns; prices that are null, not finite or not above 0; repeated bars;
        bars closer together than ``interval``.
    """
    require_columns(bars, (*KEY, *PRICES))
    bars = bars.select(*KEY, *PRICES).with_columns(pl.col("open_time").cast(TIME)).sort(KEY)
    steps = _steps(bars)
    step = milliseconds(interval) if interval else _shortest(steps)
    _refuse_faults(bars, steps[steps >= 0], step)

    starts = np.flatnonzero(steps != step)
    ends = np.append(starts, bars.height)[1:]
    lengths = ends - starts
    return Panel(
        key=bars.select(KEY),
        **{name: bars[name].cast(pl.Float64).to_numpy() for name in PRICES},
        first=np.repeat(starts, lengths),
        last=np.repeat(ends - 1, lengths),
        step=step,
    )


def require_columns(bars: pl.DataFrame, names: Iterable[str]) -> None:
    """Raise a `BarsError` that names all absent columns, if any."""
    if absent := [name for name in names if name not in bars.columns]:
        raise BarsError(f"`bars` lacks the columns {', '.join(absent)}; it has {', '.join(bars.columns)}.")


def bar_step(rows: pl.DataFrame, interval: str | None = None) -> int:
    """Milliseconds from a bar to the next: ``interval``, or the shortest step found in rows sorted by time."""
    return milliseconds(interval) if interval else _shortest(_steps(rows))


def _shortest(steps: Rows) -> int:
    return int(steps[steps >= 0].min()) if (steps >= 0).any() else 0


def _steps(bars: pl.DataFrame) -> Rows:
    """Milliseconds since the symbol's bar before; -1 at each symbol's first bar."""
    since = pl.col("open_time").diff().dt.total_milliseconds()
    return (
        bars.select(pl.when(pl.col("symbol") == pl.col("symbol").shift()).then(since).otherwise(-1))
        .to_series()
        .to_numpy()
    )


def _refuse_faults(bars: pl.DataFrame, steps: Rows, step: int) -> None:
    faults = [
        f"{name}: {count} values are null, not finite or not above 0"
        for name in PRICES
        if (count := bars.select((~(pl.col(name).is_finite() & (pl.col(name) > 0))).fill_null(True).sum()).item())
    ]
    if repeats := int((steps == 0).sum()):
        faults.append(f"open_time: {repeats} bars are repeated; keep one of each")
    elif close := int((steps < step).sum()):
        faults.append(f"open_time: {close} bars follow after less than `interval`, {step / 60_000:g} minutes")
    if faults:
        raise BarsError(f"`bars` cannot be labelled: {'; '.join(faults)}.")
