"""How much trials move together, pair by pair against numpy."""

import math
from itertools import combinations

import numpy as np
import pytest

from nightfold.errors import SchemaError
from nightfold.tearsheet.measures import effective_trials, mean_correlation


def pairwise(returns: np.ndarray) -> list[float]:
    """Correlation of each pair on the days both have, where they share half of them and both vary."""
    found = []
    for first, second in combinations(returns.T, 2):
        both = ~np.isnan(first) & ~np.isnan(second)
        one, other = first[both], second[both]
        if both.sum() >= len(returns) / 2 and len(set(one)) > 1 and len(set(other)) > 1:
            found.append(np.corrcoef(one, other)[0, 1])
    return found


def test_trials_on_the_same_days_have_the_mean_of_numpys_matrix() -> None:
    random = np.random.default_rng(1)
    returns = 0.01 * (random.normal(size=(90, 1)) + random.normal(size=(90, 12)))
    matrix = np.corrcoef(returns.T)
    assert mean_correlation(returns) == pytest.approx(matrix[np.triu_indices(12, 1)].mean())


@pytest.mark.parametrize("seed", range(4))
def test_each_pair_is_compared_on_the_days_it_shares(seed: int) -> None:
    random = np.random.default_rng(seed)
    returns = random.normal(size=(40, 9))
    begins, ends = random.integers(0, 20, 9), random.integers(15, 41, 9)
    day = np.arange(40)[:, None]
    returns = np.where((day >= begins) & (day < ends), returns, np.nan)
    returns[:, 3] = 0.0  # never traded
    returns[:30, 4] = 0.7  # traded late: does not vary on the days it shares with some
    known = pairwise(returns)
    assert 0 < len(known) < 36
    assert mean_correlation(returns) == pytest.approx(np.mean(known))


def test_copies_are_one_trial_and_opposites_cancel() -> None:
    one = np.random.default_rng(2).normal(size=60)
    copies = mean_correlation(np.stack([one, one, 2 * one], axis=1))
    assert copies == pytest.approx(1)
    assert effective_trials(3, copies or 0) == pytest.approx(1)
    assert mean_correlation(np.stack([one, -one], axis=1)) == pytest.approx(-1)


def test_under_two_trials_that_vary_nothing_is_known() -> None:
    one = np.random.default_rng(3).normal(size=(60, 1))
    still = np.full((60, 3), 0.1 + 0.2)
    for returns in (one, np.hstack([one, still]), still, np.empty((60, 0)), np.empty((0, 3))):
        assert mean_correlation(returns) is None
    half = np.where(np.arange(60)[:, None] < 29, np.nan, one)
    assert mean_correlation(np.hstack([one, half])) == pytest.approx(1)
    apart = np.where(np.arange(60)[:, None] < 31, np.nan, one)
    assert mean_correlation(np.hstack([one, apart])) is None


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(SchemaError, match="has 1 dimensions; it must be a table of days by trials"):
        mean_correlation([0.1, math.nan])
