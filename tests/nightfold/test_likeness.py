"""How alike the variants are that were looked at on some days."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.leaderboard import MEASURES, Run, RunCard
from nightfold.likeness import likeness

FIRST = date(2024, 1, 1)


def daily(returns: np.ndarray, first: date = FIRST) -> pl.DataFrame:
    days = [first + timedelta(days=day) for day in range(len(returns))]
    return pl.DataFrame({"day": days, "daily_return": returns})


def run(variant: str, frame: pl.DataFrame) -> Run:
    card = RunCard(
        experiment="e",
        variant=variant,
        choices="full",
        first_day=frame["day"][0],
        last_day=frame["day"][-1],
        days=frame.height,
        trades=1,
        gates_passed=0,
        gates=0,
        outcome="failed",
        measures=dict.fromkeys(MEASURES),
        version="v",
    )
    return Run(card, frame)


OWN, OTHER, THIRD = np.random.default_rng(1).normal(0, 0.01, (3, 60))


def test_it_is_the_mean_over_pairs_on_the_reported_days() -> None:
    before = np.random.default_rng(2).normal(0, 0.01, 25)
    longer = daily(np.concatenate([before, OTHER]), FIRST - timedelta(days=25))
    runs = [run("b", longer), run("c", daily(THIRD))]
    matrix = np.corrcoef([OWN, OTHER, THIRD])
    assert likeness(runs, "a", daily(OWN)) == pytest.approx(matrix[np.triu_indices(3, 1)].mean())


def test_the_reported_variants_own_cards_do_not_count_beside_it() -> None:
    own = run("a", daily(OWN[:50]))
    assert likeness([own], "a", daily(OWN)) is None
    assert likeness([own, run("b", daily(OTHER))], "a", daily(OWN)) == pytest.approx(np.corrcoef(OWN, OTHER)[0, 1])


def test_variants_of_other_days_or_that_never_traded_tell_nothing() -> None:
    elsewhere = run("b", daily(OTHER, FIRST + timedelta(days=31)))
    assert likeness([elsewhere, run("c", daily(np.zeros(60)))], "a", daily(OWN)) is None
    assert likeness([], "a", daily(OWN)) is None
