"""What a network aims at in each task: numbers on top of the constant forecast, and the loss that moves them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nightfold.models.constant import best_constant
from nightfold.models.contract import PROBABILITY_FLOOR, Prediction, softmax
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """The constant forecast that a network starts from, and how its numbers change it.

    Parameters
    ----------
    objective
        The task.
    start
        Per output: log class share, mean, quantile, or mean and log odds that its sign is right.
    unit
        Standard deviation of the training labels, in which values are learnt; 1 for classes.
    confidence_weight
        What the confidence counts beside the change, for the next bar.
    """

    objective: Objective
    start: Array
    unit: float
    confidence_weight: float = 0.0

    @classmethod
    def of(cls, rows: Dataset, confidence_weight: float = 0.0) -> Self:
        """Measure training rows, each by its weight."""
        objective = rows.objective
        if objective.classes:
            return cls(objective, np.log(best_constant(rows)), 1.0)
        mean = np.average(rows.label, weights=rows.weight)
        unit = float(np.sqrt(np.average((rows.label - mean) ** 2, weights=rows.weight))) or 1.0
        start = [mean, _log_odds_of_sign(rows, mean)] if objective.task == "next_bar" else best_constant(rows)
        return cls(objective, np.asarray(start), unit, confidence_weight)

    def targets(self, rows: Dataset) -> Tensor:
        """Give what outputs are compared with: class codes; distances from the start; of the next bar also the sign."""
        if self.objective.classes:
            return torch.from_numpy(rows.codes.astype(np.int64))
        if self.objective.task == "next_bar":
            return _float32(np.column_stack([(rows.label - self.start[0]) / self.unit, np.sign(rows.label)]))
        return _float32((rows.label[:, None] - self.start) / self.unit)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each row, one or two dimensions of it: cross-entropy, squared error, pinball, or of the next bar."""
        if self.objective.classes:
            return functional.cross_entropy(outputs + self._start(outputs), targets, reduction="none")
        if self.objective.task == "quantile":
            miss, levels = targets - outputs, outputs.new_tensor(self.objective.quantiles)
            return torch.maximum(levels * miss, (levels - 1) * miss).mean(dim=1)
        if self.objective.task == "next_bar":
            return self._next_bar_losses(outputs, targets)
        return (targets[:, 0] - outputs[:, 0]).square()

    def forecast(self, outputs: Array) -> Prediction:
        """Forecast of each row from its outputs; without any training they are 0 and this is the constant."""
        if self.objective.classes:
            return softmax(self.start + outputs)
        if self.objective.task == "next_bar":
            change = self.start[0] + self.unit * outputs[:, 0]
            return np.column_stack([change, 1 / (1 + np.exp(-(self.start[1] + outputs[:, 1])))])
        return np.asarray(np.sort(self.start + self.unit * outputs, axis=1))

    def score(self, loss: float, unit: float) -> float:
        """Turn a mean loss, of labels in such units, into the proper score of the task."""
        return unit * (math.sqrt(loss) if self.objective.metric == "rmse" else loss)

    def tensors(self) -> dict[str, Tensor]:
        """Return what `restored` takes."""
        return {"start": torch.from_numpy(self.start), "unit": torch.tensor(self.unit, dtype=torch.float64)}

    @classmethod
    def restored(cls, objective: Objective, tensors: Mapping[str, Tensor]) -> Self:
        """Read what `tensors` gave, for forecasts."""
        return cls(objective, tensors["start"].numpy(), tensors["unit"].item())

    def _next_bar_losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        change = functional.huber_loss(outputs[:, 0], targets[:, 0], reduction="none")
        said = torch.sign(outputs[:, 0].detach() + self.start[0] / self.unit)
        right = (said == targets[:, 1]).to(outputs.dtype)
        log_odds = outputs[:, 1] + self._start(outputs)[1]
        sure = functional.binary_cross_entropy_with_logits(log_odds, right, reduction="none")
        return change + self.confidence_weight * sure * targets[:, 1].abs()

    def _start(self, outputs: Tensor) -> Tensor:
        return torch.from_numpy(self.start).to(outputs)


def _log_odds_of_sign(rows: Dataset, mean: float) -> float:
    moved = rows.label != 0
    if not moved.any() or mean == 0:
        return 0.0
    share = np.average(np.sign(rows.label[moved]) == np.sign(mean), weights=rows.weight[moved])
    share = float(np.clip(share, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR))
    return float(np.log(share / (1 - share)))


def _float32(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
