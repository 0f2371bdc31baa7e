"""Class frequencies."""

from collections.abc import Callable

import numpy as np

from nightfold.models.baseline import ClassFrequenciesModel, ClassFrequenciesSpec
from nightfold.models.dataset import Dataset


def test_every_row_is_given_the_weighted_class_shares() -> None:
    rows = Dataset(np.zeros((4, 1), np.float32), ("a",), np.array([-1, 0, 1, 1], np.int8), np.arange(1.0, 5.0))
    probabilities = ClassFrequenciesModel(ClassFrequenciesSpec()).fit(rows).predict(rows.features)
    np.testing.assert_allclose(probabilities, np.tile([0.1, 0.2, 0.7], (4, 1)), rtol=0, atol=1e-15)


def test_validation_rows_are_not_counted(make_rows: Callable[..., Dataset]) -> None:
    rows, later = make_rows(), make_rows(800, seed=1)
    alone = ClassFrequenciesModel(ClassFrequenciesSpec()).fit(rows)
    beside = ClassFrequenciesModel(ClassFrequenciesSpec()).fit(rows, later)
    assert np.array_equal(alone.predict(rows.features[:1]), beside.predict(rows.features[:1]))
