"""Order within windows, by hand and by slow loops."""

from itertools import permutations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nightfold.features import pattern

Array = NDArray[np.float64]


@pytest.fixture
def many() -> Array:
    """More rows than are worked on together: small steps with repeats, one a million times the others, one unknown."""
    values = np.round(np.random.default_rng(6).normal(size=9_001).cumsum(), 1)
    values[3_000] *= 1e6
    values[6_000] = np.nan
    return values


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


@pytest.mark.parametrize("window", [2, 3, 4, 5, 60, 96])
def test_weighted_total_equals_a_product_for_each_window(many: Array, window: int) -> None:
    weights = np.random.default_rng(7).normal(size=window)
    ours = pattern.weighted_total(many, weights)
    assert np.isnan(ours[: window - 1]).all()
    windows = sliding_window_view(many, window)
    scale = np.abs(windows) @ np.abs(weights[::-1])
    np.testing.assert_array_equal(np.isnan(ours[window - 1 :]), np.isnan(scale))
    known = ~np.isnan(scale)
    assert (np.abs(ours[window - 1 :] - windows @ weights[::-1])[known] <= 1e-14 * window * scale[known]).all()


@pytest.mark.parametrize("window", [2, 20, 61])
def test_percentile_rank_equals_a_count_in_each_window(many: Array, window: int) -> None:
    many[6_000] = 0
    windows = sliding_window_view(many, window)
    own, others = windows[:, -1:], windows[:, :-1]
    twin = ((others < own).sum(1) + (others == own).sum(1) / 2) / (window - 1)
    ours = pattern.percentile_rank(many, window)
    assert np.isnan(ours[: window - 1]).all()
    np.testing.assert_allclose(ours[window - 1 :], twin, rtol=1e-15)


@pytest.mark.parametrize("window", [1, 7, 20, 61])
def test_mean_distance_equals_a_mean_in_each_window(many: Array, window: int) -> None:
    middle = np.round(np.random.default_rng(9).normal(size=len(many)), 1)
    twin = np.abs(sliding_window_view(many, window) - middle[window - 1 :, None]).mean(1)
    ours = pattern.mean_distance(many, middle, window)
    assert np.isnan(ours[: window - 1]).all()
    np.testing.assert_allclose(ours[window - 1 :], twin, rtol=1e-12)


def test_permutation_entropy_equals_a_count_over_many_rows(many: Array) -> None:
    many[6_000] = 0
    triples = sliding_window_view(many, 3)
    orders = np.argsort(triples, axis=1, kind="stable") @ [9, 3, 1]
    windows = sliding_window_view(orders, 58)
    shares = np.stack([(windows == order).mean(1) for order in np.unique(orders)])
    twin = -np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1)), 0).sum(0) / np.log(6)
    np.testing.assert_allclose(pattern.permutation_entropy(many, 60)[59:], twin, atol=1e-12)


def test_streak_equals_a_walk_over_many_rows(many: Array) -> None:
    changes = np.sign(np.diff(np.nan_to_num(many)))
    length, twin = 0, []
    for change in changes:
        length = 0 if change == 0 else length + int(change) if length * change > 0 else int(change)
        twin.append(max(min(length, 4), -4))
    np.testing.assert_array_equal(pattern.streak(changes, 4), twin)
