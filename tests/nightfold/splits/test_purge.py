"""The purged split against a slow walk over pairs of rows."""

from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nightfold.errors import ConfigError, SchemaError
from nightfold.splits.purge import PARTS, Parts, PurgedSplit

START = datetime(2024, 1, 1, tzinfo=UTC)
BAR = timedelta(minutes=5)

positions = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 25)), min_size=30, max_size=120)
gaps = st.integers(0, 6)


def split_or_none(purge: int, embargo: int, *spans: object) -> Parts | None:
    try:
        return PurgedSplit(purge=purge, embargo=embargo).split(*spans)  # type: ignore[arg-type]
    except ConfigError:
        return None


def times(values: np.ndarray) -> pl.Series:
    return pl.Series(
        [None if value < 0 else START + int(value) * BAR for value in values], dtype=pl.Datetime("ms", "UTC")
    )


def test_rows_are_cut_where_the_shares_say() -> None:
    rows = np.arange(10_000)
    parts = PurgedSplit().split(rows, rows + 20)
    assert parts.train.tolist() == list(range(7_000 - 348))
    assert parts.validation.tolist() == list(range(7_000, 8_500 - 348))
    assert parts.test.tolist() == list(range(8_500, 10_000))
    assert parts.purged.tolist() == [*range(6_940, 7_000), *range(8_440, 8_500)]
    assert parts.embargoed.tolist() == [*range(6_652, 6_940), *range(8_152, 8_440)]
    assert parts.unknown.size == parts.outside.size == 0


def test_long_labels_are_purged_one_by_one_and_their_short_neighbours_kept() -> None:
    rows = np.arange(100)
    ends = np.where(rows % 2 == 0, rows + 40, rows + 1)
    parts = PurgedSplit(purge=3, embargo=2).split(rows, ends)
    assert parts.train.tolist() == [*range(30), *range(31, 65, 2)]
    assert parts.purged.tolist() == [*range(30, 67, 2), 67, 68, 69, *range(70, 83, 2), 83, 84]
    assert parts.embargoed.tolist() == [65, 81]
    assert parts.validation.tolist() == [71, 73, 75, 77, 79]


@given(positions, gaps, gaps)
@settings(max_examples=150)
def test_no_label_meets_a_later_part_and_no_row_is_dropped_without_cause(
    spans: list[tuple[int, int]], purge: int, embargo: int
) -> None:
    start, length = np.array(spans).T
    end = start + length
    parts = split_or_none(purge, embargo, start, end)
    if parts is None:
        return
    borders = [start[parts.validation].min(), start[parts.test].min()]
    for earlier, later in ((parts.train, parts.validation), (parts.train, parts.test), (parts.validation, parts.test)):
        assert not any(end[one] >= start[other] for one in earlier for other in later)
        assert not any(start[one] > start[other] - purge - embargo - 1 for one in earlier for other in later)
    moments = np.unique(start)
    cuts = [moments[round(0.7 * len(moments))], moments[round(0.85 * len(moments))]]
    assert cuts[0] <= borders[0]
    for row in [*parts.purged, *parts.embargoed]:
        border = next(border for border in cuts if start[row] < border)
        assert end[row] >= border or start[row] >= border - purge - embargo
        assert (row in parts.purged) == (end[row] >= border or start[row] >= border - purge)


@given(positions, gaps, gaps, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_every_row_is_in_one_part_and_neither_order_nor_unit_changes_which(
    spans: list[tuple[int, int]], purge: int, embargo: int, random: Random
) -> None:
    spans = [*spans, (0, 1), (1, 1)]
    start, length = np.array(spans).T
    end = start + length
    parts = split_or_none(purge, embargo, start, end)
    order = list(range(len(spans)))
    random.shuffle(order)
    shuffled = split_or_none(purge, embargo, start[order], end[order])
    panel = split_or_none(purge, embargo, times(start), times(end), "5m")
    if parts is None:
        assert (shuffled, panel) == (None, None)
        return
    everything = np.concatenate([getattr(parts, name) for name in PARTS])
    assert sorted(everything.tolist()) == list(range(len(spans)))
    for name in PARTS:
        rows = set(getattr(parts, name).tolist())
        assert {order[row] for row in getattr(shuffled, name)} == rows
        assert set(getattr(panel, name).tolist()) == rows
        assert all(parts.part[row] == name for row in rows)
    for moment in set(start):
        kinds = {parts.part[int(row)] for row in np.flatnonzero(start == moment)}
        assert len(kinds & {"train", "validation", "test"}) <= 1


def test_a_label_that_is_not_known_is_in_no_part() -> None:
    start = np.arange(100)
    end = np.where(start % 10 == 3, -1, start + 1)
    parts = PurgedSplit(purge=1, embargo=1).split(times(start), times(end))
    assert parts.unknown.tolist() == list(range(3, 100, 10))
    found = [parts.counts[name] for name in ("train", "validation", "test", "purged", "embargoed", "outside")]
    assert found == [68 - 7, 13 - 1, 15 - 1, 2, 1, 0]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (np.arange(3.0), np.arange(3.0), "whole bar positions or both times"),
        (np.arange(3), np.arange(4), "one of each"),
        (np.arange(3), times(np.arange(3)), "both"),
        (np.arange(3), np.array([1, 0, 1]), "in 2 rows"),
        (times(np.array([-1, 1])), times(np.array([1, 2])), "`start` is null, in 1 rows"),
    ],
)
def test_impossible_spans_are_refused(start: object, end: object, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        PurgedSplit().split(start, end)  # type: ignore[arg-type]


def test_a_history_too_short_for_its_gaps_is_refused_with_the_counts() -> None:
    rows = np.arange(1_000)
    with pytest.raises(ConfigError, match=r"no rows for validation .*purged 120, embargoed 378"):
        PurgedSplit().split(rows, rows + 5)


@pytest.mark.parametrize("wrong", [{"train": 0.8}, {"purge": -1}, {"embargo": -1}, {"test": 0.0}])
def test_shares_that_do_not_sum_to_one_or_negative_gaps_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PurgedSplit(**wrong)
