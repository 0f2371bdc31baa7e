"""A picture of labels: some labelled windows with their barriers on the price."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from nightfold.interval import Interval, duration
from nightfold.labels.drawing import AMBER, BLUE, FAINT, GREEN, RED, cell, picture
from nightfold.labels.table import LabelSet
from nightfold.tearsheet import number
from nightfold.tearsheet.axis import Axis, linear_axis

_TOUCHES = {"upper": GREEN, "lower": RED, "vertical": AMBER}
_EXAMPLES = 2
_LEAD = 5
_SIZE = (260.0, 180.0)
"""Two side by side fit into the column that the UI leaves for a picture."""
_CAPTION = "dashed: barriers · blue: bars to the decision · large dot: exit"


def label_picture(
    bars: pl.DataFrame,
    labels: pl.DataFrame,
    label_set: LabelSet,
    horizon: int,
    interval: Interval,
    title: str,
    *,
    is_simulated: bool,
) -> str:
    """Draw two labelled windows of each touch: the bars, the barriers, and where the label was decided.

    Parameters
    ----------
    bars
        Of one symbol, for the windows drawn.
    labels
        Rows of its label table; the windows begin at a third and at two thirds of those with a touch.
    label_set, horizon, interval
        The set they were made with; whose labels are drawn; length of a bar.
    title
        The heading.
    is_simulated
        Write *simulated market* on it.

    Returns
    -------
    str
        An SVG file; without windows where no label is known.
    """
    rows = _rows(labels, label_set, horizon)
    drawn: list[str] = []
    for row, touch in enumerate(_TOUCHES):
        of_touch = rows.filter(pl.col("touch") == touch)
        for column in range(min(_EXAMPLES, of_touch.height)):
            example = of_touch.row((column + 1) * of_touch.height // (_EXAMPLES + 1), named=True)
            drawn += _window(bars, example, label_set, interval, (row, column))
    size = (_EXAMPLES * _SIZE[0], len(_TOUCHES) * _SIZE[1])
    return picture(size, title, _CAPTION, drawn, is_simulated=is_simulated)


def _rows(labels: pl.DataFrame, label_set: LabelSet, horizon: int) -> pl.DataFrame:
    """Take what a window shows: where its barriers stand, in volatilities and bars, and how it ended."""
    barrier = label_set.barrier(horizon)
    stored = ["touch", "label_end", "log_return"]
    if label_set.is_searched:
        stored += ["upper", "lower", "holding"]
    return labels.select(
        "open_time",
        "volatility",
        pl.lit(barrier.upper * barrier.width).alias("upper"),
        pl.lit(barrier.lower * barrier.width).alias("lower"),
        pl.lit(barrier.horizon).alias("holding"),
    ).with_columns(labels[f"{name}_{horizon}"].alias(name) for name in stored)


def _window(
    bars: pl.DataFrame, label: Mapping[str, Any], label_set: LabelSet, interval: Interval, at: tuple[int, int]
) -> Iterator[str]:
    step, begins, deadline = duration(interval), label["open_time"], label["holding"]
    entered, price = (begins, "close") if label_set.entry == "close" else (begins + step, "open")
    entry = bars.filter(pl.col("open_time") == entered)[price].item()
    path = bars.filter(pl.col("open_time").is_between(begins - _LEAD * step, begins + deadline * step)).select(
        ((pl.col("open_time") - begins) / step).alias("bar"), (pl.col("low", "high") / entry).log()
    )
    top, bottom = label["upper"] * label["volatility"], -label["lower"] * label["volatility"]
    decided = (label["label_end"] - begins) / step - 1

    y = linear_axis(min(bottom, *path["low"]), max(top, *path["high"]), number.tick_percent, 4)
    x = Axis(-_LEAD - 0.5, deadline + 0.5, [(0, "0"), (deadline, f"{deadline} bars")])
    chart = cell(*at, _SIZE, (x, y))
    seen, color = pl.col("bar") <= decided, _TOUCHES[label["touch"]]
    yield chart.frame(f"{label['touch']} · {begins:%Y-%m-%d %H:%M}")
    yield chart.line([(0, top), (deadline, top), (deadline, bottom), (0, bottom), (0, top)], color, dash="4 3")
    yield chart.sticks(path.filter(seen).iter_rows(), BLUE, 2.5)
    yield chart.sticks(path.filter(~seen).iter_rows(), FAINT, 2.5)
    yield chart.dots([(0, 0)], BLUE, 7)
    yield chart.dots([(decided, label["log_return"])], color, 9)
