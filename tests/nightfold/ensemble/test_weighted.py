"""Weights on the simplex: as good as any grid finds, equal where nothing is known."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.rows import OutOfSample
from nightfold.ensemble.weighted import WeightedBlender
from nightfold.models.objective import Objective

Market = Callable[..., OutOfSample]
TASKS = ("three_class", "binary", "regression", "quantile")


def penalised(rows: OutOfSample, weights: np.ndarray, shrinkage: float) -> float:
    """The stated function, row by row."""
    members = list(rows.members.values())

    def mean_loss(shares: np.ndarray) -> float:
        total = 0.0
        for place, label in enumerate(rows.label):
            told = sum(share * member[place] for share, member in zip(shares, members, strict=True))
            if rows.objective.task == "regression":
                loss = (label - told[0]) ** 2 / 2
            elif rows.objective.task == "quantile":
                miss = label - told
                levels = np.array(rows.objective.quantiles)
                loss = float(np.mean(np.where(miss > 0, levels * miss, (levels - 1) * miss)))
            else:
                loss = -np.log(told[rows.objective.classes.index(int(label))])
            total += rows.weight[place] * loss
        return float(total / rows.weight.sum())

    equal = np.full(len(members), 1 / len(members))
    unit = {"regression": 2 * mean_loss(equal), "quantile": mean_loss(equal)}.get(rows.objective.task, 1.0)
    distance = float((equal * np.log(equal / weights)).sum())
    return mean_loss(weights) / unit + shrinkage / rows.independent * distance


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("shrinkage", [1.0, 30.0])
def test_no_other_weights_are_better(market: Market, task: str, shrinkage: float) -> None:
    rows = market(task, rows=240)
    found = np.array(WeightedBlender.fit(rows, EnsembleSpec(shrinkage=shrinkage)).shares)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    best = penalised(rows, found, shrinkage)
    slack = 2e-3 if task == "quantile" else 1e-9  # the kink of the pinball loss is rounded
    steps = np.linspace(0.02, 0.96, 13)
    grid = [(a, b, 1 - a - b) for a in steps for b in steps if a + b < 0.99]
    near = [found + 0.01 * np.array(way) for way in [(1, -1, 0), (-1, 1, 0), (1, 0, -1), (-1, 0, 1), (0, 1, -1)]]
    for weights in [*grid, *(each for each in near if (each > 0).all())]:
        assert best <= penalised(rows, np.array(weights), shrinkage) + slack


def test_squared_error_weights_are_those_a_general_optimiser_finds(market: Market) -> None:
    rows = market("regression")
    told = np.column_stack(list(rows.members.values()))
    share = rows.weight / rows.weight.sum()
    unit = 2 * (share * (rows.label - told.mean(axis=1)) ** 2).sum()

    def stated(scores: np.ndarray) -> float:
        weights = np.exp(scores) / np.exp(scores).sum()
        square = (share * (rows.label - told @ weights) ** 2).sum()
        return float(square / unit - 10 / rows.independent * np.log(weights).mean())

    scores = minimize(stated, np.zeros(3), method="BFGS", options={"gtol": 1e-9}).x
    found = WeightedBlender.fit(rows, EnsembleSpec()).shares
    np.testing.assert_allclose(found, np.exp(scores) / np.exp(scores).sum(), atol=1e-5)


def test_log_loss_weights_are_those_of_expectation_maximisation(market: Market) -> None:
    rows = market("three_class", noise=(0.3, 1, 3, 0.5))
    found = WeightedBlender.fit(rows, EnsembleSpec(shrinkage=5)).shares
    given = np.array([m[np.arange(len(rows)), rows.label + 1] for m in rows.members.values()])
    weights, prior = np.full(4, 0.25), 5 / rows.independent
    for _ in range(20_000):
        parts = weights[:, None] * given
        parts = (parts / parts.sum(axis=0) * rows.weight).sum(axis=1) / rows.weight.sum()
        weights = (parts + prior / 4) / (1 + prior)
    np.testing.assert_allclose(found, weights, rtol=0, atol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_better_members_count_more_and_few_rows_leave_weights_equal(market: Market, task: str) -> None:
    many = WeightedBlender.fit(market(task, rows=6000), EnsembleSpec(shrinkage=1)).weights
    assert many["m0"] > many["m1"] > many["m2"] > 0
    few = WeightedBlender.fit(market(task, rows=6000), EnsembleSpec(shrinkage=1e7)).weights
    np.testing.assert_allclose(list(few.values()), 1 / 3, atol=1e-3)


def test_overlap_weakens_the_evidence(market: Market) -> None:
    rows = market("regression")
    longer = OutOfSample.of(
        rows.objective, rows.members, rows.label, rows.start, rows.end + 50, rows.weight, learnt_until=None
    )
    short, long = (WeightedBlender.fit(each, EnsembleSpec()).weights["m0"] for each in (rows, longer))
    assert 1 / 3 < long < short


def test_a_blend_is_the_weighted_mean_row_by_row(market: Market) -> None:
    rows = market("quantile")
    blender = WeightedBlender(objective=rows.objective, members=["m1", "m0", "m2"], shares=[0.5, 0.3, 0.2])
    m0, m1, m2 = rows.members.values()
    np.testing.assert_allclose(blender.apply(rows.members), 0.5 * m1 + 0.3 * m0 + 0.2 * m2, rtol=0, atol=1e-12)


def test_members_that_gave_no_chance_to_what_came_and_members_that_never_err_are_survived() -> None:
    sure = {"right": np.tile([0.0, 0, 1], (50, 1)), "wrong": np.tile([1.0, 0, 0], (50, 1))}
    rows = OutOfSample.of(Objective(), sure, np.ones(50), range(50), range(50), learnt_until=None)
    assert WeightedBlender.fit(rows, EnsembleSpec(shrinkage=0.1)).weights["right"] > 0.99
    exact = {name: np.ones((50, 1)) for name in "ab"}
    rows = OutOfSample.of(Objective(task="regression"), exact, np.ones(50), range(50), range(50), learnt_until=None)
    assert WeightedBlender.fit(rows, EnsembleSpec()).shares == pytest.approx([0.5, 0.5])
