"""Charts of single results: how often returns of each size came, and what trades earned by the bars they took."""

import math
from collections.abc import Sequence

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.axis import linear_axis, round_step
from nightfold.tearsheet.plot import Plot, bars, dots, level, mark

_MOST_DOTS = 1500
_MOST_BINS = 50


def histogram(name: str, title: str, values: Sequence[float], noun: str) -> Plot:
    """How often returns of each size came; losses and gains never share a bar. At least one value."""
    edges, counts = _bins(values)
    x = linear_axis(edges[0], edges[-1], number.tick_percent, 6)
    y = linear_axis(0.0, max(counts), number.tick_count, 4)
    boxes = [(left, left + (edges[1] - edges[0]), float(n)) for left, n in zip(edges, counts, strict=False) if n]
    mean = sum(values) / len(values)
    middle = edges[1] / 2 - edges[0] / 2
    return Plot(
        name=name,
        title=title,
        description=f"{number.count(len(values))} {noun}, mean {number.percent(mean, 3)}, from "
        f"{number.percent(min(values), 2)} to {number.percent(max(values), 2)}.",
        x=x,
        y=y,
        layers=[
            bars(x, y, [box for box in boxes if box[0] + middle < 0], "down"),
            bars(x, y, [box for box in boxes if box[0] + middle > 0], "up"),
            mark(x, y, mean, "mean"),
        ],
        legend=[(f"mean {number.percent(mean, 3)}", "mean")],
        told={"edges": edges, "counts": counts, "mean": mean},
    )


def trade_scatter(trades: pl.DataFrame) -> Plot:
    """Return of each closed trade by bars held; a long list is thinned evenly. At least one row."""
    shown = trades.gather_every(math.ceil(trades.height / _MOST_DOTS))
    points = list(zip(shown["bars"].cast(pl.Float64), shown["return_"], strict=True))
    returns = shown["return_"].to_list()
    x = linear_axis(0.0, max(1.0, *(held for held, _ in points)), number.tick_count, 6)
    y = linear_axis(min(0.0, *returns), max(0.0, *returns), number.tick_percent, 5)
    return Plot(
        name="holding",
        title="Return by bars held",
        description=f"{number.count(shown.height)} of {number.count(trades.height)} closed trades.",
        x=x,
        y=y,
        layers=[
            level(x, y, 0.0, "base"),
            dots(x, y, [point for point in points if point[1] > 0], "up"),
            dots(x, y, [point for point in points if point[1] <= 0], "down"),
        ],
        told={"bars": shown["bars"].to_list(), "return": returns},
    )


def _bins(values: Sequence[float]) -> tuple[list[float], list[int]]:
    """Equal bins with an edge at 0: a gain or a loss never lies in the bin of the other."""
    low, high = min(0.0, *values), max(0.0, *values)
    width = round_step(max((high - low) / min(_MOST_BINS, 14 + math.isqrt(len(values))), 1e-6))
    first, last = math.floor(low / width), max(math.floor(high / width) + 1, math.floor(low / width) + 1)
    index = [math.floor(value / width) - first for value in values]
    counts = [0] * (last - first)
    for place in index:
        counts[place] += 1
    return [i * width for i in range(first, last + 1)], counts
