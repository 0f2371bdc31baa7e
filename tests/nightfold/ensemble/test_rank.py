"""Ranks within frozen distributions."""

from collections.abc import Callable

import numpy as np
import pytest

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.rank import RankBlender, place_in
from nightfold.ensemble.rows import OutOfSample
from nightfold.models.metrics import up_share

Market = Callable[..., OutOfSample]
TASKS = ("three_class", "binary", "regression", "quantile")
SPEC = EnsembleSpec(method="rank")


def places(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of the distribution under each value, half of what equals it: counted one by one."""
    return np.array([(np.sum(among < value) + 0.5 * np.sum(among == value)) / len(among) for value in values])


def test_places_are_those_that_counting_finds() -> None:
    random = np.random.default_rng(0)
    among = random.normal(size=5_000)
    values = random.normal(size=200)
    np.testing.assert_allclose(
        place_in(values, np.quantile(among, np.linspace(0, 1, 257))), places(values, among), atol=0.004
    )
    steps = random.integers(0, 4, 5_000).astype(float)
    found = place_in(np.arange(4.0), np.quantile(steps, np.linspace(0, 1, 257)))
    np.testing.assert_allclose(found, places(np.arange(4.0), steps), atol=0.004)
    assert place_in(np.array([7.0]), np.full(257, 7.0)).tolist() == [0.5]


def test_a_blend_has_the_mean_place_laid_into_the_distribution_of_the_mean(market: Market) -> None:
    rows = market("regression", rows=6000)
    members = [member[:, 0] for member in rows.members.values()]
    mean_place = np.mean([places(member, member) for member in members], axis=0)
    expected = np.quantile(np.mean(members, axis=0), places(mean_place, mean_place))
    found = RankBlender.fit(rows, SPEC).apply(rows.members)[:, 0]
    inner = np.abs(found) < 2
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.02)
    assert np.corrcoef(found, expected)[0, 1] > 0.999


@pytest.mark.parametrize("task", TASKS)
def test_other_rows_being_forecast_change_nothing(market: Market, task: str) -> None:
    blender = RankBlender.fit(market(task), SPEC)
    rows = market(task, seed=1).members
    whole = blender.apply(rows)
    assert np.array_equal(blender.apply({name: member[::7] for name, member in rows.items()}), whole[::7])
    assert np.array_equal(blender.apply({name: member[3:4] for name, member in rows.items()}), whole[3:4])


@pytest.mark.parametrize("task", TASKS)
def test_one_member_by_itself_stays_as_it_is(market: Market, task: str) -> None:
    rows = market(task, rows=6000, noise=(1.0,))
    found = RankBlender.fit(rows, SPEC).apply(rows.members)
    inner = np.abs(rows.members["m0"] - np.median(rows.members["m0"], axis=0)).max(axis=1) < 1.5
    np.testing.assert_allclose(found[inner], rows.members["m0"][inner], atol=0.01)


def test_the_scale_a_member_speaks_in_does_not_matter_to_the_order(market: Market) -> None:
    rows = market("regression")
    stretched = {name: np.exp(3 * member) if name == "m2" else member for name, member in rows.members.items()}
    other = OutOfSample.of(rows.objective, stretched, rows.label, rows.start, rows.end, learnt_until=None)
    plain, scaled = (RankBlender.fit(each, SPEC).apply(each.members)[:, 0] for each in (rows, other))
    assert np.corrcoef(plain.argsort().argsort(), scaled.argsort().argsort())[0, 1] > 0.9999
    means = [np.mean(list(each.members.values()), axis=0).ravel() for each in (rows, other)]
    assert np.corrcoef(means[0].argsort().argsort(), means[1].argsort().argsort())[0, 1] < 0.9


def test_direction_and_touch_are_ranked_apart(market: Market) -> None:
    rows = market("three_class")
    touch = np.random.default_rng(0).uniform(0.2, 0.9, len(rows))
    same = {
        name: np.column_stack([touch * (1 - up_share(p)), 1 - touch, touch * up_share(p)])
        for name, p in rows.members.items()
    }
    other = OutOfSample.of(rows.objective, same, rows.label, rows.start, rows.end, learnt_until=None)
    found = RankBlender.fit(other, SPEC).apply(same)
    np.testing.assert_allclose(1 - found[:, 1], touch, atol=0.01)  # all members agree on it
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-12)


def test_a_member_that_never_varies_leaves_the_order_to_the_others(market: Market) -> None:
    rows = market("regression", noise=(0.5,))
    two = {**rows.members, "flat": np.zeros((len(rows), 1))}
    other = OutOfSample.of(rows.objective, two, rows.label, rows.start, rows.end, learnt_until=None)
    found = RankBlender.fit(other, SPEC).apply(two)[:, 0]
    np.testing.assert_allclose(found, rows.members["m0"][:, 0] / 2, atol=0.02)
