"""Folds against slow twins that compare every row with every test row, and against another library."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.errors import ConfigError, SchemaError
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.splits.fold import CombinatorialPurged, LookbackWarning, PurgedKFold, WalkForward
from nightfold.splits.span import LabelSpans

START = datetime(2024, 1, 1, tzinfo=UTC)
BAR = timedelta(minutes=5)

short = st.integers(0, 6)
lengths = st.one_of(short, short, short, st.integers(0, 90))
made_spans = st.one_of(
    st.lists(st.tuples(st.integers(0, 60), length), min_size=8, max_size=70) for length in (st.integers(0, 2), lengths)
)
gaps = st.integers(0, 5)


def times(values: np.ndarray) -> pl.Series:
    stamps = [None if value < 0 else START + int(value) * BAR for value in values]
    return pl.Series(stamps, dtype=pl.Datetime("ms", "UTC"))


def rows_of(splitter: Any, *spans: Any) -> list[tuple[list[int], list[int]]] | None:
    try:
        return [(train.tolist(), test.tolist()) for train, test in splitter.split(*spans)]
    except ConfigError as error:
        if "no training rows" in str(error) or "distinct starts" in str(error):
            return None
        raise


def folds_of(start: np.ndarray, n_folds: int) -> list[list[int]]:
    """Rows of each fold: distinct starts in parts of equal size, the first ones larger by one."""
    return [np.flatnonzero(np.isin(start, part)).tolist() for part in np.array_split(np.unique(start), n_folds)]


@given(made_spans, st.integers(2, 5), st.integers(1, 3), gaps, gaps)
@settings(max_examples=200)
def test_a_row_trains_if_and_only_if_nothing_speaks_against_it(
    twin: Any, spans: list[tuple[int, int]], n_folds: int, n_test_folds: int, purge: int, embargo: int
) -> None:
    start, length = np.array(spans).T
    end = start + length
    if n_test_folds >= n_folds or n_folds > len(set(start)):
        return
    blocks = folds_of(start, n_folds)
    expected = []
    for chosen in combinations(range(n_folds), n_test_folds):
        tested = [blocks[fold] for fold in chosen]
        train, _ = twin(start, end, tested, range(len(start)), purge=purge, after=embargo)
        expected.append((train, sorted(row for block in tested for row in block)))
    found = rows_of(CombinatorialPurged(n_folds, n_test_folds, purge, embargo), start, end)
    if all(train for train, _ in expected):
        assert found == expected
        if n_test_folds == 1:
            assert rows_of(PurgedKFold(n_folds, purge, embargo), start, end) == expected
    else:
        assert found is None


@given(made_spans, st.integers(1, 20), st.integers(1, 9), st.booleans(), gaps, gaps)
@settings(max_examples=200)
def test_a_walk_forward_trains_only_on_what_ended_before(
    twin: Any, spans: list[tuple[int, int]], train_size: int, test_size: int, expanding: bool, purge: int, embargo: int
) -> None:
    start, length = np.array(spans).T
    end = start + length
    moments = np.unique(start)
    expected = []
    stops = list(range(len(moments), train_size + test_size - 1, -test_size))
    for stop in reversed(stops):
        first = stop - test_size
        since = 0 if expanding else first - train_size
        test = np.flatnonzero(np.isin(start, moments[first:stop])).tolist()
        past = np.flatnonzero(np.isin(start, moments[since:first])).tolist()
        train, _ = twin(start, end, [test], past, purge=purge, before=embargo)
        expected.append((train, test))
    found = rows_of(WalkForward(train_size, test_size, expanding, purge, embargo), start, end)
    assert found == (expected if expected and all(train for train, _ in expected) else None)


@given(made_spans, st.randoms(use_true_random=False), gaps, gaps)
@settings(max_examples=100)
def test_neither_the_order_of_rows_nor_their_unit_nor_rows_without_a_label_change_the_choice(
    spans: list[tuple[int, int]], random: Any, purge: int, embargo: int
) -> None:
    start, length = np.array(spans).T
    end = start + length
    step = [0, 1]  # two rows one bar apart, so that a bar is known
    start, end = np.append(start, step), np.append(end, step)
    splitter = CombinatorialPurged(4, 2, purge, embargo)
    expected = rows_of(splitter, start, end)
    order = list(range(len(start)))
    random.shuffle(order)
    shuffled = rows_of(splitter, start[order], end[order])
    with_unknown = np.insert(end, 0, -1)
    panel = rows_of(splitter, times(np.insert(start, 0, 7)), times(with_unknown))
    if expected is None:
        assert (shuffled, panel) == (None, None)
        return
    back = [tuple(sorted(order[row] for row in rows) for rows in pair) for pair in shuffled or []]
    assert back == expected
    assert panel == [tuple([row + 1 for row in rows] for rows in pair) for pair in expected]


@pytest.fixture(scope="module")
def recorded(market_data: Path) -> pl.DataFrame:
    """Labels of two symbols over two weeks, a day ahead: their ends are far from ascending."""
    since, until = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 15, tzinfo=UTC)
    frames = []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        bars = pl.read_parquet(market_data / "bars_5m" / f"binance_spot_{symbol}_5m.parquet")
        bars = bars.with_columns(pl.col("open_time").cast(pl.Datetime("ms", "UTC")), symbol=pl.lit(symbol))
        frames.append(bars.filter(pl.col("open_time").is_between(since, until, closed="left")))
    labels = barrier_labels(pl.concat(frames), TripleBarrier(horizon=288), "5m")
    assert (labels["label_end"].drop_nulls().diff().dt.total_minutes() < 0).sum() > 100
    return labels


def meeting(start: np.ndarray, end: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Count, for every row, the test labels that it overlaps."""
    later_start = np.maximum(start[:, None], start[None, tested])
    earlier_end = np.minimum(end[:, None], end[None, tested])
    return (later_start <= earlier_end).sum(axis=1)


@pytest.mark.parametrize(
    ("splitter", "window"),
    [
        (PurgedKFold(5), None),
        (CombinatorialPurged(6, 2), None),
        (WalkForward(1_000, 500), 1_000),
        (WalkForward(1_000, 500, expanding=True), 10_000),
    ],
)
def test_on_recorded_markets_all_rows_train_but_those_that_overlap_a_test(
    recorded: pl.DataFrame, splitter: Any, window: int | None
) -> None:
    start, end = (recorded[name].dt.epoch("ms").to_numpy() for name in ("open_time", "label_end"))
    known = recorded["label_end"].is_not_null().to_numpy()
    moments = np.unique(start[known])
    for train, test in splitter.split(recorded["open_time"], recorded["label_end"]):
        assert train.dtype == test.dtype == np.int32
        allowed = known & (meeting(start, end, test) == 0)
        if window is not None:
            first = np.searchsorted(moments, start[test].min())
            allowed &= (start >= moments[max(first - window, 0)]) & (start < moments[first])
        assert train.tolist() == np.flatnonzero(allowed).tolist()
        together = known & np.isin(start, start[test])
        assert test.tolist() == np.flatnonzero(together).tolist()


def test_the_row_that_a_test_start_taken_from_label_ends_would_leak_is_purged() -> None:
    start = np.arange(100)
    (_, (train, test), *_) = PurgedKFold(5).split(start, start + 10)
    assert (test[0], test[-1]) == (20, 39)
    assert train.tolist() == [*range(10), *range(50, 100)]


def test_symbols_of_a_moment_share_a_fold_and_a_label_of_one_is_purged_by_the_test_of_another() -> None:
    bars = np.arange(12)
    start = times(np.concatenate([bars, bars]))
    end = times(np.concatenate([bars, np.minimum(bars + 4, 40)]))
    (train, test), *_ = WalkForward(6, 6).split(start, end)
    assert test.tolist() == [*range(6, 12), *range(18, 24)]
    assert train.tolist() == [*range(6), 12, 13]


def test_an_embargo_may_be_a_length_of_time_and_counts_from_the_last_end_on() -> None:
    bars = np.arange(40)
    start, end = times(bars), times(bars + 2)
    for embargo in (6, "30m", timedelta(minutes=30)):
        train, test = next(PurgedKFold(4, embargo=embargo).split(start, end))
        assert test.tolist() == list(range(10))
        assert train.tolist() == list(range(9 + 2 + 6 + 1, 40))
    widened = next(PurgedKFold(4, embargo=3).split(start, end, "10m"))[0]
    assert widened.tolist() == list(range(9 + 2 + 6 + 1, 40))


def test_folds_differ_by_one_start_at_most_where_they_do_not_divide() -> None:
    start = np.arange(11)
    sizes = [(len(train), len(test)) for train, test in PurgedKFold(3).split(start, start)]
    assert sizes == [(7, 4), (7, 4), (8, 3)]


@pytest.mark.parametrize(("n_folds", "n_test_folds"), [(2, 1), (4, 2), (6, 2), (6, 3), (7, 5)])
def test_paths_use_every_tested_fold_once_and_each_covers_all_rows(n_folds: int, n_test_folds: int) -> None:
    start = np.arange(40)
    splitter = CombinatorialPurged(n_folds, n_test_folds)
    plan = splitter.plan(start, start)
    paths = plan.paths
    phi = comb(n_folds, n_test_folds) * n_test_folds // n_folds
    assert paths.shape == (phi, n_folds) == (splitter.n_paths, n_folds)
    assert len(plan) == splitter.n_splits
    used = sorted((int(split), fold) for path in paths for fold, split in enumerate(path))
    assert used == sorted((split, fold) for split, folds in enumerate(plan.tested) for fold in folds)
    marks = [1_000.0 * number + test for number, (_, test) in enumerate(plan.pairs)]
    joined = plan.join(marks)
    assert joined.shape == (phi, 40)
    assert (joined % 1_000 == start).all()
    assert len({tuple(path) for path in (joined // 1_000).tolist()}) == phi


def test_joined_predictions_may_be_several_numbers_a_row_and_are_unknown_where_nothing_is_tested() -> None:
    start, end = times(np.array([3, 0, 1, 2, 9])), times(np.array([3, 0, 1, 2, -1]))
    plan = WalkForward(2, 1).plan(start, end)
    chances = plan.join([np.column_stack([test, -test]) for _, test in plan.pairs])
    assert chances.shape == (1, 5, 2)
    assert np.isnan(chances[0, [1, 2, 4]]).all()
    assert chances[0, [3, 0]].tolist() == [[3, -3], [0, 0]]
    with pytest.raises(ConfigError, match=r"arrays of \[2\] rows; there must be one a split, of \[1, 1\]"):
        plan.join([np.zeros(2)])


def test_a_plan_counts_rows_without_making_them_and_gives_a_reason_for_those_left_out(twin: Any) -> None:
    random = np.random.default_rng(5)
    start = np.arange(300)
    end = start + random.integers(0, 60, 300)
    for split in CombinatorialPurged(5, 2, purge=3, embargo=7).plan(start, end):
        parts = split.parts()
        assert (split.train_size, split.test_size) == (len(split.train), len(split.test))
        assert parts.train.tolist() == split.train.tolist()
        assert parts.test.tolist() == split.test.tolist()
        blocks = [list(range(zone.first, zone.stop)) for zone in split.zones]
        kept, purged = twin(start, end, blocks, range(300), purge=3, after=7)
        assert (parts.train.tolist(), parts.purged.tolist()) == (kept, purged)
        assert len(parts.embargoed) == 300 - len(kept) - len(purged) - split.test_size


def test_spans_checked_once_serve_many_plans() -> None:
    start = np.arange(50)
    spans = LabelSpans.of(start, start + 3)
    splitter = PurgedKFold(5, embargo=2)
    once, again = (splitter.split(*given) for given in ((spans,), (start, start + 3)))
    for (train, test), (train_again, test_again) in zip(once, again, strict=True):
        assert train.tolist() == train_again.tolist()
        assert test.tolist() == test_again.tolist()


def test_inputs_come_back_unchanged_and_rows_are_the_callers_own() -> None:
    start = np.arange(30)
    end = start + 1
    plan = PurgedKFold(3).plan(start, end)
    plan[0].train[:] = 0
    plan[0].test[:] = 0
    assert start.tolist() == list(range(30))
    assert plan[0].test.tolist() == list(range(10))
    assert plan[1].train.tolist() == [*range(9), *range(21, 30)]


def test_an_embargo_shorter_than_the_longest_lookback_warns_where_training_follows_a_test() -> None:
    start = np.arange(100)
    for splitter in (PurgedKFold(4, embargo=5, lookback=6), CombinatorialPurged(4, 2, embargo=5, lookback=6)):
        with pytest.warns(LookbackWarning, match="`embargo` is 5, shorter than `lookback`, 6 bars"):
            splitter.plan(start, start)
    with pytest.warns(LookbackWarning, match="'25m', shorter"):
        PurgedKFold(4, embargo="25m", lookback=6).split(times(start), times(start))
    PurgedKFold(4, embargo=6, lookback=6).plan(start, start)
    PurgedKFold(4, embargo="30m", lookback=6).plan(times(start), times(start))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PurgedKFold(1), "`n_folds` is 1; it must be a whole number of 2 or more"),
        (lambda: PurgedKFold(2.0), "`n_folds` is 2.0"),  # type: ignore[arg-type]
        (lambda: CombinatorialPurged(4, 0), "`n_test_folds` is 0; it must be a whole number of 1 or more"),
        (lambda: CombinatorialPurged(4, 4), "`n_test_folds` is 4 of `n_folds` 4; it must be smaller"),
        (lambda: WalkForward(0, 5), "`train_size` is 0"),
        (lambda: WalkForward(5, True), "`test_size` is True"),
        (lambda: PurgedKFold(3, purge=-1), "`purge` is -1; it must be 0 or more bars, or a length of time"),
        (lambda: PurgedKFold(3, embargo="a day"), "`embargo` is 'a day'"),
        (lambda: PurgedKFold(3, embargo=timedelta(-1)), "`embargo` is datetime.timedelta"),
        (lambda: PurgedKFold(3, lookback=-1), "`lookback` is -1"),
        (
            lambda: PurgedKFold(3, embargo="1h").plan(*2 * [np.arange(9)]),
            "label spans are bar positions; give it in bars",
        ),
        (lambda: PurgedKFold(4).plan(*2 * [np.arange(3)]), "`n_folds` is 4, and there are 3 distinct starts"),
        (lambda: PurgedKFold(4).plan(*2 * [np.array([1, 1, 1, 2])]), "there are 2 distinct starts"),
        (lambda: PurgedKFold(2).plan(*2 * [np.arange(0)]), "there are 0 distinct starts with a known label"),
        (lambda: PurgedKFold(2).plan(times(np.arange(3)), times(np.full(3, -1))), "there are 0 distinct starts"),
        (lambda: WalkForward(5, 5).plan(*2 * [np.arange(9)]), "need 10 distinct starts, and there are 9"),
        (
            lambda: PurgedKFold(3).plan(np.arange(9), np.full(9, 9)),
            "3 of 3 splits have no training rows, the first number 0",
        ),
        (lambda: WalkForward(5, 5, purge=5).plan(*2 * [np.arange(20)]), "3 of 3 splits have no training rows"),
        (lambda: PurgedKFold(3).plan(np.arange(9)), "`end` is None; give the end of each label"),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_way_out(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_spans_that_cannot_be_are_refused() -> None:
    with pytest.raises(SchemaError, match="whole bar positions or both times"):
        PurgedKFold(3).split(np.arange(9.0), np.arange(9.0))
    with pytest.raises(SchemaError, match="`end` lies before `start`"):
        WalkForward(3, 3).split(np.arange(9), np.arange(9) - 1)


@given(st.lists(st.tuples(st.integers(0, 60), lengths), min_size=20, max_size=80), st.integers(2, 6), st.integers(0, 9))
@settings(max_examples=40)
def test_purgedcv_chooses_the_same_rows_and_paths(spans: list[tuple[int, int]], n_folds: int, embargo: int) -> None:
    """Its spans do not contain their end and its embargo does, so both are moved by a millisecond."""
    purgedcv = pytest.importorskip("purgedcv")
    start = np.unique([begin for begin, _ in spans])
    end = start + np.array([length for _, length in spans])[: len(start)]
    begins, ends = (
        np.datetime64("2024-01-01", "ms") + values * np.timedelta64(300_000, "ms") for values in (start, end)
    )
    beside = {
        "prediction_times": begins,
        "evaluation_times": ends + np.timedelta64(1, "ms"),
        "embargo": np.timedelta64(max(embargo * 300_000 - 1, 0), "ms"),
    }
    if n_folds > len(start):
        return
    empty = np.zeros((len(start), 1))
    for n_test_folds in range(1, n_folds):
        theirs = purgedcv.CombinatorialPurgedCV(n_folds, n_test_folds, **beside)
        pairs = [(train.tolist(), test.tolist()) for train, test in theirs.split(empty)]
        splitter = CombinatorialPurged(n_folds, n_test_folds, embargo=timedelta(minutes=5 * embargo))
        if not all(train for train, _ in pairs):
            assert rows_of(splitter, begins, ends) is None
            continue
        plan = splitter.plan(begins, ends)
        assert [(train.tolist(), test.tolist()) for train, test in plan.pairs] == pairs
        marks = [1_000.0 * number + np.array(test) for number, (_, test) in enumerate(pairs)]
        assert plan.join(marks).tolist() == theirs.reconstruct_paths(marks).tolist()
    folds = purgedcv.PurgedKFold(n_folds, **beside)
    pairs = [(train.tolist(), test.tolist()) for train, test in folds.split(empty)]
    if all(train for train, _ in pairs):
        assert rows_of(PurgedKFold(n_folds, embargo=timedelta(minutes=5 * embargo)), begins, ends) == pairs
    n_splits, test_size = n_folds - 1, len(start) // n_folds
    walk = purgedcv.WalkForwardSplit(n_splits, test_size, **beside)
    pairs = [(train.tolist(), test.tolist()) for train, test in walk.split(empty)]
    if all(train for train, _ in pairs):
        least = len(start) - n_splits * test_size
        assert rows_of(WalkForward(least, test_size, expanding=True), begins, ends) == pairs
