"""All models of an experiment side by side, at every horizon, on bars none of them had seen."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.forecast import forecast_columns
from nightfold.models.objective import Objective
from nightfold.splits.overlap import FEWEST_BEYOND
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
    "train_r2": "R2 train",
    "validation_r2": "R2 validation",
    "r2": "R2 test",
    "sign_accuracy": "sign right",
    "coverage": "coverage",
    "level": "level",
    "wanted": "wanted",
    "share": "came",
    "pinball": "pinball loss",
    "independent": "independent rows",
    "is_thin": "too few rows",
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
    levels
        Of quantiles, as from `nightfold.coverage.score_levels`; else without rows.
    """

    metric: str
    constant: str
    models: pl.DataFrame
    best: pl.DataFrame
    correlations: Mapping[int, pl.DataFrame]
    levels: pl.DataFrame


def compare(
    scores: pl.DataFrame,
    predictions: pl.DataFrame,
    objective: Objective,
    horizons: Sequence[int],
    members: Sequence[str],
    seconds: Mapping[tuple[str, int], float],
    seen: Collection[str] = (),
    learnt: pl.DataFrame | None = None,
    levels: pl.DataFrame | None = None,
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
    learnt
        ``model``, ``horizon``, ``train_r2``, ``validation_r2``: means over as-ofs of how well members forecast the rows
        they had learnt from, and those that scored them. Where known they stand beside that of the test, since a model
        that knows its training rows by heart is far better there.
    levels
        Of a backtest of quantiles: a row a model, horizon and level.
    """
    cost = {**seconds, **{("ensemble", h): sum(seconds.get((m, h), 0.0) for m in members) for h in horizons}}
    table = by_model(scores)
    spent = [cost.get((model, horizon)) for model, horizon in table.select("model", "horizon").iter_rows()]
    models = _with_learnt(table, learnt).with_columns(pl.Series("cpu_seconds", spent, pl.Float64)).drop("metric")
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
        pl.DataFrame() if levels is None else levels,
    )


def _with_learnt(models: pl.DataFrame, learnt: pl.DataFrame | None) -> pl.DataFrame:
    """Put R2 of training and validation rows before that of the test."""
    if learnt is None:
        return models
    joined = models.join(learnt, on=["model", "horizon"], how="left", maintain_order="left")
    place = models.columns.index("r2")
    return joined.select(*models.columns[:place], "train_r2", "validation_r2", *models.columns[place:])


def _beyond_error(name: str) -> pl.Expr:
    return pl.col(f"{name}_gain") > 2 * pl.col(f"{name}_error")


def as_markdown(
    comparison: Comparison,
    title: str,
    note: str = "",
    remarks: Sequence[str] = (),
    pairs: pl.DataFrame | None = None,
) -> str:
    """Write a comparison as a Markdown document.

    Parameters
    ----------
    comparison, title, note
        What is compared, the heading, and what is made up about it.
    remarks
        On what its scores are worth.
    pairs
        How differently every two members saw the validation rows of the newest as-of, as from
        `nightfold.ensemble.diversity.pairs`.
    """
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
    if comparison.levels.height:
        parts += ["## Level by level", LEVEL_WORDS, _markdown(level_table(comparison.levels))]
    for horizon, table in comparison.correlations.items():
        if table.height > 1:
            parts += [f"## Correlation of forecasts, {horizon} bars ahead", _markdown(spelled(table))]
    if pairs is not None and pairs.height:
        named = pairs.rename(lambda name: name.replace("_", " "))
        parts += ["## How differently members see the validation rows of the newest as-of", _markdown(spelled(named))]
    return "\n\n".join(parts) + "\n"


LEVEL_WORDS = (
    "Share of bars that came at or under each level (or between the outer two), with the 95 % interval of a block "
    f"bootstrap. With under {FEWEST_BEYOND} independent rows expected beyond it, a level has too few."
)


def level_table(levels: pl.DataFrame) -> pl.DataFrame:
    """Write the levels of quantile forecasts as a person would read them."""
    percents = [
        pl.col(name).mul(100).round(1).cast(pl.String).add(" %").fill_null("–").alias(name)
        for name in ("wanted", "share", "low", "high")
    ]
    return spelled(
        levels.with_columns(
            *percents,
            pl.col("level").cast(pl.String).fill_null("between"),
            pl.col("independent").round(0).cast(pl.Int64),
            is_thin=pl.when("is_thin").then(pl.lit("yes")).otherwise(pl.lit("no")),
        )
    ).rename({"low": "from", "high": "to"})


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
    words = table.with_columns(floats).cast(pl.String).with_columns(pl.all().fill_null("–"))
    return words.rename({name: _WORDS.get(name, name) for name in table.columns})


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
