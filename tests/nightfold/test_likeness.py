"""How alike the variants are that were looked at on some days."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.likeness import likeness

FIRST = date(2024, 1, 1)


def daily(returns: np.ndarray) -> pl.DataFrame:
    days = [FIRST + timedelta(days=day) for day in range(len(returns))]
    return pl.DataFrame({"day": days, "daily_return": returns})


OWN, OTHER, THIRD = np.random.default_rng(1).normal(0, 0.01, (3, 60))


def test_it_is_the_mean_over_pairs_on_the_reported_days(looked_at) -> None:
    before = np.random.default_rng(2).normal(0, 0.01, 25)
    longer = looked_at("b", np.concatenate([before, OTHER]), FIRST - timedelta(days=25))
    runs = [longer, looked_at("c", THIRD)]
    matrix = np.corrcoef([OWN, OTHER, THIRD])
    assert likeness(runs, "a", daily(OWN)) == pytest.approx(matrix[np.triu_indices(3, 1)].mean())


def test_the_reported_variants_own_cards_do_not_count_beside_it(looked_at) -> None:
    own = looked_at("a", OWN[:50])
    assert likeness([own], "a", daily(OWN)) is None
    assert likeness([own, looked_at("b", OTHER)], "a", daily(OWN)) == pytest.approx(np.corrcoef(OWN, OTHER)[0, 1])


def test_variants_of_other_days_or_that_never_traded_tell_nothing(looked_at) -> None:
    elsewhere = looked_at("b", OTHER, FIRST + timedelta(days=31))
    assert likeness([elsewhere, looked_at("c", np.zeros(60))], "a", daily(OWN)) is None
    assert likeness([], "a", daily(OWN)) is None
