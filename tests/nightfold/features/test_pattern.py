"""Order within windows, by hand and by slow loops."""

from itertools import permutations

import numpy as np
import pytest

from nightfold.features import pattern


def test_streak_counts_changes_of_one_sign_and_stops_at_the_limit() -> None:
    change = np.array([np.nan, 1, 2, -1, -1, -1, -1, 0, 3.0])
    np.testing.assert_array_equal(pattern.streak(change, 3), [np.nan, 1, 2, -1, -2, -3, -3, 0, 1])


def test_percentile_rank_counts_ties_half() -> None:
    np.testing.assert_array_equal(
        pattern.percentile_rank(np.array([1.0, 2, 3, 2, 2]), 4), [np.nan, np.nan, np.nan, 0.5, 1 / 3]
    )


def test_permutation_entropy_is_one_where_all_orders_are_equally_frequent() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(size=4_002)
    assert pattern.permutation_entropy(noise, 4_002)[-1] == pytest.approx(1, abs=1e-3)
    assert pattern.permutation_entropy(np.arange(50.0), 20)[-1] == 0


def test_permutation_entropy_equals_a_count_of_sorted_triples() -> None:
    values = np.round(np.random.default_rng(4).normal(size=80), 1)
    orders = list(permutations(range(3)))
    result = pattern.permutation_entropy(values, 30)
    for i in range(29, 80):
        window = values[i - 29 : i + 1]
        kinds = [orders.index(tuple(np.argsort(window[k : k + 3], kind="stable").tolist())) for k in range(28)]
        shares = np.bincount(kinds) / 28
        entropy = -sum(share * np.log(share) for share in shares if share) / np.log(6)
        assert result[i] == pytest.approx(entropy, abs=1e-12)
