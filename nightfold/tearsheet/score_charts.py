"""Charts of forecasts: how each model scored in each as-of window, beside what needs no skill."""

from collections.abc import Iterator, Sequence

import polars as pl
from markupsafe import Markup

from nightfold.tearsheet import number
from nightfold.tearsheet.axis import day_number, linear_axis, time_axis
from nightfold.tearsheet.charts import legend, words_series
from nightfold.tearsheet.plot import Plot, Series, level, line

METRICS = {
    "log_loss": ("Log loss", "class frequencies"),
    "rmse": ("Root mean square error", "training mean"),
    "pinball": ("Pinball loss", "training quantiles"),
}
"""What a metric is called, and the constant forecast that stands beside it."""


def loss_charts(model_metrics: pl.DataFrame) -> list[Plot]:
    """Proper score of each model beside that of the constant forecast, by as-of; one chart a horizon.

    Parameters
    ----------
    model_metrics
        ``as_of``, ``model``, ``horizon``, ``metric``, ``loss``, ``constant_loss``; several rows of one model,
        horizon and as-of are averaged.
    """
    return [_loss_chart(horizon, rows) for horizon, rows in _by_horizon(model_metrics, "loss")]


def _loss_chart(horizon: int, rows: pl.DataFrame) -> Plot:
    metric, constant = METRICS[rows["metric"][0]]
    return _score_chart(
        f"loss-{horizon}",
        f"{metric} at {horizon} bars",
        f"Lower is better; the dashed line names {constant} only.",
        rows,
        [*_lines(rows, "loss"), _line(rows, constant, "frequencies", "constant_loss")],
    )


def direction_charts(model_metrics: pl.DataFrame) -> list[Plot]:
    """Direction gain of each model by as-of, in nats a row; one chart a horizon, 0 is the base rate."""
    return [
        _score_chart(
            f"direction-{horizon}",
            f"Direction gain at {horizon} bars",
            "Higher is better, in nats a row; 0 is no better than the base rate.",
            rows,
            _lines(rows, "direction_gain"),
            zero=True,
        )
        for horizon, rows in _by_horizon(model_metrics, "direction_gain")
    ]


def _score_chart(
    name: str, title: str, description: str, rows: pl.DataFrame, series: Sequence[Series], *, zero: bool = False
) -> Plot:
    values = [value for one in series for _, value in one.points if value is not None] + ([0.0] if zero else [])
    times = [place for place, _ in series[0].points]
    x, y = time_axis(times[0], times[-1], 5), linear_axis(min(values), max(values), number.tick_ratio, 4)
    return Plot(
        name=name,
        title=title,
        description=description,
        x=x,
        y=y,
        layers=[
            level(x, y, 0.0, "base") if zero else Markup(""),
            *(line(x, y, one.points, one.style) for one in reversed(series)),
        ],
        legend=[(one.name, one.style) for one in series] if legend(series) else [],
        hover=series,
        moments=[number.day(as_of) for as_of in rows["as_of"].unique().sort()],
    )


def _by_horizon(model_metrics: pl.DataFrame, score: str) -> Iterator[tuple[int, pl.DataFrame]]:
    known = model_metrics.filter(pl.col(score).is_not_null())
    for horizon in known["horizon"].unique().sort():
        yield horizon, known.filter(pl.col("horizon") == horizon)


def _lines(rows: pl.DataFrame, score: str) -> list[Series]:
    names = rows["model"].unique(maintain_order=True)
    return [
        _line(rows, name, f"s{1 + place % 6}", pl.col(score).filter(pl.col("model") == name))
        for place, name in enumerate(names)
    ]


def _line(rows: pl.DataFrame, name: str, style: str, score: str | pl.Expr) -> Series:
    expression = pl.col(score) if isinstance(score, str) else score
    means = rows.group_by("as_of").agg(expression.mean().alias("score")).sort("as_of")
    points = [(day_number(as_of), value) for as_of, value in means.iter_rows()]
    return words_series(name, style, points, lambda value: number.ratio(value, 4))
