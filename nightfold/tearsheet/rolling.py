"""The Sharpe ratio of the days just past, day by day."""

from collections.abc import Mapping
from math import sqrt

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.axis import day_number, linear_axis, time_axis
from nightfold.tearsheet.charts import legend, words_series
from nightfold.tearsheet.measures import DAYS_PER_YEAR
from nightfold.tearsheet.plot import Plot, level, line

ROLLING_DAYS = 60

_MOST_DAYS = 600


def rolling_sharpe(daily: pl.DataFrame, days: int = ROLLING_DAYS) -> pl.DataFrame:
    """Sharpe ratio a year of the days up to each: ``day``, ``sharpe_ratio``, from the first with enough behind it.

    Null where returns do not vary over these days.
    """
    returns = pl.col("daily_return")
    varies = returns.rolling_max(days) > returns.rolling_min(days)
    ratio = returns.rolling_mean(days) / returns.rolling_std(days) * sqrt(DAYS_PER_YEAR)
    return daily.select("day", sharpe_ratio=pl.when(varies).then(ratio)).slice(days - 1)


def rolling_chart(rolled: Mapping[str, pl.DataFrame]) -> Plot:
    """Draw rolling Sharpe ratios by name, the first on top; a line breaks where nothing varied. At least one day."""
    first = next(iter(rolled.values()))
    every = -(-first.height // _MOST_DAYS)
    days = first.gather_every(every).select("day")
    series = []
    for place, (name, frame) in enumerate(rolled.items()):
        values = days.join(frame, on="day", how="left", maintain_order="left")["sharpe_ratio"].to_list()
        points = [(day_number(day) + 1, value) for day, value in zip(days["day"], values, strict=True)]
        series.append(words_series(name, f"s{1 + place % 6}", points, number.ratio))
    known = [value for one in series for _, value in one.points if value is not None]
    times = [x for x, _ in series[0].points]
    x, y = (
        time_axis(times[0], times[-1]),
        linear_axis(min(0.0, *known, 0.0), max(0.0, *known, 0.0), number.tick_ratio, 4),
    )
    return Plot(
        name="rolling-sharpe",
        title=f"Sharpe ratio of the last {ROLLING_DAYS} days, a year",
        description=f"It ends at {series[0].words[-1]} for {series[0].name}; unknown where nothing varied.",
        x=x,
        y=y,
        layers=[level(x, y, 0.0, "base"), *(line(x, y, one.points, one.style) for one in reversed(series))],
        legend=legend(series),
        hover=series,
        moments=[f"to {number.day(day)}" for day in days["day"]],
        place="wide",
    )
