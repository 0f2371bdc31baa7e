"""Made-up labelled rows whose predictability is known."""

from collections.abc import Callable

import numpy as np
import pytest

from nightfold.models.dataset import Dataset

Make = Callable[..., Dataset]


@pytest.fixture(scope="session")
def make_rows() -> Make:
    """Rows with five features, of which `a` shifts the odds of up against down and `b` those of flat."""

    def make(rows: int = 3000, *, effect: float = 1.0, seed: int = 0) -> Dataset:
        random = np.random.default_rng(seed)
        features = random.normal(size=(rows, 5)).astype(np.float32)
        direction, calm = effect * features[:, 0], effect * features[:, 1]
        scores = np.column_stack([-direction, calm, direction]) + random.gumbel(size=(rows, 3))
        return Dataset(features, ("a", "b", "c", "d", "e"), scores.argmax(axis=1) - 1, random.uniform(0.5, 1.5, rows))

    return make
