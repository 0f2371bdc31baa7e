"""All models of an experiment side by side, at every horizon, on bars none of them had seen."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.forecast import forecast_columns
from nightfold.models.objective import Objective
from nightfold.tearsheet.score_charts import METRICS
from nightfold.tearsheet.summary import by_model

_WORDS = {
    "model": "model",
    "horizon": "bars ahead",
    "windows": "as-ofs",
    "loss": "loss",
    "constant_loss": "constant",
    "loss_gain": "gain",
    "loss_error": "± error",
    "macro_f1": "macro F1",
    "macro_f1_chance": "chance",
    "direction_gain": "direction gain",
    "direction_error": "± error of it",
    "r2": "R2",
    "sign_accuracy": "sign right",
    "cpu_seconds": "CPU seconds",
    "seen": "possibly seen",
}


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What is known of the models of an experiment.

    Parameters
    ----------
    metric, constant
        Proper score of the task in words, and the forecast without skill beside it.
    models
        A row a model and horizon: means over as-ofs of the scores that the task has, gain over the constant forecast
        with its standard error, CPU seconds of an as-of's fit (the ensemble's: of all its members); where a member is
        pretrained on some of these bars, ``seen``: whether the model may know outcomes by heart.
    best
        Per horizon the model of least loss, and whether it is skilled: of classes whether its direction gain, else
        whether its gain over the constant, is beyond two standard errors; and whether it may have seen the test.
    correlations
        Per horizon how much forecasts move together: a row and a column a member.
    """

    metric: str
    constant: str
    models: pl.DataFrame
    best: pl.DataFrame
    correlations: Mapping[int, pl.DataFrame]


def compare(
    scores: pl.DataFrame,
    predictions: pl.DataFrame,
    objective: Objective,
    horizons: Sequence[int],
    members: Sequence[str],
    seconds: Mapping[tuple[str, int], float],
    seen: Collection[str] = (),
) -> Comparison:
    """Lay scores, correlations and costs out for reading.

    Parameters
    ----------
    scores
        Of a backtest: one row an as-of, universe, model and horizon.
    predictions
        Out-of-sample forecasts of the same range.
    objective, horizons, members
        Of the experiment.
    seconds
        CPU seconds of the fits of one as-of, by member and horizon.
    seen
        Members that are pretrained on some of these bars; the ensemble is as seen as they are.
    """
    cost = {**seconds, **{("ensemble", h): sum(seconds.get((m, h), 0.0) for m in members) for h in horizons}}
    table = by_model(scores)
    spent = [cost.get((model, horizon)) for model, horizon in table.select("model", "horizon").iter_rows()]
    models = table.with_columns(pl.Series("cpu_seconds", spent, pl.Float64)).drop("metric")
    marked = pl.col("model").is_in([*seen, *(["ensemble"] if set(seen) & set(members) else [])])
    if seen:
        models = models.with_columns(seen=pl.when(marked).then(pl.lit("yes")).otherwise(pl.lit("no")))
    known = [name for name in models.columns if models[name].null_count() < models.height or name == "loss_error"]
    is_directed = pl.col("direction_gain").is_not_null()
    best = (
        models.sort("loss", nulls_last=True, maintain_order=True)
        .group_by("horizon", maintain_order=True)
        .first()
        .select(
            *("horizon", "model", "loss", "loss_gain"),
            skilled=pl.when(is_directed).then(_beyond_error("direction")).otherwise(_beyond_error("loss")),
            is_directed=is_directed,
            seen=marked,
        )
        .sort("horizon")
    )
    metric, constant = METRICS[objective.metric]
    return Comparison(
        metric,
        constant,
        models.select(known),
        best,
        {h: _correlation(predictions, objective, h, members) for h in horizons},
    )


def _beyond_error(name: str) -> pl.Expr:
    return pl.col(f"{name}_gain") > 2 * pl.col(f"{name}_error")


def as_markdown(comparison: Comparison, title: str, note: str = "", remarks: Sequence[str] = ()) -> str:
    """Write a comparison as a Markdown document, with remarks on what its scores are worth."""
    loss = f"Loss is {comparison.metric.lower()}, lower is better; the constant names the {comparison.constant} "
    parts = [
        f"# {title}",
        *([f"**{note}**"] if note else []),
        f"{loss}whatever the bar. Means over as-ofs, on bars no model had seen, with standard errors over as-ofs.",
        _markdown(spelled(comparison.models)),
        *remarks,
        "## Best at each horizon",
        "\n".join(best_words(row) for row in comparison.best.iter_rows(named=True)),
    ]
    for horizon, table in comparison.correlations.items():
        if table.height > 1:
            parts += [f"## Correlation of forecasts, {horizon} bars ahead", _markdown(spelled(table))]
    return "\n\n".join(parts) + "\n"


def best_words(row: Mapping[str, Any]) -> str:
    """Say which model is best at a horizon, and whether that is skill."""
    words = {
        (True, True): "direction better than its base rate by over two standard errors",
        (True, False): "no skill in direction; log loss mostly measures volatility",
        (False, True): "better than the constant by over two standard errors",
        (False, False): "no skill beyond the constant",
    }
    skill = words[row["is_directed"], bool(row["skilled"])]
    skill += ", possibly seen before" if row["seen"] else ""
    ahead = "1 bar" if row["horizon"] == 1 else f"{row['horizon']} bars"
    return f"- {ahead}: `{row['model']}`, {skill}."


def spelled(table: pl.DataFrame) -> pl.DataFrame:
    """Write every value as a person would read it."""
    floats = [
        pl.when(pl.col(name).is_not_null())
        .then(pl.col(name).map_elements(lambda value: f"{value:.4g}", return_dtype=pl.String))
        .otherwise(pl.lit("–"))
        .alias(name)
        for name, kind in table.schema.items()
        if kind == pl.Float64
    ]
    return table.with_columns(floats).cast(pl.String).rename({name: _WORDS.get(name, name) for name in table.columns})


def _correlation(predictions: pl.DataFrame, objective: Objective, horizon: int, members: Sequence[str]) -> pl.DataFrame:
    told = {member: _told(predictions, objective, horizon, member) for member in members}
    rows = pl.DataFrame(told).drop_nulls()
    matrix = np.full((len(members), len(members)), np.nan)
    if rows.height > 1:
        with np.errstate(invalid="ignore", divide="ignore"):
            matrix = np.atleast_2d(np.corrcoef(rows.to_numpy().T))
    return pl.DataFrame({"model": members, **dict(zip(members, _nullable(matrix), strict=True))})


def _told(predictions: pl.DataFrame, objective: Objective, horizon: int, member: str) -> pl.Series:
    """One number a forecast: its direction, its mean, or its middle quantile."""
    columns = list(forecast_columns(objective, horizon, member))
    if objective.task == "three_class":
        return predictions[columns[2]] - predictions[columns[0]]
    middle = {"binary": 1, "regression": 0, "next_bar": 0}.get(objective.task, len(columns) // 2)
    return predictions[columns[middle]]


def _nullable(matrix: NDArray[np.float64]) -> list[pl.Series]:
    return [pl.Series(column, nan_to_null=True) for column in matrix.T]


def _markdown(table: pl.DataFrame) -> str:
    lines = [table.columns, ["---"] * table.width, *table.iter_rows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
