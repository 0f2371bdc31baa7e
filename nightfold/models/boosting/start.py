"""What boosting begins at: the scores of the constant forecast, on which every tree adds; and when it ends."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nightfold.models.constant import best_constant
from nightfold.models.contract import Prediction, softmax
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective
from nightfold.models.score import row_losses

Array = NDArray[np.float64]

FILE = "start.json"


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Scores of the constant forecast, and the unit in which the trees see values.

    Parameters
    ----------
    objective
        What is forecast.
    scores
        One per output of the trees: log shares of three classes, the log odds of yes, or values in units.
    center, unit
        Values are `center + unit * score`; 0 and 1 for classes. Trees so see labels near 1 whatever these are of.
    """

    objective: Objective
    scores: Array
    center: float = 0.0
    unit: float = 1.0

    @classmethod
    def of(cls, rows: Dataset) -> Self:
        """Take it from training rows."""
        constant = best_constant(rows)
        if rows.objective.task == "three_class":
            return cls(rows.objective, np.log(constant))
        if rows.objective.task == "binary":
            return cls(rows.objective, np.array([np.log(constant[1] / constant[0])]))
        center = np.average(rows.label, weights=rows.weight)
        unit = np.sqrt(np.average((rows.label - center) ** 2, weights=rows.weight)) or 1.0
        return cls(rows.objective, (constant - center) / unit, float(center), float(unit))

    @classmethod
    def read(cls, folder: Path, objective: Objective) -> Self:
        """Read what `write` wrote."""
        stored = json.loads((folder / FILE).read_text())
        return cls(objective, np.array(stored["scores"], dtype=np.float64), stored["center"], stored["unit"])

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        stored = {"scores": self.scores.tolist(), "center": self.center, "unit": self.unit}
        (folder / FILE).write_text(json.dumps(stored) + "\n")

    def target(self, rows: Dataset) -> NDArray[np.float32]:
        """Labels as the trees see them: positions of classes, or values in units."""
        label = rows.codes if rows.objective.classes else (rows.label - self.center) / self.unit
        return np.asarray(label, dtype=np.float32)

    def tile(self, rows: int) -> Array:
        """Scores before the first tree, for so many rows: (rows, outputs)."""
        return np.tile(self.scores, (rows, 1))

    def forecast(self, scores: Array) -> Prediction:
        """Turn scores (rows, outputs) into what the objective asks for."""
        if self.objective.task == "three_class":
            return softmax(scores)
        if self.objective.task == "binary":
            return softmax(np.column_stack([np.zeros(len(scores)), scores]))
        return self.center + self.unit * scores

    def loss(self, rows: Dataset) -> float:
        """Weighted score of the constant forecast in the trees' units, as the libraries measure it."""
        losses = row_losses(self.objective, self.forecast(self.tile(len(rows))), rows.label)
        mean = float(np.average(losses, weights=rows.weight))
        return float(np.sqrt(mean)) / self.unit if self.objective.task == "regression" else mean / self.unit


def is_splittable(rows: Dataset, rounds: int, fewest: int) -> bool:
    """Tell whether there is anything to grow: rounds, rows for two leaves, and labels that differ."""
    return bool(rounds and len(rows) >= 2 * fewest and rows.label.min() < rows.label.max())


def best_round(losses: Iterable[float], start: float, patience: int) -> int:
    """Return after how many rounds the loss was lowest; 0 where none came under that of the constant forecast.

    Parameters
    ----------
    losses
        Loss after each round; no more is asked for once `patience` rounds brought none that is lower.
    start
        Loss of the constant forecast.
    patience
        Rounds to wait.

    Examples
    --------
    >>> best_round([0.9, 0.8, 0.85, 0.86, 0.7], start=1.0, patience=2)
    2
    """
    lowest, kept = start, 0
    for number, loss in enumerate(losses, 1):
        if loss < lowest:
            lowest, kept = loss, number
        elif number - kept >= patience:
            break
    return kept
