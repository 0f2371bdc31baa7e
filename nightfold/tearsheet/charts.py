"""Charts of money over time: equity, drawdown, exposure and windows, each from a table to a picture."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.axis import day_number, ending_day, linear_axis, log_axis, time_axis
from nightfold.tearsheet.measures import Values
from nightfold.tearsheet.plot import Box, Plot, Point, Series, area, bars, level, line

Curves = Mapping[str, Values]

_MOST_POINTS = 600
_MOST_STRETCHES = 200


def growth_curves(daily: Mapping[str, pl.DataFrame]) -> tuple[list[float], dict[str, Values]]:
    """Worth of 1 put in at the start: the ends of days since 1970, the start first, and one curve a name.

    Parameters
    ----------
    daily
        Name to ``day`` and ``daily_return``. The first has the days; a day that another lacks returns 0 there.
    """
    days = next(iter(daily.values())).select("day")
    ends = [day_number(day + timedelta(days=1)) for day in days["day"]]
    curves: dict[str, Values] = {}
    for name, frame in daily.items():
        returns = days.join(frame, on="day", how="left", maintain_order="left")["daily_return"].fill_null(0.0)
        curves[name] = np.cumprod(np.concatenate(([1.0], 1.0 + returns.to_numpy())), dtype=np.float64)
    return [ends[0] - 1.0, *ends], curves


def equity_chart(times: Sequence[float], curves: Curves, *, log: bool = False, place: str = "wide") -> Plot:
    """Worth of 1 over time; the first curve is drawn on top. ``log`` asks for equal heights of equal ratios."""
    values = np.concatenate(list(curves.values()))
    scale = log_axis if log else linear_axis
    x, y = time_axis(times[0], times[-1]), scale(float(values.min()), float(values.max()), number.tick_ratio)
    series, moments = _lines(times, curves, number.ratio)
    ends = ", ".join(f"{one.name} ends at {one.words[-1]}" for one in series)
    return Plot(
        name="equity-log" if log else "equity",
        title="Worth of 1 put in at the start",
        description=f"{ends}{' (logarithmic scale)' if log else ''}.",
        x=x,
        y=y,
        layers=[level(x, y, 1.0, "base"), *(line(x, y, one.points, one.style) for one in reversed(series))],
        legend=legend(series),
        hover=series,
        moments=moments,
        size="tall",
        place=place,
    )


def drawdown_chart(times: Sequence[float], curves: Curves, stepped: pl.Series | None = None) -> Plot:
    """Distance of each curve from its highest point so far; the first is filled.

    Parameters
    ----------
    times, curves
        As from `growth_curves`.
    stepped
        Moments at which a rule of risk stepped in; each of their days is marked at the foot.
    """
    falls = {name: curve / np.maximum.accumulate(curve) - 1.0 for name, curve in curves.items()}
    series, moments = _lines(times, falls, number.percent)
    x = time_axis(times[0], times[-1])
    y = linear_axis(min(-0.01, *(float(fall.min()) for fall in falls.values())), 0.0, number.tick_percent, 4)
    first, rest = series[0], series[1:]
    marked = [] if stepped is None else sorted({math.floor(day_number(when)) + 0.5 for when in stepped})
    feet = [(day - 0.5, day + 0.5, y.low * 0.95) for day in marked if x.low <= day <= x.high]
    return Plot(
        name="drawdown",
        title="Drawdown from the peak",
        description=f"The deepest drawdown of {first.name} is {number.percent(float(falls[first.name].min()))}.",
        x=x,
        y=y,
        layers=[
            area(x, y, first.points, first.style),
            *(line(x, y, one.points, one.style) for one in reversed(series)),
            *([bars(x, y, feet, "warn", base=y.low)] if feet else []),
        ],
        legend=[*legend([first, *rest]), *([("a rule of risk stepped in", "warn")] if feet else [])],
        hover=series,
        moments=moments,
        place="wide",
    )


def exposure_chart(equity: pl.DataFrame) -> Plot:
    """Gross and net position as fractions of equity, averaged over stretches of bars; at least one row.

    Parameters
    ----------
    equity
        ``close_time``, ``equity`` (positive), ``gross_exposure``, ``net_exposure``.
    """
    means = _stretch_means(equity)
    gross, net = means["gross"].to_list(), means["net"].to_list()
    times = [day_number(when) for when in means["close_time"]]
    x, y = time_axis(times[0], times[-1]), linear_axis(min(0.0, *net), max(0.1, *gross), number.tick_percent, 4)
    named = {"Gross": gross, "Net": net} if gross != net else {"Long": gross}
    series = [
        words_series(name, f"s{1 + place}", list(zip(times, values, strict=True)), number.percent)
        for place, (name, values) in enumerate(named.items())
    ]
    return Plot(
        name="exposure",
        title="Exposure as a share of equity",
        description=f"Gross exposure is {number.percent(sum(gross) / len(gross))} on average.",
        x=x,
        y=y,
        layers=[area(x, y, series[0].points, "s1"), *(line(x, y, one.points, one.style) for one in series)],
        legend=legend(series),
        hover=series,
        moments=[number.moment(when) for when in means["close_time"]],
    )


def fold_chart(folds: pl.DataFrame) -> Plot:
    """Return of each as-of window: ``as_of``, ``days``, ``fold_return``; at least one row."""
    boxes = [_window(day_number(as_of), days, value) for as_of, days, value in folds.iter_rows()]
    values = folds["fold_return"].to_list()
    x = time_axis(boxes[0][0], boxes[-1][1])
    y = linear_axis(min(0.0, *values), max(0.0, *values), number.tick_percent, 4)
    middles: list[Point] = [((left + right) / 2, value) for left, right, value in boxes]
    return Plot(
        name="windows",
        title="Return of each as-of window",
        description=f"{sum(value > 0 for value in values)} of {len(values)} windows gained.",
        x=x,
        y=y,
        layers=[
            bars(x, y, [box for box in boxes if box[2] <= 0], "down"),
            bars(x, y, [box for box in boxes if box[2] > 0], "up"),
            level(x, y, 0.0, "base"),
        ],
        hover=[words_series("Return", "s1", middles, lambda value: number.percent(value, 2, signed=True))],
        moments=[f"from {number.day(as_of)}" for as_of in folds["as_of"]],
        place="wide",
    )


def words_series(name: str, style: str, points: Sequence[Point], words: Callable[[float | None], str]) -> Series:
    """Name a line and say its values in words."""
    return Series(name, style, points, [words(value) for _, value in points])


def legend(series: Sequence[Series]) -> list[tuple[str, str]]:
    """Names and colours; nothing to tell apart, nothing to show."""
    return [(one.name, one.style) for one in series] if len(series) > 1 else []


def _lines(
    times: Sequence[float], curves: Curves, words: Callable[[float | None], str]
) -> tuple[list[Series], list[str]]:
    rows = _telling_rows(list(curves.values()))
    series = [
        words_series(name, f"s{1 + i % 6}", [(times[row], float(curve[row])) for row in rows], words)
        for i, (name, curve) in enumerate(curves.items())
    ]
    return series, ["start", *(number.day(ending_day(times[row])) for row in rows[1:])]


def _telling_rows(curves: Sequence[Values]) -> list[int]:
    """Evenly spread rows, with the ends and the highest and lowest point of each curve."""
    size = len(curves[0])
    even = np.linspace(0, size - 1, min(size, _MOST_POINTS)).round().astype(int)
    peaks = [index for curve in curves for index in (int(curve.argmin()), int(curve.argmax()))]
    return sorted({*even.tolist(), *peaks})


def _stretch_means(equity: pl.DataFrame) -> pl.DataFrame:
    every = math.ceil(equity.height / _MOST_STRETCHES)
    return (
        equity.select(
            "close_time",
            gross=pl.col("gross_exposure") / pl.col("equity"),
            net=pl.col("net_exposure") / pl.col("equity"),
            stretch=pl.int_range(pl.len()) // every,
        )
        .group_by("stretch", maintain_order=True)
        .agg(pl.col("close_time").last(), pl.col("gross", "net").mean())
    )


def _window(start: float, days: int, value: float) -> Box:
    gap = 0.1 * days
    return start + gap, start + days - gap, value
