"""Diversity: closed forms, identities, and independent sums."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.ensemble.diversity import ambiguity, correlation, faults, pairs
from nightfold.ensemble.rows import OutOfSample
from nightfold.models.objective import Objective

Market = Callable[..., OutOfSample]


@pytest.mark.parametrize(
    ("table", "q", "disagreement", "double_fault"),
    [
        ((25, 25, 25, 25), 0.0, 0.5, 0.25),  # independent
        ((50, 0, 0, 50), 1.0, 0.0, 0.5),  # they always err together
        ((0, 50, 50, 0), -1.0, 1.0, 0.0),  # one errs where the other does not
        ((40, 20, 10, 30), 5 / 7, 0.3, 0.3),
        ((100, 0, 0, 0), None, 0.0, 0.0),  # nobody errs
    ],
)
def test_pairs_of_classifiers_by_hand(
    table: tuple[int, int, int, int], q: float | None, disagreement: float, double_fault: float
) -> None:
    """Rows where both are right, the first alone, the second alone, neither."""
    first = np.repeat([True, True, False, False], table)
    second = np.repeat([True, False, True, False], table)
    found = faults(first, second, np.full(100, 0.01))
    assert found["q_statistic"] == (None if q is None else pytest.approx(q))
    assert found["disagreement"] == pytest.approx(disagreement)
    assert found["double_fault"] == pytest.approx(double_fault)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_squared_error_of_a_mean_is_that_of_its_members_less_their_spread(seed: int, members: int) -> None:
    random = np.random.default_rng(seed)
    told = random.normal(size=(members, 40, 1))
    label, weight = random.normal(size=40), random.uniform(0.1, 2, 40)
    rows = OutOfSample.of(
        Objective(task="regression"),
        dict(zip("abcde", told, strict=False)),
        label,
        range(40),
        range(40),
        weight,
        learnt_until=None,
    )
    found = ambiguity(rows)
    spread = ((told[:, :, 0] - told[:, :, 0].mean(axis=0)) ** 2).mean(axis=0)
    assert found.gain == pytest.approx(np.average(spread, weights=weight), abs=1e-12)
    assert found.ensemble_loss == pytest.approx(np.average((label - told[:, :, 0].mean(axis=0)) ** 2, weights=weight))


@pytest.mark.parametrize("task", ["three_class", "binary", "quantile"])
def test_averaging_never_loses(market: Market, task: str) -> None:
    assert ambiguity(market(task)).gain > 0
    assert ambiguity(market(task, noise=(1.0,))).gain == pytest.approx(0, abs=1e-12)


def test_the_gap_of_log_loss_by_hand() -> None:
    """One row of which the members gave 1/2 and 1/8: the mean of their losses is ln 4, the mean's loss ln 3.2."""
    told = {"a": np.array([[0.25, 0.25, 0.5]]), "b": np.array([[0.5, 0.375, 0.125]])}
    rows = OutOfSample.of(Objective(), told, [1], [0], [0], learnt_until=None)
    assert ambiguity(rows).gain == pytest.approx(np.log(4) - np.log(3.2))


def test_correlations_are_those_of_numpy(market: Market) -> None:
    plain = market("regression")
    rows = OutOfSample.of(plain.objective, plain.members, plain.label, plain.start, plain.end, learnt_until=None)
    told = np.stack([member[:, 0] for member in rows.members.values()])
    np.testing.assert_allclose(correlation(rows, "forecasts"), np.corrcoef(told), atol=1e-12)
    np.testing.assert_allclose(correlation(rows), np.corrcoef(rows.label - told), atol=1e-12)
    three = market("three_class")
    told = np.stack([member[:, 2] - member[:, 0] for member in three.members.values()])
    by_numpy = np.cov(three.label - told, aweights=three.weight)
    scale = np.sqrt(np.diag(by_numpy))
    np.testing.assert_allclose(correlation(three), by_numpy / scale / scale[:, None], atol=1e-12)
    binary = market("binary")
    told = np.stack([member[:, 1] for member in binary.members.values()])
    by_numpy = np.cov(told, aweights=binary.weight)
    scale = np.sqrt(np.diag(by_numpy))
    np.testing.assert_allclose(correlation(binary, "forecasts"), by_numpy / scale / scale[:, None], atol=1e-12)


def test_errors_of_quantiles_are_pinball_losses(market: Market) -> None:
    rows = market("quantile")
    losses = []
    for member in rows.members.values():
        miss = rows.label[:, None] - member
        losses.append(np.where(miss > 0, miss * [0.05, 0.5, 0.95], miss * [-0.95, -0.5, -0.05]).mean(axis=1))
    by_numpy = np.cov(losses, aweights=rows.weight)
    scale = np.sqrt(np.diag(by_numpy))
    np.testing.assert_allclose(correlation(rows), by_numpy / scale / scale[:, None], atol=1e-12)
    np.testing.assert_allclose(np.diag(correlation(rows, "forecasts")), 1)


def test_every_pair_has_a_line_and_what_cannot_be_told_is_null(market: Market) -> None:
    rows = market("three_class")
    flat = {**rows.members, "flat": np.full((len(rows), 3), 1 / 3)}
    found = pairs(OutOfSample.of(rows.objective, flat, rows.label, rows.start, rows.end, learnt_until=None))
    assert found.height == 6
    assert found.filter(second="flat")["forecast_correlation"].null_count() == 3
    right = [member.argmax(axis=1) - 1 == rows.label for member in rows.members.values()]
    assert found["double_fault"][0] == pytest.approx(np.mean(~right[0] & ~right[1]))
    assert found["disagreement"][1] == pytest.approx(np.mean(right[0] != right[2]))
    assert pairs(market("quantile")).columns == ["first", "second", "forecast_correlation", "error_correlation"]
    assert pairs(market("quantile", noise=(1.0,))).is_empty()
