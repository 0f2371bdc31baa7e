"""Sequential bootstrap against the textbook loop over an indicator matrix."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.errors import ConfigError
from nightfold.labels.bootstrap import sequential_bootstrap
from nightfold.labels.weight import average_uniqueness


def textbook_chances(start: np.ndarray, end: np.ndarray, drawn: list[int]) -> np.ndarray:
    """Average uniqueness that each label would have if it were drawn next, normalised."""
    positions = np.arange(start.min(), end.max() + 1)
    inside = (positions >= start[:, None]) & (positions <= end[:, None])
    with_it = inside + inside[drawn].sum(axis=0)
    uniqueness = np.where(inside, 1 / np.maximum(with_it, 1), 0).sum(axis=1) / inside.sum(axis=1)
    return uniqueness / uniqueness.sum()


def textbook_loop(start: np.ndarray, end: np.ndarray, draws: int, seed: int) -> list[int]:
    random, drawn = np.random.default_rng(seed), []
    for _ in range(draws):
        drawn.append(int(random.choice(start.size, p=textbook_chances(start, end, drawn))))
    return drawn


def test_the_chances_after_a_draw_are_those_of_the_book() -> None:
    start, end = np.array([0, 2, 4]), np.array([2, 3, 5])
    assert textbook_chances(start, end, [1]) == pytest.approx([5 / 14, 3 / 14, 6 / 14])
    seconds = Counter(
        after for seed in range(6000) for first, after in [sequential_bootstrap(start, end, 2, seed)] if first == 1
    )
    assert [seconds[label] / seconds.total() for label in range(3)] == pytest.approx([5 / 14, 3 / 14, 6 / 14], abs=0.03)


@given(
    st.lists(st.tuples(st.integers(-3, 60), st.integers(0, 25)), min_size=1, max_size=200),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_draws_equal_the_textbook_loop(spans: list[tuple[int, int]], seed: int) -> None:
    start, length = np.array(sorted(spans, key=lambda span: span[0])).T
    found = sequential_bootstrap(start, start + length, 80, seed)
    assert found.tolist() == textbook_loop(start, start + length, 80, seed)


def test_draws_equal_the_textbook_loop_where_sums_span_several_blocks() -> None:
    random = np.random.default_rng(1)
    start = np.sort(random.integers(0, 3000, 9000))
    end = start + random.integers(0, 30, start.size)
    assert sequential_bootstrap(start, end, 40, 5).tolist() == quick_loop(start, end, 40, 5)
    assert sequential_bootstrap(start[:4096], end[:4096], 40, 6).tolist() == quick_loop(start[:4096], end[:4096], 40, 6)


def quick_loop(start: np.ndarray, end: np.ndarray, draws: int, seed: int) -> list[int]:
    """Take the textbook loop without its matrix."""
    random, times, drawn = np.random.default_rng(seed), np.zeros(end.max() + 1), []
    for _ in range(draws):
        uniqueness = np.array([np.mean(1 / (1 + times[a : b + 1])) for a, b in zip(start, end, strict=True)])
        label = int(random.choice(start.size, p=uniqueness / uniqueness.sum()))
        times[start[label] : end[label] + 1] += 1
        drawn.append(label)
    return drawn


def test_labels_in_another_order_are_drawn_alike() -> None:
    start, end = np.array([4, 0, 2]), np.array([5, 2, 3])
    order = np.argsort(start)
    sorted_draws = sequential_bootstrap(start[order], end[order], 50, 9)
    assert sequential_bootstrap(start, end, 50, 9).tolist() == order[sorted_draws].tolist()


def test_samples_drawn_in_sequence_are_more_unique_than_plain_ones() -> None:
    start = np.arange(100)
    end = start + np.random.default_rng(0).integers(0, 10, start.size)
    plain, sequential = [], []
    for seed in range(200):
        rows = np.random.default_rng(seed).integers(0, start.size, 20)
        plain.append(average_uniqueness(start[rows], end[rows]).mean())
        rows = sequential_bootstrap(start, end, 20, seed)
        sequential.append(average_uniqueness(start[rows], end[rows]).mean())
    assert np.mean(sequential) > 1.1 * np.mean(plain)


def test_nothing_is_drawn_from_nothing_and_impossible_wishes_are_refused() -> None:
    assert sequential_bootstrap([], []).size == 0
    assert sequential_bootstrap([1], [2], draws=0).size == 0
    with pytest.raises(ConfigError, match="`draws` is 3 from 0 labels"):
        sequential_bootstrap([], [], draws=3)
    with pytest.raises(ConfigError, match="`draws` is -1"):
        sequential_bootstrap([1], [2], draws=-1)
    with pytest.raises(ConfigError, match="before `start`"):
        sequential_bootstrap([2], [1])
