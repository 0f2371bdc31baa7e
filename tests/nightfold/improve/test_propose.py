"""Proposals: decided by seed and history alone, new each time, and led to what scored well."""

from types import SimpleNamespace

import numpy as np

from nightfold.errors import ConfigError
from nightfold.improve.propose import propose
from nightfold.improve.variant import spell
from nightfold.tuning.spec import Range

SPACE = {"x": Range(low=0.0, high=10.0), "n": Range(low=1, high=100, log=True), "c": [["a"], ["a", "b"], None]}


def made(overrides):
    return SimpleNamespace(name=spell(overrides))


def search(space, worth, rounds, seed=1, make=made):
    told, names = [], []
    for _ in range(rounds):
        proposed = propose(space, told, seed, make, names)
        if proposed is None:
            break
        overrides, variant = proposed
        told.append((overrides, worth(overrides)))
        names.append(variant.name)
    return told


def test_the_same_seed_and_history_give_the_same_proposals() -> None:
    one = search(SPACE, lambda each: each["x"], 8)
    assert search(SPACE, lambda each: each["x"], 8) == one
    assert search(dict(reversed(SPACE.items())), lambda each: each["x"], 8) == one
    assert search(SPACE, lambda each: each["x"], 8, seed=2) != one


def test_a_search_goes_on_from_what_it_was_told() -> None:
    told = search(SPACE, lambda each: each["x"], 6)
    proposed = propose(SPACE, told[:4], 1, made, [])
    assert proposed is not None
    assert proposed[0] == told[4][0]


def test_values_lie_in_the_space() -> None:
    for overrides, _ in search(SPACE, lambda each: each["x"], 12):
        assert 0 <= overrides["x"] <= 10
        assert isinstance(overrides["n"], int)
        assert 1 <= overrides["n"] <= 100
        assert overrides["c"] in SPACE["c"]


def test_good_scores_lead() -> None:
    """On a peak at 7, later proposals are nearer than even draws, whose mean distance is (7^2 + 3^2) / 20 = 2.9."""
    space = {"x": Range(low=0.0, high=10.0)}
    runs = [search(space, lambda each: -abs(each["x"] - 7), 20, seed) for seed in range(5)]
    away = np.abs(np.array([[each["x"] for each, _ in run] for run in runs]) - 7)
    assert away[:, 10:].mean() < 0.6 * 2.9


def test_a_ruined_account_is_no_score_and_ends_nothing() -> None:
    told = search(SPACE, lambda each: None if each["x"] > 5 else each["x"], 12)
    assert len(told) == 12
    assert any(score is None for _, score in told)


def test_nothing_is_proposed_twice_and_a_small_space_ends() -> None:
    told = search({"x": [1, 2, 3], "y": [True, False]}, lambda each: each["x"], 10)
    found = [(each["x"], each["y"]) for each, _ in told]
    assert sorted(found) == [(x, y) for x in (1, 2, 3) for y in (False, True)]


def test_settings_that_do_not_go_together_are_drawn_again() -> None:
    def picky(overrides):
        if overrides["x"] == overrides["y"]:
            raise ConfigError("they must differ")
        return made(overrides)

    told = search({"x": [1, 2, 3], "y": [1, 2, 3]}, lambda each: each["x"], 10, make=picky)
    assert len(told) == 6
    assert all(each["x"] != each["y"] for each, _ in told)
