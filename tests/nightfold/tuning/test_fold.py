"""Inner folds: nothing shared, nothing from beyond, nothing left out."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from nightfold.errors import ConfigError, SchemaError
from nightfold.splits.fold import LookbackWarning
from nightfold.tuning.fold import Fold, TuningRows, fold_rows, inner_folds
from nightfold.tuning.spec import TuningSpec

Make = Callable[..., TuningRows]
BAR = 300_000


def milliseconds(times: pl.Series) -> np.ndarray:
    return times.dt.epoch("ms").to_numpy()


def overlapping(table: TuningRows, first: np.ndarray, second: np.ndarray) -> int:
    """Count pairs of rows whose label spans meet, one by one."""
    begins, ends = milliseconds(table.open_time), milliseconds(table.label_end)
    return sum(int(((begins[second] <= ends[row]) & (ends[second] >= begins[row])).any()) for row in first)


@pytest.fixture(scope="module")
def table(make_table: Make) -> TuningRows:
    return make_table(700, symbols=2, horizon=9)


@pytest.fixture(params=["expanding", "purged_kfold"])
def folds(request: pytest.FixtureRequest, table: TuningRows) -> list[Fold]:
    return inner_folds(table, TuningSpec(scheme=request.param), purge=3, embargo=12, stops=True)


def test_no_label_of_one_part_meets_one_of_another(table: TuningRows, folds: list[Fold]) -> None:
    assert len(folds) == 3
    for fold in folds:
        learnt = np.concatenate([fold.train, fold.stopping])
        assert overlapping(table, learnt, fold.test) == 0
        assert overlapping(table, fold.train, fold.stopping) == 0


def test_gaps_are_kept_also_where_labels_end_early(table: TuningRows) -> None:
    begins = milliseconds(table.open_time)
    for fold in inner_folds(table, TuningSpec(), purge=20, embargo=30, stops=True):
        assert begins[fold.test].min() - begins[fold.stopping].max() > 50 * BAR
        assert begins[fold.stopping].min() - begins[fold.train].max() > 20 * BAR


def test_expanding_folds_test_the_newest_half_once_and_learn_from_earlier_rows_alone(table: TuningRows) -> None:
    begins = milliseconds(table.open_time)
    folds = inner_folds(table, TuningSpec(), purge=3, embargo=12, stops=True)
    tested = np.concatenate([fold.test for fold in folds])
    assert np.array_equal(np.sort(tested), np.flatnonzero(begins >= np.sort(np.unique(begins))[-(350 // 3) * 3]))
    sizes = [len(fold.train) for fold in folds]
    assert sizes == sorted(sizes)
    for fold in folds:
        assert begins[fold.train].max() < begins[fold.stopping].min()
        assert begins[fold.stopping].max() < begins[fold.test].min()


def test_a_model_that_does_not_stop_early_learns_from_the_stopping_rows_too(table: TuningRows) -> None:
    stopping = inner_folds(table, TuningSpec(), purge=3, embargo=12, stops=True)
    without = inner_folds(table, TuningSpec(), purge=3, embargo=12, stops=False)
    for one, other in zip(stopping, without, strict=True):
        assert len(other.stopping) == 0
        assert set(one.train) | set(one.stopping) < set(other.train)
        assert np.array_equal(one.test, other.test)
        assert fold_rows(table, other, 1).stopping is None


def test_early_rungs_see_some_moments_with_all_symbols_of_them(table: TuningRows) -> None:
    fold = inner_folds(table, TuningSpec(), purge=3, embargo=12, stops=True)[0]
    begins = milliseconds(table.open_time)
    whole, thin = fold_rows(table, fold, 1), fold_rows(table, fold, 9)
    assert np.array_equal(whole.train.table, table.rows.table[fold.train])
    assert set(thin.test_rows) < set(fold.test)
    moments, counts = np.unique(begins[thin.test_rows], return_counts=True)
    assert set(np.diff(moments)) == {9 * BAR}
    assert set(counts) == {2}
    assert np.array_equal(thin.test.label, table.rows.label[thin.test_rows])


def test_folds_warn_of_an_embargo_that_rows_look_back_over_where_training_rows_follow_a_test(table: TuningRows) -> None:
    far = replace(table, lookback=13)
    with pytest.warns(LookbackWarning, match="`embargo` is 12, shorter than `lookback`, 13 bars"):
        inner_folds(far, TuningSpec(scheme="purged_kfold"), purge=3, embargo=12, stops=True)
    inner_folds(far, TuningSpec(scheme="purged_kfold"), purge=3, embargo=13, stops=True)
    inner_folds(far, TuningSpec(), purge=3, embargo=12, stops=True)


def test_too_few_rows_are_refused_with_the_way_out(make_table: Make) -> None:
    with pytest.raises(ConfigError, match="ask for fewer folds"):
        inner_folds(make_table(4), TuningSpec(), purge=0, embargo=0, stops=False)
    with pytest.raises(ConfigError, match="no rows for train"):
        inner_folds(make_table(60), TuningSpec(), purge=25, embargo=0, stops=True)
    few = make_table(80)
    fold = inner_folds(few, TuningSpec(), purge=1, embargo=1, stops=True)[0]
    with pytest.raises(ConfigError, match="write `rungs: 1`"):
        fold_rows(few, fold, 27)


def test_times_of_another_length_are_refused(make_table: Make) -> None:
    table = make_table(50)
    with pytest.raises(SchemaError, match=r"have \[49, 50\] entries"):
        replace(table, label_end=table.label_end.head(49))


def test_the_fingerprint_changes_with_every_part(make_table: Make) -> None:
    table = make_table(50)
    later = table.label_end.dt.offset_by("5m")
    assert table.log_return is not None
    others = [
        replace(table, label_end=later),
        replace(table, log_return=table.log_return + 1e-9),
        replace(table, rows=table.rows.take(np.arange(50)[::-1])),
        replace(table, horizon=5),
    ]
    assert len({table.fingerprint, *(other.fingerprint for other in others)}) == 5
    assert make_table(50).fingerprint == table.fingerprint
