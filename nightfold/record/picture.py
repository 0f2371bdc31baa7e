"""A picture of fits: how the score of training and of stopping rows went, a chart a horizon."""

from collections.abc import Iterator, Mapping

import polars as pl

from nightfold.labels.drawing import BLUE, GREEN, RED, cell, picture
from nightfold.tearsheet import number
from nightfold.tearsheet.axis import linear_axis

_SIZE = (520.0, 200.0)
_CAPTION = "green: rows that decide when to stop · blue: training rows · red ring: rounds in force"


def curve_picture(
    curves: pl.DataFrame, rounds: Mapping[int, int | None], metric: str, title: str, *, is_simulated: bool
) -> str:
    """Draw the curves of each horizon.

    Parameters
    ----------
    curves
        A `nightfold.record.table.CURVES` table of at least one row.
    rounds
        Rounds in force by horizon; 0, or none, has no ring.
    metric
        Proper score of the task.
    title
        The heading.
    is_simulated
        Write *simulated market* on it.

    Returns
    -------
    str
        An SVG file.
    """
    horizons = curves["horizon"].unique().sort().to_list()
    drawn = [
        layer
        for row, horizon in enumerate(horizons)
        for layer in _chart(curves.filter(horizon=horizon), rounds[horizon], f"{metric}, {horizon} bars ahead", row)
    ]
    size = (_SIZE[0], len(horizons) * _SIZE[1])
    return picture(size, title, _CAPTION, drawn, is_simulated=is_simulated)


def _chart(curves: pl.DataFrame, kept: int | None, title: str, row: int) -> Iterator[str]:
    across = linear_axis(0, curves["round"].max(), number.tick_count)  # type: ignore[arg-type]  # it has rows
    low, high = curves["score"].min(), curves["score"].max()
    chart = cell(row, 0, _SIZE, (across, linear_axis(low, high, number.tick_ratio, 4)))  # type: ignore[arg-type]
    yield chart.frame(title.replace("_", " "))
    for part, color in {"train": BLUE, "stopping": GREEN}.items():
        points = curves.filter(part=part).select("round", "score").rows()
        if points:
            yield chart.line(points, color)
            yield chart.dots(points[-1:], color, 4)
    ring = curves.filter((pl.col("part") == "stopping") & (pl.col("round") == (kept or 0)))
    yield from (chart.ring(point, RED) for point in ring.select("round", "score").iter_rows())
