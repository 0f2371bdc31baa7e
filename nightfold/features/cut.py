"""Where an audit cuts the future off: rows spread over day and week, and beside them the rare ones."""

from datetime import datetime

import numpy as np
import polars as pl

CONFIDENCE = 0.95
"""How surely a peek that shows in `visible_share` of the rows is found."""

_RARE = 4
"""One cut in so many is at a rare row, or at the row before one."""

_USUAL = 100
"""Bars that say what is usual."""


def visible_share(cuts: int) -> float:
    """Share of rows in which a peek of one bar must show to be met by some of the cuts with `CONFIDENCE`.

    Each row is as likely as any other to be a cut, so cuts miss a share s with (1 - s)^cuts or less often.

    Examples
    --------
    >>> round(visible_share(4), 3), round(visible_share(300), 4)
    (0.527, 0.0099)
    """
    return float(1 - (1 - CONFIDENCE) ** (1 / cuts)) if cuts else 1.0


def some_times(times: pl.Series, count: int, random: np.random.Generator) -> list[datetime]:
    """Draw some of the times, in their order; all where there are no more."""
    rows = random.choice(times.len(), size=min(count, times.len()), replace=False)
    return [times[int(row)] for row in np.sort(rows)]


def tried_times(bars: pl.DataFrame, lookback: int) -> pl.Series:
    """List the times with a future behind them and, where there are enough bars, a lookback before them; ascending."""
    times = bars["open_time"].unique().sort()[:-1]
    return times[min(lookback, times.len() // 2) :]


def spread_times(times: pl.Series, count: int, random: np.random.Generator) -> list[datetime]:
    """Draw one time from each of ``count`` equal parts, in the order of time of day and then of weekday.

    So a peek at one bar a day is met for certain once the parts are twice as many as the bars of a day.
    """
    ordered = times.to_frame("time").sort(pl.col("time").dt.time(), pl.col("time").dt.weekday(), "time")["time"]
    count = min(count, ordered.len())
    rows = np.floor((np.arange(count) + random.random(count)) * ordered.len() / max(count, 1)).astype(np.int64)
    return ordered.gather(rows).sort().to_list()


def rare_times(bars: pl.DataFrame, times: pl.Series, count: int, random: np.random.Generator) -> list[datetime]:
    """Choose rows of unlike volume or move, and the rows before them: as many of each kind, the rarest first.

    Volume is low, also against what is usual, or high against it; moves are large, also against what is usual.
    """
    move, volume = (pl.col("close") / pl.col("close").shift(1)).log().abs(), pl.col("volume")
    kinds = (volume, volume / _usual(volume), -volume / _usual(volume), -move, -move / _usual(move))
    ranks = bars.select(
        pl.col("open_time"),
        pl.col("open_time").shift(1).over("symbol").alias("before"),
        pl.Series("tie", random.permutation(bars.height)),
        *(kind.over("symbol").fill_nan(0).alias(str(number)) for number, kind in enumerate(kinds)),
    )
    ranks = ranks.filter(pl.col("open_time").is_in(times.implode()), pl.col("before").is_in(times.implode()))
    each = count // (2 * len(kinds))
    rare = pl.concat(ranks.sort(str(number), "tie", nulls_last=True).head(each) for number in range(len(kinds)))
    return pl.concat([rare["open_time"], rare["before"]]).unique().sort().to_list()


def many_times(
    bars: pl.DataFrame, times: pl.Series, count: int, random: np.random.Generator
) -> tuple[list[datetime], int]:
    """Choose cuts for features that are cheap to compute: spread, and a part of them rare; and how many are spread."""
    spread = spread_times(times, count - count // _RARE, random)
    return sorted({*spread, *rare_times(bars, times, count // _RARE, random)}), len(spread)


def _usual(values: pl.Expr) -> pl.Expr:
    return values.rolling_mean(_USUAL, min_samples=1)
