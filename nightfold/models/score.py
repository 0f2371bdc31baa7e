"""Forecasts of any task judged the same way: a loss a row, all measures, and the constant forecast to beat."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightfold.models.contract import Prediction, class_shares
from nightfold.models.dataset import Dataset
from nightfold.models.metrics import class_scores
from nightfold.models.objective import Objective
from nightfold.models.value_metrics import (
    confidence_scores,
    mean_scores,
    pinball_losses,
    quantile_scores,
    share_right,
)

Array = NDArray[np.float64]

CONSTANT = {
    "log_loss": "log_loss_class_frequencies",
    "rmse": "rmse_training_mean",
    "pinball": "pinball_training_quantiles",
}
"""Name under which the score of the constant forecast stands beside each metric."""


def row_losses(objective: Objective, prediction: Prediction, label: NDArray[Any]) -> Array:
    """Loss of each row by the task's proper score: nats, squared error, or pinball loss averaged over levels.

    For the next bar it is the squared error of the change; its confidence is a measure beside it.

    Parameters
    ----------
    objective
        The task.
    prediction
        One row per label, with the columns of the objective.
    label
        What came.
    """
    if objective.task == "quantile":
        return np.asarray(pinball_losses(prediction, label, objective.quantiles).mean(axis=1))
    if objective.task in {"regression", "next_bar"}:
        return np.asarray((label - prediction[:, 0]) ** 2)
    codes = label.astype(np.int64) - objective.classes[0]
    return np.asarray(-np.log(np.maximum(prediction[np.arange(len(label)), codes], 1e-15)))


def score(
    objective: Objective, prediction: Prediction, label: NDArray[Any], weight: Array | None = None
) -> dict[str, float | None]:
    """All measures of the task by name, with the number of rows; `objective.metric` is among them.

    Examples
    --------
    >>> forecast = np.full((4, 3), 1 / 3)
    >>> round(score(Objective(), forecast, np.array([-1, 0, 1, 1]))["log_loss"], 4)
    1.0986
    """
    rows = {"rows": float(len(label))}
    if objective.task == "quantile":
        return rows | quantile_scores(prediction, label, objective.quantiles, weight)
    if objective.task == "regression":
        return rows | mean_scores(prediction[:, 0], label, weight)
    if objective.task == "next_bar":
        change, confidence = prediction.T
        return rows | mean_scores(change, label, weight) | confidence_scores(change, confidence, label, weight)
    return rows | class_scores(prediction, label, weight)


def constant_forecast(rows: Dataset) -> Array:
    """State what training rows say whatever the features: class shares, mean, or quantiles; each row counts once.

    Returns
    -------
    Array
        One value per column of the objective.
    """
    objective = rows.objective
    if objective.classes:
        return class_shares(rows)
    label = rows.label[rows.weight > 0]
    if objective.task == "quantile":
        return np.asarray(np.quantile(label, objective.quantiles))
    mean = label.mean()
    return np.array([mean] if objective.task == "regression" else [mean, share_right(mean, label)])


def score_beside_constant(prediction: Prediction, train: Dataset, validation: Dataset) -> dict[str, float | None]:
    """Score forecasts of validation rows, and beside them the constant forecast of the training rows."""
    objective = train.objective
    constant = np.tile(constant_forecast(train), (len(validation), 1))
    beside = score(objective, constant, validation.label)[objective.metric]
    return score(objective, prediction, validation.label) | {CONSTANT[objective.metric]: beside}


def with_train_scores(
    scores: dict[str, float | None], prediction: Prediction, train: Dataset
) -> dict[str, float | None]:
    """Put the score of forecasts of training rows, and their R2, right after that of rows that were not learnt from.

    How far the two are apart is what the model knows by heart: `rmse` and `train_rmse`, `r2` and `train_r2`.
    """
    learnt = score(train.objective, prediction, train.label)
    told: dict[str, float | None] = {}
    for name, value in scores.items():
        told[name] = value
        if name in {train.objective.metric, "r2"}:
            told[f"train_{name}"] = learnt[name]
    return told
