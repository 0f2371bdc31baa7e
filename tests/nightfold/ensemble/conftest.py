"""Markets whose truth is known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from nightfold.ensemble.rows import OutOfSample
from nightfold.models.objective import Objective

Market = Callable[..., OutOfSample]
TASKS = ("three_class", "binary", "regression", "quantile")


@pytest.fixture
def market() -> Market:
    """Make rows of members that see the truth through noise; three symbols a moment, and a hole in time."""
    return make


def make(
    task: str, rows: int = 1800, noise: tuple[float, ...] = (0.3, 1.0, 3.0), seed: int = 0, skill: float = 1.0
) -> OutOfSample:
    random = np.random.default_rng(seed)
    objective = Objective(task=task)
    truth = random.normal(size=rows)
    seen = [truth + each * random.normal(size=rows) for each in noise]
    start = np.repeat(np.arange(rows // 3 + 1), 3)[:rows]
    start = start + 20 * (start > rows // 9)
    label: NDArray[np.float64] | NDArray[np.int64]
    if task == "three_class":
        chance = _three(skill * truth).cumsum(axis=1)
        label = (random.random(rows)[:, None] > chance).sum(axis=1) - 1
        members = [_three(each) for each in seen]
    elif task == "binary":
        label = (random.random(rows) < 1 / (1 + np.exp(-skill * truth))).astype(np.int64)
        members = [np.column_stack([1 / (1 + np.exp(each)), 1 / (1 + np.exp(-each))]) for each in seen]
    else:
        label = skill * truth + random.normal(size=rows)
        spread = np.array([0.0]) if task == "regression" else np.array([-1.645, 0, 1.645])
        members = [each[:, None] + spread for each in seen]
    named = {f"m{number}": member for number, member in enumerate(members)}
    weight = random.uniform(0.5, 1.5, rows)
    return OutOfSample.of(objective, named, label, start, start + 4, weight, learnt_until=-1)


def _three(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(np.column_stack([-0.3 * odds, np.zeros(len(odds)), 0.3 * odds]))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
