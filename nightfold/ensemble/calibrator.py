"""The calibrator of each task."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nightfold.ensemble.calibrate import DirectionCalibrator, ProbabilityCalibrator
from nightfold.ensemble.calibrate_values import MeanCalibrator, QuantileCalibrator, Toward
from nightfold.ensemble.track import Pace
from nightfold.models.contract import Prediction
from nightfold.models.objective import Objective

Calibrator = Annotated[
    DirectionCalibrator | ProbabilityCalibrator | MeanCalibrator | QuantileCalibrator, Field(discriminator="kind")
]


def fit_calibrator(
    objective: Objective,
    prediction: Prediction,
    label: NDArray[Any],
    weight: NDArray[np.float64] | None = None,
    *,
    toward: Toward = "zero",
    independent: float | None = None,
    pace: Pace | None = None,
) -> Calibrator:
    """Fit the calibrator of a task on rows that neither training, stopping, tuning nor blending used.

    Parameters
    ----------
    objective, prediction, label
        The task, forecasts with its columns, and what came.
    weight
        How much each row counts; each 1 where it is left out.
    toward, independent
        As of `MeanCalibrator`; classes always fall back to their base rate.
    pace
        As of `QuantileCalibrator`; other tasks have no use for it.

    Returns
    -------
    Calibrator
        With `apply`, from forecasts to calibrated forecasts of the same task.

    Raises
    ------
    SchemaError
        If no row has weight.
    """
    if objective.task == "three_class":
        return DirectionCalibrator.fit(prediction, label, weight, independent=independent)
    if objective.task == "binary":
        return ProbabilityCalibrator.fit(prediction, label, weight, independent=independent)
    if objective.task in {"regression", "next_bar"}:
        return MeanCalibrator.fit(prediction, label, weight, toward=toward, independent=independent)
    levels = list(objective.quantiles)
    return QuantileCalibrator.fit(prediction, label, levels, weight, toward=toward, independent=independent, pace=pace)
