"""How whole and how well timed bars are: completeness by day, and clocks that differ between two sources."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import BarsError
from nightfold.interval import milliseconds

FloatArray = NDArray[np.float64]

_ENOUGH_RETURNS = 100
_CLIP = 5.0


def completeness(
    bars: pl.DataFrame, interval: str, start: datetime, end: datetime, symbols: Sequence[str] | None = None
) -> pl.DataFrame:
    """Count bars per symbol and UTC day.

    Parameters
    ----------
    bars
        Clean bars with the flags ``gap_filled`` and ``zero_volume``; rows outside the range are ignored.
    interval
        Length of a bar.
    start, end
        The range that should be there, ``start <= open_time < end``; a day that lies in it partly expects fewer bars.
    symbols
        Symbols that should be there; by default those of ``bars``.

    Returns
    -------
    DataFrame
        ``symbol``, ``day``, ``expected``, ``present`` (of which ``gap_filled`` and ``zero_volume``), ``missing``;
        one row for each symbol and day of the range, sorted.
    """
    names = sorted(set(bars["symbol"].unique() if symbols is None else symbols))
    grid = pl.datetime_range(start, end, f"{milliseconds(interval)}ms", closed="left", time_unit="ms", eager=True)
    expected = grid.dt.date().alias("day").value_counts(name="expected").sort("day")
    counts = (
        bars.filter(pl.col("open_time").is_between(start, end, closed="left"))
        .group_by("symbol", pl.col("open_time").dt.date().alias("day"))
        .agg(pl.len().alias("present"), pl.col("gap_filled").sum(), pl.col("zero_volume").sum())
    )
    return (
        pl.DataFrame({"symbol": names}, schema={"symbol": pl.String})
        .join(expected, how="cross")
        .join(counts, on=["symbol", "day"], how="left")
        .with_columns(pl.col("expected", "present", "gap_filled", "zero_volume").fill_null(0).cast(pl.Int64))
        .with_columns((pl.col("expected") - pl.col("present")).alias("missing"))
        .sort("symbol", "day")
    )


def time_shift(bars: pl.DataFrame, reference: pl.DataFrame, interval: str, max_bars: int) -> int:
    """Find by how many bars one source is stamped ahead of another.

    Parameters
    ----------
    bars, reference
        ``open_time``, ``close`` of one symbol each, at most one row a stamp; any order, holes allowed.
    interval
        Length of a bar in both.
    max_bars
        The largest shift looked for, either way; 1 or more.

    Returns
    -------
    int
        The lag at which one-bar returns agree best: 8 for a file stamped eight bars too late; subtract it to repair.

    Raises
    ------
    BarsError
        If no lag has 100 pairs of returns to compare.
    """
    agreement = agreement_by_lag(bars, reference, interval, max_bars)
    if np.isnan(agreement).all():
        raise BarsError(
            f"`bars` and `reference` share under {_ENOUGH_RETURNS} returns; their clocks cannot be compared: "
            "give a longer overlap."
        )
    return int(np.nanargmax(agreement)) - max_bars


def agreement_by_lag(bars: pl.DataFrame, reference: pl.DataFrame, interval: str, max_bars: int) -> FloatArray:
    """Compare one-bar returns of two sources at every lag; see `time_shift`.

    Returns
    -------
    ndarray
        Cosine of the two return series (clipped at five median moves) for the lags ``-max_bars ... max_bars``;
        NaN where under 100 pairs of returns meet.
    """
    sources = [_returns(frame, interval) for frame in (bars, reference)]
    if any(len(at) == 0 for at, _ in sources):
        return np.full(2 * max_bars + 1, np.nan)
    first = min(int(at[0]) for at, _ in sources)
    size = max(int(at[-1]) for at, _ in sources) - first + 1 + max_bars
    (ahead, ahead_known), (base, base_known) = (_on_grid(at - first, returns, size) for at, returns in sources)
    pairs = np.rint(_correlate(ahead_known, base_known, max_bars))
    scale = _correlate(ahead**2, base_known, max_bars) * _correlate(ahead_known, base**2, max_bars)
    enough = (pairs >= _ENOUGH_RETURNS) & (scale > 0)
    agreement = _correlate(ahead, base, max_bars) / np.sqrt(np.where(enough, scale, 1.0))
    return np.where(enough, agreement, np.nan)


def _returns(frame: pl.DataFrame, interval: str) -> tuple[NDArray[np.int64], FloatArray]:
    """Grid positions and log returns of bars whose predecessor is there, in units of the median move, clipped."""
    bars = frame.sort("open_time")
    at = bars["open_time"].dt.epoch("ms").to_numpy() // milliseconds(interval)
    returns = np.diff(np.log(bars["close"].to_numpy()))
    adjacent = np.diff(at) == 1
    at, returns = at[1:][adjacent], returns[adjacent]
    moves = np.abs(returns[returns != 0])
    return at, np.clip(returns / np.median(moves), -_CLIP, _CLIP) if len(moves) else returns


def _on_grid(at: NDArray[np.int64], values: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Values at their positions, 0 elsewhere, and a mask of where they are."""
    placed, known = np.zeros(size), np.zeros(size)
    placed[at], known[at] = values, 1.0
    return placed, known


def _correlate(ahead: FloatArray, base: FloatArray, max_bars: int) -> FloatArray:
    """Sum of ``ahead[t + lag] * base[t]`` for each lag from ``-max_bars``; the arrays end in that many zeros."""
    size = len(ahead)
    product = np.fft.irfft(np.fft.rfft(ahead) * np.conj(np.fft.rfft(base)), size)
    return np.concatenate([product[size - max_bars :], product[: max_bars + 1]])
