"""One way to train any family: stop and score on validation rows, then learn from all rows."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from nightfold.errors import ConfigError
from nightfold.models.catalog import ModelEntry
from nightfold.models.contract import (
    Curves,
    Importance,
    Model,
    ModelSpec,
    Prediction,
    corrected,
    correction,
    require_task,
)
from nightfold.models.dataset import Dataset
from nightfold.models.score import score_beside_constant, with_train_scores
from nightfold.spec import fingerprint
from nightfold.splits.purge import Rows

_TRAIN_ROWS_SCORED = 5_000
_ROWS_EXPLAINED = 500


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model in force, and what is known of it.

    Parameters
    ----------
    name
        Its name in the catalog.
    model
        Fitted on train and validation rows together, or on train rows where no refit was asked for.
    spec
        The parameters that were asked for; `model.spec` has the rounds that were found.
    rounds
        Rounds in force; None where the family has none.
    seconds
        CPU time of the fits and of the forecast between them, in this thread.
    metrics
        Scores on the validation rows of the model that had not seen them, each row counting the same, with that of
        the constant forecast of the training rows, and of its forecasts of training rows (some thousand of them).
    validation_prediction
        That model's forecasts of the validation rows, corrected.
    correction
        Per class, what the model's probabilities are scaled by, so that they tell how often a class comes rather than
        how much of the training weight it has; see `nightfold.models.contract.corrected`. Empty for values.
    dataset
        Sixteen hex digits of the rows it was given.
    curves
        How the fit of the scored model went.
    importance
        What the model in force looks at, on some hundred validation rows.
    """

    name: str
    model: Model[Any]
    spec: ModelSpec
    rounds: int | None
    seconds: float
    metrics: dict[str, float | None]
    validation_prediction: Prediction
    correction: tuple[float, ...]
    dataset: str
    curves: Curves
    importance: Importance


def train_model(
    entry: ModelEntry,
    spec: ModelSpec,
    train: Dataset,
    validation: Dataset,
    *,
    stopping: Dataset | None = None,
    refit: bool = True,
    seed: int = 0,
    scratch: Path | None = None,
) -> Trained:
    """Train one family on one split.

    Parameters
    ----------
    entry, spec
        A catalog entry and parameters of its kind.
    train, validation
        Purged parts of one split, validation later than train.
    stopping
        Rows between the two that end the fit early, so that scores and calibration come from rows which had no say in
        it; none: the validation rows do both.
    refit
        Fit again on all parts with the rounds found; without it the newest row the model has seen is as old as the
        validation part is long.
    seed
        Start of every random choice; the same seed and rows give the same model.
    scratch
        Folder for checkpoints: a fit that was broken off goes on from there, where the family can, and ends the same.

    Raises
    ------
    ConfigError
        If the spec belongs to another family, or the family lacks the task.
    SchemaError
        If a part has no weighted row, or their features differ.
    """
    if not isinstance(spec, entry.spec):
        raise ConfigError(f"`spec` is a {type(spec).__name__}; model `{entry.name}` takes a {entry.spec.__name__}.")
    require_task(entry.name, entry.capabilities, train.objective.task)

    def new(wanted: ModelSpec) -> Model[Any]:
        model = entry.model(wanted, seed)
        model.scratch = scratch
        return model

    started = time.thread_time()
    scored = new(spec).fit(train, validation if stopping is None else stopping)
    prediction = corrected(scored.predict(validation.features), correction(train))
    parts = [train, validation] if stopping is None else [train, stopping, validation]
    rows = reduce(Dataset.join, parts) if refit else train
    model = new(scored.refit_spec).fit(rows) if refit else scored
    seconds = time.thread_time() - started
    return Trained(
        name=entry.name,
        model=model,
        spec=spec,
        rounds=scored.rounds,
        seconds=seconds,
        metrics=_scores(scored, prediction, train, validation),
        validation_prediction=prediction,
        correction=correction(rows),
        dataset=fingerprint([part.fingerprint for part in parts]),
        curves=scored.curves,
        importance=model.importance(_spread(validation, _ROWS_EXPLAINED).features),
    )


def forecast_blocks(
    entry: ModelEntry, spec: ModelSpec, rows: Dataset, blocks: Iterable[tuple[Rows, Rows]], seed: int = 0
) -> Iterator[Prediction]:
    """Yield forecasts of blocks of rows by models that did not learn from them, with the rounds already found.

    Parameters
    ----------
    entry, spec, seed
        As of `train_model`; the spec is that of a model in force.
    rows
        All rows an as-of may learn from.
    blocks
        Rows to train on and rows to forecast, by position.
    """
    for train, predicted in blocks:
        learnt = rows.take(train)
        fitted = entry.model(spec, seed).fit(learnt)
        yield corrected(fitted.predict(rows.take(predicted).features), correction(learnt))


def _scores(scored: Model[Any], prediction: Prediction, train: Dataset, validation: Dataset) -> dict[str, float | None]:
    learnt = _spread(train, _TRAIN_ROWS_SCORED)
    by_heart = corrected(scored.predict(learnt.features), correction(train))
    return with_train_scores(score_beside_constant(prediction, train, validation), by_heart, learnt)


def _spread(rows: Dataset, most: int) -> Dataset:
    """Return so many rows at most, evenly spread over all: the same whatever the seed."""
    return rows.take(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64))
