"""Quantile forecasts out of sample, level by level: how often what came lay under each, and what each lost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.ensemble.bootstrap import block_interval
from nightfold.experiment import Experiment
from nightfold.forecast import forecast_columns
from nightfold.models.value_metrics import pinball_losses
from nightfold.splits.overlap import independent_rows, span_lengths, thin_levels
from nightfold.splits.purge import spans

CONSTANT = "training quantiles"
"""The forecast without skill, in place of a model: of its as-of's training rows, whatever the bar."""

LEVELS: dict[str, type[pl.DataType]] = {
    "model": pl.String,
    "horizon": pl.Int64,
    "level": pl.Float64,
    "wanted": pl.Float64,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "pinball": pl.Float64,
    "independent": pl.Float64,
    "is_thin": pl.Boolean,
}
"""Columns of `score_levels`."""


def score_levels(
    experiment: Experiment, rows: pl.DataFrame, constants: Mapping[tuple[str, str, int], Sequence[float]]
) -> pl.DataFrame:
    """Score each level of each model over all as-ofs together, each known bar counting the same.

    Parameters
    ----------
    experiment
        Whose target has levels; of other tasks there is nothing to score.
    rows
        Predictions beside labels, as of `nightfold.evaluation.score_forecasts`.
    constants
        The constant forecast of the training rows by universe key, as-of date and horizon.

    Returns
    -------
    DataFrame
        By ``model`` (`CONSTANT` among them), ``horizon`` and ``level``; a null level is the range between the outer
        two. ``share`` of bars whose value came at or under the level (or within the range), the share ``wanted``, and
        the moving-block bootstrap's 95 % interval ``low`` to ``high``, null where rows are too few; mean ``pinball``
        loss; ``independent`` rows behind it, and whether these are too few for the level (``is_thin``, as of
        `nightfold.splits.overlap.thin_levels`; of the range: for one of its ends).
    """
    target = experiment.target
    objective = target.objective
    if objective.task != "quantile":
        return pl.DataFrame(schema=LEVELS)
    members = experiment.ensemble.chosen(experiment.models)
    scored: list[dict[str, Any]] = []
    for horizon in target.horizons:
        told = {
            "ensemble": list(forecast_columns(objective, horizon)),
            **{model: list(forecast_columns(objective, horizon, model)) for model in members},
            CONSTANT: [f"constant_{column}" for column in objective.columns],
        }
        labelled = target.labelled(horizon)
        known = rows.filter(pl.col("as_of").is_not_null()).with_columns(
            label=labelled["label"], label_end=labelled["label_end"]
        )
        beside = _with_constants(experiment, known, constants, horizon, told[CONSTANT])
        for model, columns in told.items():
            said = beside.select("open_time", "label_end", "label", *columns).drop_nulls()
            if said.height:
                found = _levels(said, said.select(columns).to_numpy(), objective.quantiles)
                scored += [{"model": model, "horizon": horizon, **each} for each in found]
    return pl.DataFrame(scored, schema=LEVELS)


def _with_constants(
    experiment: Experiment,
    rows: pl.DataFrame,
    constants: Mapping[tuple[str, str, int], Sequence[float]],
    horizon: int,
    columns: Sequence[str],
) -> pl.DataFrame:
    said = [
        {"universe": universe, "day": as_of, **dict(zip(columns, values, strict=True))}
        for (universe, as_of, ahead), values in constants.items()
        if ahead == horizon
    ]
    universe = pl.lit("pooled") if experiment.pooling == "pooled" else pl.col("symbol")
    keyed = rows.with_columns(universe=universe, day=pl.col("as_of").dt.strftime("%Y-%m-%d"))
    return keyed.join(pl.DataFrame(said), on=["universe", "day"], how="left", maintain_order="left")


def _levels(rows: pl.DataFrame, quantiles: NDArray[np.float64], levels: Sequence[float]) -> Iterator[dict[str, Any]]:
    label = rows["label"].to_numpy()
    begins, ends, _ = spans(rows["open_time"], rows["label_end"])
    longest, independent = int(span_lengths(begins, ends).max()), independent_rows(rows["open_time"], rows["label_end"])
    losses, under = pinball_losses(quantiles, label, levels), label[:, None] <= quantiles
    thin = thin_levels(levels, independent)
    each: list[tuple[float | None, float, NDArray[np.bool_], NDArray[np.float64], bool]]
    each = [(level, level, under[:, at], losses[:, at], level in thin) for at, level in enumerate(levels)]
    if len(levels) > 1:
        inside, is_thin = under[:, -1] & (label >= quantiles[:, 0]), bool({levels[0], levels[-1]} & set(thin))
        each.append((None, levels[-1] - levels[0], inside, losses.mean(axis=1), is_thin))
    for level, wanted, came, lost, few in each:
        found = block_interval(came.astype(np.float64), np.ones(len(came)), begins, longest)
        yield {
            "level": level,
            "wanted": wanted,
            "share": found.mean,
            "low": found.low,
            "high": found.high,
            "pinball": float(lost.mean()),
            "independent": independent,
            "is_thin": few,
        }
