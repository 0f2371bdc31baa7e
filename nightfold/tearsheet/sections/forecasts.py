"""How well models forecast, whatever was traded."""

from functools import partial
from typing import Any

import polars as pl

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


def forecasts(report: TearsheetInput) -> Section:
    """Put the scores of each model beside those of what needs no skill."""
    models = by_model(report.model_metrics)
    if models.is_empty():
        return Section("forecasts", "Forecasts", ["No forecasts were scored."])
    is_classified = models["direction_gain"].count() > 0
    table = _classes(models) if is_classified else _values(models)
    charts = [*loss_charts(report.model_metrics), *direction_charts(report.model_metrics)]
    return Section("forecasts", "Forecasts", parts=[table, *charts])


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
    write = partial(number.ratio, digits=6)
    rows = [
        [
            *_named(row),
            *(Cell(write(row[name])) for name in ("loss", "constant_loss")),
            Cell(write(row["loss_gain"]), note=_error(row["loss_error"], 6)),
            Cell(number.ratio(row["r2"], 4)),
            Cell(number.percent(row["sign_accuracy"])),
        ]
        for row in models.iter_rows(named=True)
    ]
    return _table(models, _VALUES, ("R²", "Sign right"), rows)


def _named(row: dict[str, Any]) -> list[Cell]:
    return [Cell(row["model"]), Cell(f"{row['horizon']} bars"), Cell(number.count(row["windows"]))]


def _error(value: float | None, digits: int) -> str:
    return "" if value is None else f"± {number.ratio(value, digits)}"


def _table(models: pl.DataFrame, caption: str, scores: tuple[str, ...], rows: list[list[Cell]]) -> Table:
    metric, constant = METRICS[models["metric"][0]]
    heads = map(Cell, ("Model", "Horizon", "Windows", metric, constant.capitalize(), "Gain", *scores))
    return Table("forecasts", caption, list(heads), [("", rows)], models.to_dicts(), place="wide")
