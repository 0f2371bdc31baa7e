"""Trees on top of the plain pool."""

from collections.abc import Callable

import numpy as np
import pytest

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.boosted import BoostedBlender
from nightfold.ensemble.rows import OutOfSample
from nightfold.models.objective import Objective
from nightfold.models.score import row_losses

Market = Callable[..., OutOfSample]
SPEC = EnsembleSpec(method="stack", meta="boosting")
TASKS = pytest.mark.parametrize("task", ["three_class", "binary", "regression", "quantile"])


def pooled(rows: OutOfSample) -> np.ndarray:
    members = list(rows.members.values())
    if not rows.objective.classes:
        return np.asarray(np.mean(members, axis=0))
    pool = np.prod(members, axis=0) ** (1 / len(members))
    return np.asarray(pool / pool.sum(axis=1, keepdims=True))


@TASKS
def test_too_few_rows_leave_the_plain_pool(market: Market, task: str) -> None:
    rows = market(task)
    blender = BoostedBlender.fit(rows, EnsembleSpec(method="stack", meta="boosting", ridge=1e4))
    assert blender.trees == []
    np.testing.assert_allclose(blender.apply(rows.members), pooled(rows), atol=1e-9)
    assert set(blender.weights.values()) == {1 / 3}


@TASKS
def test_trees_find_on_new_rows_who_knows_more_than_the_pool(market: Market, task: str) -> None:
    blender = BoostedBlender.fit(market(task, rows=6000, noise=(0.3, 3.0)), SPEC)
    new = market(task, rows=6000, noise=(0.3, 3.0), seed=1)
    ours, pool = (
        row_losses(new.objective, told, new.label).mean() for told in (blender.apply(new.members), pooled(new))
    )
    assert ours < pool
    assert sum(blender.weights.values()) == pytest.approx(1)


def test_a_leaf_holds_as_many_independent_rows_as_asked() -> None:
    """The last 40 rows are another world; their labels of 40 bars make that one independent row."""
    start = np.arange(400)
    label = (start >= 360) * 10.0
    members = {"a": start[:, None] / 400, "silent": np.zeros((400, 1))}
    rows = OutOfSample.of(Objective(task="regression"), members, label, start, start + 39, learnt_until=None)
    for ridge, is_split_there in ((0.5, True), (2, False)):
        blender = BoostedBlender.fit(rows, EnsembleSpec(method="stack", meta="boosting", ridge=ridge))
        steps = np.flatnonzero(np.abs(np.diff(blender.apply(members)[:, 0] - start / 800)) > 1e-9)
        assert (steps.max() > 340) == is_split_there
        assert blender.weights == {"a": 1, "silent": 0}


def test_each_round_takes_a_twentieth_of_what_a_shrunk_leaf_says() -> None:
    """Two halves of 200 independent rows, worth 1 and -1; a leaf is shrunk by as many rows as `ridge`."""
    sign = np.repeat([-1.0, 1.0], 200)
    members = {"a": sign[:, None] * 1e-6}
    rows = OutOfSample.of(Objective(task="regression"), members, sign, range(400), range(400), learnt_until=None)
    for ridge in (20, 150):
        blender = BoostedBlender.fit(rows, EnsembleSpec(method="stack", meta="boosting", ridge=ridge))
        expected = 1 - (1 - 0.05 * 200 / (200 + ridge)) ** 20
        np.testing.assert_allclose(blender.apply(members)[:, 0], sign * expected, atol=1e-5)


@TASKS
def test_equal_rows_give_equal_bytes(market: Market, task: str) -> None:
    rows = market(task)
    assert BoostedBlender.fit(rows, SPEC).model_dump_json() == BoostedBlender.fit(rows, SPEC).model_dump_json()
