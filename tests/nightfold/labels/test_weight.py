"""Uniqueness and stored weights against worked examples and slow loops."""

from collections.abc import Callable
from math import log

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.errors import ConfigError
from nightfold.labels.barrier import TripleBarrier, outcomes, panel_volatility
from nightfold.labels.panel import read_panel
from nightfold.labels.weight import average_uniqueness, stored_weights

Bars = Callable[..., pl.DataFrame]


def test_the_worked_spans_have_their_uniqueness() -> None:
    assert average_uniqueness([1, 2, 4], [2, 2, 4]).tolist() == [0.75, 0.5, 1.0]


def test_no_labels_have_no_weights() -> None:
    assert average_uniqueness([], []).size == 0


@given(st.lists(st.tuples(st.integers(-5, 40), st.integers(0, 12)), min_size=1, max_size=40))
@settings(max_examples=100)
def test_uniqueness_equals_counting_by_hand(spans: list[tuple[int, int]]) -> None:
    bars = [set(range(start, start + length + 1)) for start, length in spans]
    expected = [np.mean([1 / sum(bar in other for other in bars) for bar in span]) for span in bars]
    start, length = np.array(spans).T
    found = average_uniqueness(start, start + length)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert ((found > 0) & (found <= 1)).all()


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ([1, 5], [2, 4], "before `start` in 1 labels"),
        ([0.5], [1.0], "whole bar positions"),
        ([1], [1, 2], "one of each"),
    ],
)
def test_impossible_spans_are_refused(start: list, end: list, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        average_uniqueness(start, end)


def weights_of(bars: pl.DataFrame, barrier: TripleBarrier) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    panel = read_panel(bars, "5m")
    (ended,) = outcomes(panel, panel_volatility(panel, barrier), [barrier])
    return ended.decided, *stored_weights(panel, ended, barrier.horizon)


def test_stored_weights_equal_the_slow_sum_with_open_labels_alive_to_the_end_of_their_stretch(
    random_bars: Bars,
) -> None:
    bars = random_bars(90, 8, [*range(60), *range(70, 100)])
    barrier = TripleBarrier(horizon=9, volatility_bars=10)
    decided, uniqueness, weight = weights_of(bars, barrier)
    close = bars["close"].to_list()
    has_barriers = [10 <= row < 60 or row >= 70 for row in range(90)]
    alive = [
        range(row + 1, (decided[row] if decided[row] >= 0 else (59 if row < 60 else 89)) + 1)
        if has_barriers[row]
        else []
        for row in range(90)
    ]
    for row in range(90):
        if decided[row] < 0:
            assert np.isnan([uniqueness[row], weight[row]]).all()
            continue
        share = {bar: 1 / sum(bar in other for other in alive) for bar in alive[row]}
        earned = sum(log(close[bar] / close[bar - 1]) * part for bar, part in share.items())
        assert uniqueness[row] == pytest.approx(np.mean(list(share.values())), rel=1e-12)
        assert weight[row] == pytest.approx(uniqueness[row] * abs(earned), rel=1e-12, abs=1e-16)
    assert (decided[50:60] < 0).any()
    assert (decided[:60] >= 0).sum() > 30


def test_a_weight_never_changes_once_it_is_known(random_bars: Bars) -> None:
    bars = random_bars(120, 9, [*range(70), *range(75, 125)])
    barrier = TripleBarrier(horizon=8, volatility_bars=10)
    _, unique_at_last, weight_at_last = weights_of(bars, barrier)
    for length in range(20, 120):
        decided, uniqueness, weight = weights_of(bars.head(length), barrier)
        known = decided >= 0
        assert (uniqueness[known] == unique_at_last[:length][known]).all()
        assert (weight[known] == weight_at_last[:length][known]).all()
