"""What held from as-of to as-of, as lines over time."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.axis import Label, day_number, linear_axis, time_axis
from nightfold.tearsheet.charts import legend, words_series
from nightfold.tearsheet.plot import Plot, Point, line


def timeline(
    name: str,
    title: str,
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    *,
    words: Callable[[float | None], str],
    tick: Label,
    holds: bool = False,
) -> Plot:
    """Draw columns of a frame by as-of, as means over the universe keys that have a value; at least one value.

    Parameters
    ----------
    frame
        ``as_of`` and the columns, with ``universe`` where there may be several keys; a null breaks the line.
    columns
        What each is called.
    words, tick
        How values and ticks are written.
    holds
        Whether a value stays until the next as-of, so that it is drawn as a step; the last one for as long as the one
        before it.
    """
    keys = frame["universe"].n_unique() if "universe" in frame.columns else 1
    means = frame.group_by("as_of").agg(pl.col(list(columns)).mean()).sort("as_of")
    times = [day_number(moment) for moment in means["as_of"]]
    series = [
        words_series(called, f"s{1 + place % 6}", list(zip(times, means[column].to_list(), strict=True)), words)
        for place, (column, called) in enumerate(columns.items())
    ]
    known = [value for one in series for _, value in one.points if value is not None]
    ends = [*times[1:], times[-1] + (times[-1] - times[-2] if len(times) > 1 else 1.0)]
    x, y = time_axis(times[0], ends[-1] if holds else times[-1], 5), linear_axis(min(0.0, *known), max(known), tick, 4)
    return Plot(
        name=name,
        title=title if keys == 1 else f"{title}, mean of {keys} universes",
        description=f"From {number.day(means['as_of'][0])} to {number.day(means['as_of'][-1])}; no line where unknown.",
        x=x,
        y=y,
        layers=[line(x, y, _steps(one.points, ends) if holds else one.points, one.style) for one in reversed(series)],
        legend=legend(series),
        hover=series,
        moments=[f"as of {number.day(moment)}" for moment in means["as_of"]],
    )


def _steps(points: Sequence[Point], ends: Sequence[float]) -> list[Point]:
    """Let each value stay until its end."""
    return [
        corner for (start, value), end in zip(points, ends, strict=True) for corner in ((start, value), (end, value))
    ]
