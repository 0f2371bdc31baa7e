"""How well models forecast, whatever was traded."""

from functools import partial
from typing import Any

import polars as pl

from nightfold.splits.overlap import FEWEST_BEYOND
from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Cell, Section, Table
from nightfold.tearsheet.score_charts import METRICS, direction_charts, loss_charts
from nightfold.tearsheet.summary import by_model

_CLASSES = (
    "Means over as-of windows. Log loss mostly measures volatility; skill in direction is the direction gain, in nats "
    "a row, ± its standard error over windows"
)
_VALUES = "Means over as-of windows. The gain is ± its standard error over windows"
_QUANTILES = f"{_VALUES}; coverage is the share of bars between the outer quantiles"
_LEVELS = (
    "Level by level, over all bars: the share that came at or under it (or within the range), the 95 % interval of a "
    "block bootstrap, beside the share wanted, and pinball loss. Independent rows count overlapping labels and symbols "
    f"of one moment once; with under {FEWEST_BEYOND} of them expected beyond it, a level is marked as thin"
)


def forecasts(report: TearsheetInput) -> Section:
    """Put the scores of each model beside those of what needs no skill."""
    models = by_model(report.model_metrics)
    if models.is_empty():
        return Section("forecasts", "Forecasts", ["No forecasts were scored."])
    charts = [*loss_charts(report.model_metrics), *direction_charts(report.model_metrics)]
    return Section("forecasts", "Forecasts", parts=[_scores(models), *_levels(report.levels), *charts])


def _scores(models: pl.DataFrame) -> Table:
    if models["direction_gain"].count():
        return _classes(models)
    return _quantiles(models) if models["metric"][0] == "pinball" else _values(models)


def _classes(models: pl.DataFrame) -> Table:
    write, f1 = partial(number.ratio, digits=4), partial(number.ratio, digits=3)
    rows = [
        [
            *_named(row),
            *(Cell(write(row[name])) for name in ("loss", "constant_loss", "loss_gain")),
            *(Cell(f1(row[name])) for name in ("macro_f1", "macro_f1_chance")),
            Cell(write(row["direction_gain"]), note=_error(row["direction_error"], 4)),
        ]
        for row in models.iter_rows(named=True)
    ]
    return _table(models, _CLASSES, ("Macro F1", "Chance", "Direction gain"), rows)


def _values(models: pl.DataFrame) -> Table:
    rows = [
        [*_named(row), *_gain(row), Cell(number.ratio(row["r2"], 4)), Cell(number.percent(row["sign_accuracy"]))]
        for row in models.iter_rows(named=True)
    ]
    return _table(models, _VALUES, ("R²", "Sign right"), rows)


def _quantiles(models: pl.DataFrame) -> Table:
    rows = [[*_named(row), *_gain(row), Cell(number.percent(row["coverage"]))] for row in models.iter_rows(named=True)]
    return _table(models, _QUANTILES, ("Coverage",), rows)


def _levels(levels: pl.DataFrame | None) -> list[Table]:
    """List each level of each model; nothing where no quantiles are forecast."""
    if levels is None or levels.is_empty():
        return []
    heads = ("Model", "Horizon", "Level", "Wanted", "Came", "95 % interval", "Pinball loss", "Independent rows")
    rows = [
        [
            Cell(row["model"]),
            Cell(f"{row['horizon']} bars"),
            Cell("between the outer" if row["level"] is None else number.ratio(row["level"])),
            *(Cell(number.percent(row[name])) for name in ("wanted", "share")),
            Cell(_interval(row["low"], row["high"])),
            Cell(number.ratio(row["pinball"], 6)),
            Cell(number.ratio(row["independent"], 0), note="thin" if row["is_thin"] else ""),
        ]
        for row in levels.iter_rows(named=True)
    ]
    return [Table("levels", _LEVELS, [Cell(head) for head in heads], [("", rows)], levels.to_dicts(), place="wide")]


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "too few rows"
    return f"{number.percent(low)} to {number.percent(high)}"


def _gain(row: dict[str, Any]) -> list[Cell]:
    write = partial(number.ratio, digits=6)
    losses = [Cell(write(row[name])) for name in ("loss", "constant_loss")]
    return [*losses, Cell(write(row["loss_gain"]), note=_error(row["loss_error"], 6))]


def _named(row: dict[str, Any]) -> list[Cell]:
    return [Cell(row["model"]), Cell(f"{row['horizon']} bars"), Cell(number.count(row["windows"]))]


def _error(value: float | None, digits: int) -> str:
    return "" if value is None else f"± {number.ratio(value, digits)}"


def _table(models: pl.DataFrame, caption: str, scores: tuple[str, ...], rows: list[list[Cell]]) -> Table:
    metric, constant = METRICS[models["metric"][0]]
    heads = map(Cell, ("Model", "Horizon", "Windows", metric, constant.capitalize(), "Gain", *scores))
    return Table("forecasts", caption, list(heads), [("", rows)], models.to_dicts(), place="wide")
