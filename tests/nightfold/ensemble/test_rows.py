"""Out-of-sample rows: what is refused, and how they are halved."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.ensemble.rows import OutOfSample, gathered
from nightfold.errors import ConfigError, SchemaError
from nightfold.models.objective import Objective

MEAN = Objective(task="regression")


def rows(start: list[int], end: list[int], **changed: Any) -> OutOfSample:
    given_: dict[str, Any] = {
        "members": {"a": np.zeros((len(start), 1))},
        "label": np.zeros(len(start)),
        "learnt_until": None,
    }
    return OutOfSample.of(MEAN, start=start, end=end, **{**given_, **changed})


def test_rows_whose_labels_begin_before_training_labels_ended_are_refused() -> None:
    start, end = [5, 6, 7], [8, 9, 9]
    assert len(rows(start, end, learnt_until=4)) == 3
    with pytest.raises(SchemaError, match="1 rows whose labels begin before"):
        rows(start, end, learnt_until=5)
    with pytest.raises(SchemaError, match="2 rows whose labels begin before"):
        rows(start, end, learnt_until=[4, 6, 8])
    assert len(rows(start, end, learnt_until=[4, 5, 6])) == 3


def test_training_ends_are_compared_as_times_where_spans_are_times() -> None:
    times = pl.datetime_range(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 2, tzinfo=UTC), "1h", eager=True)
    made: dict[str, Any] = {"members": {"a": np.zeros((3, 1))}, "label": np.zeros(3)}
    kept = OutOfSample.of(MEAN, start=times, end=times, learnt_until=datetime(2023, 12, 31, 23, tzinfo=UTC), **made)
    assert kept.start[0] == 1_704_067_200_000
    for until in (datetime(2024, 1, 1, tzinfo=UTC), times):
        with pytest.raises(SchemaError, match="rows whose labels begin"):
            OutOfSample.of(MEAN, start=times, end=times, learnt_until=until, **made)
    with pytest.raises(SchemaError, match="both times or both bar positions"):
        OutOfSample.of(MEAN, start=times, end=times, learnt_until=3, **made)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"weight": [0, 0, 0]}, "all 0"),
        ({"weight": [1, -1, 1]}, "negative"),
        ({"label": [0, np.nan, 0]}, "labels that the task regression does not have"),
        ({"label": [0, 0]}, "2 labels, 3 spans"),
        ({"members": {}}, "at least one"),
        ({"members": {"a": np.zeros((3, 1)), "b": np.zeros((3, 3))}}, r"`b` \(3, 3\)"),
        ({"members": {"a": np.zeros((2, 1))}}, r"`a` \(2, 1\)"),
        ({"members": {"a": np.array([[0], [np.inf], [0]])}}, "`a` hold NaN or infinity"),
    ],
)
def test_faulty_rows_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        rows([1, 2, 3], [2, 3, 4], **changed)


def test_unknown_label_ends_are_refused() -> None:
    times = pl.Series([datetime(2024, 1, 1, tzinfo=UTC)] * 2)
    with pytest.raises(SchemaError, match="1 labels whose end is unknown"):
        OutOfSample.of(MEAN, {"a": np.zeros((2, 1))}, [0, 0], times, pl.Series([times[0], None]), learnt_until=None)


def test_mixed_tasks_do_not_blend() -> None:
    three, two = np.full((4, 3), 1 / 3), np.full((4, 2), 1 / 2)
    with pytest.raises(SchemaError, match="same rows and task"):
        gathered(Objective(), {"three": three, "two": two})
    with pytest.raises(SchemaError, match="not summing to 1"):
        gathered(Objective(), {"values": np.array([[0.1, 0.2, 0.3]])})
    with pytest.raises(SchemaError, match="does not have"):
        OutOfSample.of(Objective(), {"a": three}, [0, 1, 2, -1], range(4), range(4), learnt_until=None)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_no_label_of_the_earlier_half_meets_one_of_the_later(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    start = random.integers(0, 200, size)
    end = start + random.integers(0, 30, size)
    whole = rows(start.tolist(), end.tolist(), label=np.arange(size) * 1.0)
    try:
        earlier, later = whole.halves()
    except ConfigError:
        return
    for first, last in zip(earlier.start, earlier.end, strict=True):
        assert not ((later.start <= last) & (later.end >= first)).any()
    middle = (start.min() + start.max() + 1) // 2
    assert set(later.label) == set(np.flatnonzero(start >= middle))
    assert set(earlier.label) == set(np.flatnonzero((start < middle) & (end < middle)))


def test_rows_too_few_for_two_halves_are_an_error() -> None:
    with pytest.raises(ConfigError, match="no rows for train"):
        rows([1, 1, 1], [2, 2, 2]).halves()


def test_overlapping_labels_and_symbols_of_one_moment_count_once() -> None:
    start = np.repeat(np.arange(3000), 2)
    assert rows(start.tolist(), start.tolist()).independent == 3000
    assert rows(start.tolist(), (start + 10).tolist()).independent == pytest.approx(300, rel=0.01)
    uneven = rows([0, 1, 2, 3, 4, 5], [1, 2, 6, 6, 6, 6])  # lengths 1, 1, 4, 3, 2, 1: two a moment on average
    assert uneven.independent == pytest.approx(3)
    with_hole = rows([0, 1, 10, 11], [1, 11, 11, 11])
    assert with_hole.span_lengths.tolist() == [2, 3, 2, 1]


def test_parts_and_leaving_out_keep_rows_together() -> None:
    whole = rows(
        [1, 2, 3], [1, 2, 3], members={"a": np.array([[1.0], [2], [3]]), "b": np.zeros((3, 1))}, label=[4, 5, 6]
    )
    part = whole.take(np.array([2, 0])).without("b")
    assert part.names == ("a",)
    assert (part.members["a"].ravel().tolist(), part.label.tolist(), part.start.tolist()) == ([3, 1], [6, 4], [3, 1])


def test_parts_remember_which_rows_are_untouched_and_times_are_read_as_such() -> None:
    times = pl.Series([datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 9)])
    whole = OutOfSample.of(
        MEAN,
        {"a": np.zeros((8, 1)), "b": np.ones((8, 1))},
        range(8),
        times,
        times,
        learnt_until=None,
        untouched_from=times[6],
    )
    for rows_ in (whole, whole.without("b"), whole.take(np.arange(8))):
        earlier, later = rows_.halves()
        assert (earlier.label.tolist(), later.label.tolist()) == ([0, 1, 2, 3, 4, 5], [6, 7])
