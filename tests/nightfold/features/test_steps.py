"""Steps in time against NumPy, which makes an array of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nightfold.features import steps

Rows = NDArray[np.int64]


@pytest.fixture
def times() -> Rows:
    """Three runs of rising times, with a hole in each; the second begins a step after the first, the third before."""
    first = np.array([0, 5, 10, 20, 25])
    return np.concatenate([first, 30 + first, 40 + first])


BEGINS = np.array([0, 5, 10])


def test_times_that_begin_anew_need_not_rise(times: Rows) -> None:
    assert steps.rise(times, BEGINS)
    assert not steps.rise(times, np.array([0, 5]))
    assert not steps.rise(np.array([0, 5, 5]), np.array([0]))


def test_a_fall_within_a_run_is_not_made_up_for_by_a_rise_where_one_begins(times: Rows) -> None:
    times[3] = times[2]
    assert not steps.rise(times, BEGINS)


def test_the_smallest_step_is_within_a_run(times: Rows) -> None:
    assert steps.smallest(times, BEGINS) == 5
    assert steps.smallest(times[::2], np.array([0])) == np.diff(times[::2]).min()
    assert steps.smallest(np.array([7, 1]), np.array([0, 1])) == 0
    assert steps.smallest(times[:0], np.array([0])[:0]) == 0


def test_rows_after_another_step_are_told(times: Rows) -> None:
    np.testing.assert_array_equal(steps.unlike(times, 5), 1 + np.flatnonzero(np.diff(times) != 5))
    assert len(steps.unlike(times[:1], 5)) == 0
