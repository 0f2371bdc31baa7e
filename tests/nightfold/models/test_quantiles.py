"""Quantiles of every family are rearranged in one place."""

from typing import Any

import numpy as np

from nightfold.models.baseline import ConstantModel, ConstantSpec
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective


class Crossing(ConstantModel):
    def _predict(self, features: Any) -> Any:
        return np.column_stack([features[:, 0], 1 - features[:, 0], np.full(len(features), 0.5)])


def test_quantiles_that_cross_are_put_in_order_row_by_row() -> None:
    rows = Dataset(np.array([[0.25], [0.75]]), ("a",), np.array([1.0, 2.0]), np.ones(2), Objective(task="quantile"))
    model = Crossing(ConstantSpec()).fit(rows)
    assert model.predict(rows.features).tolist() == [[0.25, 0.5, 0.75], [0.25, 0.5, 0.75]]


def test_columns_of_other_tasks_stay_where_they_are() -> None:
    rows = Dataset(np.array([[0.25], [0.75]]), ("a",), np.array([-1, 1]), np.ones(2))
    assert Crossing(ConstantSpec()).fit(rows).predict(rows.features)[0].tolist() == [0.25, 0.75, 0.5]
