"""Funding of perpetual futures: which rates fall into which bar."""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.errors import ConfigError, SchemaError
from nightfold.schema import TIME

PERIOD_MS = 8 * 3_600_000
SECOND_MS = 1_000

FUNDING_COLUMNS = ("symbol", "funding_time", "funding_rate")

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def constant_funding(symbol: str, start: int, end: int, rate: float) -> pl.DataFrame:
    """Funding at 00:00, 08:00 and 16:00 UTC at one rate, for ``start < time <= end`` in milliseconds."""
    stamps = np.arange(start // PERIOD_MS + 1, end // PERIOD_MS + 1) * PERIOD_MS
    return pl.DataFrame(
        {"symbol": symbol, "funding_time": pl.Series(stamps, dtype=pl.Int64).cast(TIME), "funding_rate": rate},
        schema=dict(zip(FUNDING_COLUMNS, (pl.String, TIME, pl.Float64), strict=True)),
    )


def funding_of(symbol: str, times: Integers, interval: int, costs: Costs, funding: pl.DataFrame | None) -> pl.DataFrame:
    """Funding of one symbol over all its bars: the recorded stamps, or the constant rate where it has none.

    Raises
    ------
    ConfigError
        If it has neither.
    SchemaError
        If the recorded stamps hold a null or NaN, or two of one second, or leave more than eight hours of its bars
        without one.
    """
    start, end = int(times[0]), int(times[-1]) + interval
    own = None if funding is None else funding.filter(pl.col("symbol") == symbol)
    if own is None or own.is_empty():
        if costs.funding_rate is None:
            raise ConfigError(
                f"the perpetual `{symbol}` has no funding data and `costs.funding_rate` is not set; "
                "pass its funding, or set the rate to assume (0 for none at all)."
            )
        return constant_funding(symbol, start, end, costs.funding_rate)
    check_stamps(symbol, own, start, end)
    return own


def check_stamps(symbol: str, own: pl.DataFrame, start: int, end: int) -> None:
    """Refuse recorded funding that would charge one stamp twice, or leave one of a symbol's bars out.

    Raises
    ------
    SchemaError
        As `funding_of`.
    """
    if not own["funding_rate"].is_finite().fill_null(False).all() or own["funding_time"].null_count():
        raise SchemaError(f"`funding` of {symbol} has nulls or NaN; every stamp needs a time and a rate.")
    stamps = np.sort(rounded(own["funding_time"]))
    again = stamps[1:][np.diff(stamps) == 0]
    if len(again):
        raise SchemaError(
            f"`funding` of {symbol} has {len(again)} stamps of a second that has one already, the first at "
            f"{_moment(again[0])}; a position would pay at each of them: keep one a second."
        )
    edges = np.concatenate(([start], stamps[(stamps > start) & (stamps <= end)], [end]))
    steps = np.diff(edges)
    if steps.max() > PERIOD_MS:
        hole = int(steps.argmax())
        raise SchemaError(
            f"`funding` of {symbol} has no stamp for {timedelta(milliseconds=int(steps[hole]))} from "
            f"{_moment(edges[hole])}; it must have one at least every 8 hours: fetch what is missing, or cut the bars."
        )


def _moment(stamp: np.int64) -> datetime:
    return datetime.fromtimestamp(stamp / SECOND_MS, UTC)


def rounded(times: pl.Series) -> Integers:
    """Stamps in milliseconds, rounded to the second: exchanges write them a few milliseconds late."""
    return (times.cast(TIME).to_physical().to_numpy() + SECOND_MS // 2) // SECOND_MS * SECOND_MS


def funding_by_bar(
    bars: pl.DataFrame, interval: int, costs: Costs, funding: pl.DataFrame | None
) -> tuple[Floats, Floats]:
    """Funding rates of all symbols, one element a row of the sorted bars, as `align_funding` adds them up.

    Raises
    ------
    ConfigError, SchemaError
        As `funding_of`.
    """
    absent = [] if funding is None else [name for name in FUNDING_COLUMNS if name not in funding.columns]
    if absent:
        raise SchemaError(f"`funding` lacks the columns {', '.join(absent)}; it needs {', '.join(FUNDING_COLUMNS)}.")
    parts = []
    for (symbol,), own_bars in bars.partition_by("symbol", as_dict=True, maintain_order=True).items():
        times = own_bars["open_time"].to_physical().to_numpy()
        parts.append(align_funding(times, interval, funding_of(symbol, times, interval, costs, funding)))
    return np.concatenate([before for before, _ in parts]), np.concatenate([at_close for _, at_close in parts])


def align_funding(times: Integers, interval: int, funding: pl.DataFrame) -> tuple[Floats, Floats]:
    """Add up rates by bar: those in the hole before it, and those up to and including its close.

    Parameters
    ----------
    times
        Open times of one symbol's bars in milliseconds, ascending.
    interval
        Length of a bar in milliseconds.
    funding
        ``funding_time`` and ``funding_rate`` of the symbol; stamps outside the bars are ignored.
    """
    before, at_close = np.zeros(len(times)), np.zeros(len(times))
    stamps = rounded(funding["funding_time"])
    rates = funding["funding_rate"].to_numpy()
    row = np.searchsorted(times, stamps, side="left") - 1
    known = row >= 0
    row, stamps, rates = row[known], stamps[known], rates[known]
    inside = stamps <= times[row] + interval
    np.add.at(at_close, row[inside], rates[inside])
    missed = ~inside & (row + 1 < len(times))
    np.add.at(before, row[missed] + 1, rates[missed])
    return before, at_close
