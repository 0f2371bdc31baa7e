"""Rounds: the best so far, when a search ends, and what makes it another search."""

from datetime import UTC, datetime, timedelta

import pytest

from nightfold.experiment import Experiment
from nightfold.improve.round import Round, best, end_of, search_id
from nightfold.improve.stretch import Stretch
from nightfold.tuning.spec import Range

START = datetime(2024, 1, 1, tzinfo=UTC)
STRETCH = Stretch(START, START + timedelta(days=60), START + timedelta(days=90))


def rounds(*scores):
    return [
        Round(
            search="s",
            number=number,
            overrides={},
            experiment=f"e_{number}",
            variant=str(number),
            until=STRETCH.until,
            end=STRETCH.end,
            score=score,
            days=60,
            trades=1,
            total_return=0.0,
            max_drawdown=0.0,
        )
        for number, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("scores", "leader"),
    [([0.5], 0), ([0.5, 1.0, 0.7], 1), ([1.0, 1.0], 0), ([-1.0, 0.0, 0.0], 1), ([None, -9.0], 1), ([None, None], 0)],
)
def test_the_best_is_the_highest_and_of_equals_the_first(scores, leader) -> None:
    assert best(rounds(*scores)).number == leader


@pytest.mark.parametrize(
    ("scores", "trials", "patience", "said"),
    [
        ([], 3, 2, None),
        ([0.0], 3, 2, None),
        ([0.0, 0.0], 3, 2, None),
        ([0.0, 0.0, 0.0], 9, 2, "2 rounds in a row"),
        ([0.0, 1.0, 0.5], 9, 2, None),
        ([0.0, 1.0, 0.5, 1.0], 9, 2, "2 rounds in a row"),
        ([0.0, 1.0, 2.0], 3, 2, "the budget of 3"),
    ],
)
def test_a_search_ends_by_budget_or_patience(scores, trials, patience, said) -> None:
    found = end_of(rounds(*scores), trials, patience)
    assert found is None if said is None else said in str(found)


def test_whatever_decides_the_rounds_makes_another_search() -> None:
    base = Experiment.model_validate(
        {"name": "e", "first_as_of": "2024-01-01", "models": {"logistic_regression": None}}
    )
    space = {"seed": [1, 2], "capital": Range(low=1.0, high=2.0)}
    known = search_id(base, space, STRETCH, 7, "code")
    assert known == search_id(base, dict(reversed(space.items())), STRETCH, 7, "code")
    assert known == search_id(base.model_copy(update={"description": "words"}), space, STRETCH, 7, "code")
    others = [
        search_id(base.model_copy(update={"capital": 5.0}), space, STRETCH, 7, "code"),
        search_id(base, {**space, "seed": [1, 3]}, STRETCH, 7, "code"),
        search_id(base, space, Stretch(START, STRETCH.until, STRETCH.end + timedelta(days=1)), 7, "code"),
        search_id(base, space, STRETCH, 8, "code"),
        search_id(base, space, STRETCH, 7, "other"),
    ]
    assert len({known, *others}) == 6
