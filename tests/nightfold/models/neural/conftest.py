"""Windows in which a label depends on a bar that is not the newest."""

from collections.abc import Callable

import numpy as np
import pytest

from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective, Task
from nightfold.models.window import Windows

LENGTH = 8


@pytest.fixture(scope="session")
def make_windows() -> Callable[..., Dataset]:
    """Windows of 8 bars with 3 features, of which the first, `lag` bars back, moves the label; the rest is noise."""

    def make(
        task: Task = "regression", rows: int = 1500, *, lag: int = 0, effect: float = 1.0, seed: int = 0
    ) -> Dataset:
        random = np.random.default_rng(seed)
        table = random.normal(size=(rows + LENGTH - 1, 3)).astype(np.float32)
        ends = np.arange(LENGTH - 1, len(table))
        move = effect * table[ends - lag, 0].astype(np.float64)
        if task == "three_class":
            scores = np.column_stack([-move, np.zeros(rows), move]) + random.gumbel(size=(rows, 3))
            label = scores.argmax(axis=1) - 1
        elif task == "binary":
            label = (2 * move + random.logistic(size=rows) > 0).astype(np.int64)
        else:
            label = 0.01 * (move + random.normal(size=rows))
        weight = random.uniform(0.5, 1.5, rows)
        return Dataset(Windows(table, ends, LENGTH), ("a", "b", "c"), label, weight, Objective(task=task))

    return make
