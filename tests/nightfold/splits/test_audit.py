"""The audit must clear our splits, and count what others let through, without trusting who made them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, TimeSeriesSplit

from nightfold.errors import ConfigError
from nightfold.splits.audit import audit_splits
from nightfold.splits.audit_picture import MOST_LINES, audit_picture
from nightfold.splits.fold import CombinatorialPurged, PurgedKFold, WalkForward
from nightfold.splits.own import load_splits

START = datetime(2024, 1, 1, tzinfo=UTC)
BAR = timedelta(minutes=5)

made_spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), min_size=4, max_size=40)


def times(values: np.ndarray) -> pl.Series:
    stamps = [None if value < 0 else START + int(value) * BAR for value in values]
    return pl.Series(stamps, dtype=pl.Datetime("ms", "UTC"))


@given(made_spans, st.data())
@settings(max_examples=150)
def test_leaks_and_losses_of_any_rows_are_those_that_a_comparison_of_all_pairs_finds(
    spans: list[tuple[int, int]], data: st.DataObject
) -> None:
    start, length = np.array(spans).T
    end = start + length
    sides = np.array(data.draw(st.lists(st.sampled_from("rte"), min_size=len(start), max_size=len(start))))
    train, test = (np.flatnonzero(sides == side) for side in "re")
    meets = [any(start[row] <= end[one] and end[row] >= start[one] for one in test) for row in range(len(start))]
    found = audit_splits([(train, test)], start, end).table.row(0, named=True)
    assert found["leaks"] == sum(meets[row] for row in train)
    assert found["purged"] == sum(meets[row] for row in np.flatnonzero(sides == "t"))
    assert found["train"] + found["test"] + found["purged"] + found["embargoed"] + found["outside"] == len(start)
    tested = start[test].tolist()
    assert (found["test_from"], found["test_to"]) == (min(tested, default=None), max(tested, default=None))


@pytest.mark.parametrize(
    ("splitter", "paths"),
    [
        (PurgedKFold(5, purge=2, embargo=9), 1),
        (CombinatorialPurged(6, 3, embargo="1h"), 10),
        (WalkForward(100, 40, purge=2, embargo=9), 0),
    ],
)
def test_our_splits_are_cleared_and_every_row_is_accounted_for(splitter: Any, paths: int) -> None:
    bars = np.arange(400)
    end = times(bars + np.random.default_rng(3).integers(1, 40, 400))
    audit = audit_splits(splitter, times(bars), end)
    assert (audit.leaks, audit.n_paths) == (0, paths)
    parts = ["train", "test", "purged", "embargoed", "outside"]
    assert audit.table.select(pl.sum_horizontal(parts)).to_series().to_list() == [400] * audit.table.height
    assert (audit.table["embargoed"] > 0).any()
    assert audit.table.schema["test_from"] == pl.Datetime("ms", "UTC")
    again = audit_splits(splitter.plan(times(bars), end), times(bars), end)
    assert again.table.equals(audit.table)


def test_a_walk_forward_is_told_from_its_past_and_future() -> None:
    start = np.arange(30)
    audit = audit_splits(WalkForward(10, 5, purge=1, embargo=2), start, start)
    assert audit.table.select("test_from", "train", "purged", "embargoed", "outside").rows() == [
        (10, 7, 1, 2, 15),
        (15, 7, 1, 2, 15),
        (20, 7, 1, 2, 15),
        (25, 7, 1, 2, 15),
    ]
    assert audit.tested.rows() == [(0, 10), (1, 20)]


def test_splitters_in_the_manner_of_scikit_learn_leak_a_horizon_of_rows_at_each_border() -> None:
    start = np.arange(100)
    assert audit_splits(KFold(4), start, start + 5).table["leaks"].to_list() == [5, 10, 10, 5]
    assert audit_splits(KFold(4), start, start).leaks == 0
    ahead = audit_splits(TimeSeriesSplit(4), start, start + 5)
    assert ahead.table["leaks"].to_list() == [5] * 4
    assert ahead.table.select("purged", "outside").rows() == [(5, 55), (5, 35), (5, 15), (0, 0)]
    gapped = audit_splits(TimeSeriesSplit(4, gap=7), start, start + 5)
    assert (gapped.leaks, gapped.table["purged"].to_list()) == (0, [10, 10, 10, 5])
    assert gapped.table["embargoed"].to_list() == [2] * 4


def test_a_test_start_taken_from_label_ends_is_caught_one_horizon_a_fold() -> None:
    start = np.arange(100)
    end = start + 10

    def pairs() -> Any:
        for test in np.array_split(start, 5):
            yield start[(end < end[test[0]]) | (start > end[test[-1]])], test

    assert audit_splits(pairs(), start, end).table["leaks"].to_list() == [0, 10, 10, 10, 10]


def test_rows_in_both_sets_leak_and_rows_without_a_label_are_counted_apart() -> None:
    start, end = times(np.arange(10)), times(np.array([0, 1, -1, 3, 4, 5, 6, -1, 8, 9]))
    found = audit_splits([([0, 1, 2, 3, 4], [4, 5, 6, 7])], start, end)
    assert found.table.select("train", "test", "leaks", "unknown").row(0) == (5, 4, 1, 2)
    assert found.tested.rows() == [(0, 5), (1, 3)]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ([], "`splits` gives no split"),
        ([([0.5], [1])], "train rows of split 0 are float64"),
        ([([0], [1]), ([0], [10])], "test rows of split 1 are int64 .* from 10 to 10; .* from 0 to 9"),
        ([([-1], [1])], "from -1 to -1"),
    ],
)
def test_what_are_no_splits_is_refused(splits: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        audit_splits(splits, np.arange(10), np.arange(10))


def test_labels_none_of_which_is_known_are_refused() -> None:
    with pytest.raises(ConfigError, match="`end` is known in none of the rows"):
        audit_splits(KFold(2), times(np.arange(3)), times(np.full(3, -1)))


OWN = """
import numpy as np
from sklearn.model_selection import KFold

ready = KFold(3)

class Mine:
    def split(self, X, y=None, groups=None):
        yield np.arange(len(X) // 2), np.arange(len(X) // 2, len(X))

class Spans:
    def split(self, start, end):
        yield np.flatnonzero(np.asarray(end) < 6), np.flatnonzero(np.asarray(start) >= 6)

def made():
    return KFold(4)

def pairs(start, end):
    return [(np.flatnonzero(np.asarray(end) < 6), np.flatnonzero(np.asarray(start) >= 6))]

number = 5
"""


@pytest.mark.parametrize(
    ("name", "splits", "leaks"), [("ready", 3, 4), ("Mine", 1, 1), ("Spans", 1, 0), ("made", 4, 6), ("pairs", 1, 0)]
)
def test_splits_of_ones_own_come_from_a_file(tmp_path: Path, name: str, splits: int, leaks: int) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    start = np.arange(12)
    audit = audit_splits(load_splits(f"{file}:{name}", start, start + 1), start, start + 1)
    assert (audit.table.height, audit.leaks) == (splits, leaks)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("mine.py", "must be a file and a splitter, such as folds.py:WeeklyFolds"),
        ("mine.py:nosuch", "has no splitter `nosuch`"),
        ("mine.py:number", "`number` gives int; it must be an object with `split`"),
    ],
)
def test_what_gives_no_splits_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(OWN)
    with pytest.raises(ConfigError, match=message):
        load_splits(place, np.arange(3), np.arange(3))


def strokes(svg: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("path")]


def test_the_picture_has_a_line_a_split_and_shows_a_single_leaking_row_in_red() -> None:
    start = np.arange(50_000)
    leaking = [(start[:24_999], start[25_000:]), (start[:25_000], start[25_000:])]
    drawn = audit_picture(audit_splits(leaking, start, start + (start == 24_999)), "two", is_simulated=True)
    assert "simulated market" in drawn
    colors = [stroke.get("stroke") for stroke in strokes(drawn)]
    assert colors.count("#c2410c") == 1
    days = times(start)
    assert "2024-01-01" in audit_picture(audit_splits(PurgedKFold(3), days, days), "days", is_simulated=False)


def test_the_picture_of_very_many_splits_shows_the_first_and_says_so() -> None:
    start = np.arange(100)
    audit = audit_splits(CombinatorialPurged(10, 4), start, start)
    assert audit.table.height == 210
    drawn = audit_picture(audit, "many", is_simulated=False)
    assert f"the first {MOST_LINES} of 210 splits" in drawn
    assert len(drawn) < 300_000
