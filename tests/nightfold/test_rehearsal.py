"""Rehearsed splits: the same rows as of bars without a hole, and refusals only of what fails with those."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.out_of_fold import out_of_fold
from nightfold.errors import ConfigError
from nightfold.models.dataset import Dataset
from nightfold.rehearsal import Rehearsal
from nightfold.schema import TIME
from nightfold.splits.as_of import SplitSpec
from nightfold.target import Target
from nightfold.training import Sample, sample
from nightfold.tuning.fold import TuningRows, fold_rows, inner_folds
from nightfold.tuning.spec import TuningSpec

AS_OF = datetime(2024, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rehearsal(split: SplitSpec, span: int = 1, window: int = 1, stride: int = 1) -> Rehearsal:
    first = AS_OF - timedelta(days=split.train_days) + (window - 1) * HOUR
    return Rehearsal.of(split, first, AS_OF, "1h", span, stride)


def made(split: SplitSpec, span: int = 1, window: int = 1, stride: int = 1) -> Sample:
    """What training makes of hourly bars without a hole."""
    opened = [AS_OF - timedelta(days=split.train_days) + n * HOUR for n in range(24 * split.train_days)]
    times = pl.Series(opened, dtype=TIME)
    rows = pl.DataFrame(
        {
            "symbol": "A",
            "open_time": times,
            "volatility": 0.01,
            "a": np.arange(len(opened), dtype=np.float32),
            f"forward_log_return_{span}": np.arange(float(len(opened))),
            f"forward_end_{span}": times + (span + 1) * HOUR - timedelta(milliseconds=1),
        }
    )
    target = Target(kind="return", horizons=[span], stride=stride)
    return sample(rows, ["a"], target, span, AS_OF, split, "1h", 0, window)


def keys(found: Sample, *parts: str) -> pl.DataFrame:
    return pl.concat(found.keys[part] for part in parts)


def is_refused(act: Any) -> bool:
    try:
        act()
    except ConfigError:
        return True
    return False


SPLITS = st.builds(
    SplitSpec,
    train_days=st.integers(3, 12),
    purge=st.integers(0, 10),
    embargo=st.integers(0, 20),
    in_force_delay=st.sampled_from(["0m", "1h", "7h"]),
)


@settings(deadline=None, max_examples=30)
@given(SPLITS, st.integers(1, 12), st.integers(1, 12), st.integers(1, 4))
def test_rows_are_those_of_training(split: SplitSpec, span: int, window: int, stride: int) -> None:
    try:
        expected = made(split, span, window, stride)
    except ConfigError:
        assert is_refused(lambda: rehearsal(split, span, window, stride))
        return
    found = rehearsal(split, span, window, stride)
    for part, rows in expected.keys.items():
        assert found.begins[part].tolist() == rows["open_time"].dt.epoch("ms").to_list()
        assert found.ends[part].tolist() == rows["label_end"].dt.epoch("ms").to_list()


@settings(deadline=None, max_examples=40)
@given(
    SPLITS,
    st.sampled_from(["expanding", "purged_kfold"]),
    st.sampled_from([2, 3, 8, 20, 60, 150, 400]),
    st.integers(1, 3),
    st.booleans(),
)
def test_a_search_is_refused_where_its_folds_would_be(
    split: SplitSpec, scheme: Any, folds: int, rungs: int, stops: bool
) -> None:
    tuning = TuningSpec(scheme=scheme, folds=folds, rungs=rungs)
    if is_refused(lambda: made(split)):
        return
    rows = keys(made(split), "train", "stopping")
    data = Dataset(np.zeros((rows.height, 1), np.float32), ("a",), np.zeros(rows.height, np.int8), np.ones(rows.height))
    table = TuningRows(data, rows["open_time"], rows["label_end"], None, 1, "1h")

    def searched() -> None:
        cut = inner_folds(table, tuning, split.purge, split.embargo, stops=stops)
        for every in tuning.every:
            for fold in cut:
                fold_rows(table, fold, every)

    assert is_refused(lambda: rehearsal(split).check_search("m", tuning, stops=stops)) == is_refused(searched)


@settings(deadline=None, max_examples=40)
@given(SPLITS, st.sampled_from(["expanding", "purged_kfold"]), st.sampled_from([2, 3, 8, 20, 60, 150, 400]))
def test_an_ensemble_is_refused_where_its_blocks_would_be(split: SplitSpec, oof: Any, blocks: int) -> None:
    spec = EnsembleSpec(method="stack", oof=oof, oof_blocks=blocks)
    if is_refused(lambda: made(split)):
        return
    rows = keys(made(split), "train", "stopping", "validation")

    def blocked() -> None:
        gaps = {"purge": split.purge, "embargo": split.embargo}
        out_of_fold(rows["open_time"], rows["label_end"], spec, interval="1h", **gaps)

    assert is_refused(lambda: rehearsal(split).check_blocks(spec)) == is_refused(blocked)


FREE = SplitSpec(train_days=10, purge=0, embargo=0, in_force_delay="0m")


@pytest.mark.parametrize("scheme", ["expanding", "purged_kfold"])
def test_the_most_folds_that_are_named_can_be_filled_and_one_more_cannot(scheme: Any) -> None:
    rows = rehearsal(FREE)
    moments = len(rows.begins["train"]) + len(rows.begins["stopping"])
    most = moments // 2 if scheme == "expanding" else moments

    def check(folds: int) -> None:
        rows.check_search("m", TuningSpec(scheme=scheme, folds=folds, rungs=1), stops=False)

    check(most)
    with pytest.raises(ConfigError, match=rf"`tuning.folds` of model `m` is {most + 1}, .*fill {most} at most: "):
        check(most + 1)


@pytest.mark.parametrize("oof", ["expanding", "purged_kfold"])
@pytest.mark.parametrize("days", [8, 9, 10, 11, 12])
def test_the_most_blocks_that_are_named_can_be_filled_and_one_more_cannot(oof: Any, days: int) -> None:
    rows = rehearsal(FREE.model_copy(update={"train_days": days}))
    moments = sum(map(len, rows.begins.values()))
    most = next(n for n in range(moments, 0, -1) if oof == "purged_kfold" or round(moments * 0.3 / n) > 0)
    rows.check_blocks(EnsembleSpec(method="stack", oof=oof, oof_blocks=most))
    with pytest.raises(ConfigError, match=rf"`ensemble.oof_blocks` is {most + 1}, .* {moments} .*fill {most} at most"):
        rows.check_blocks(EnsembleSpec(method="stack", oof=oof, oof_blocks=most + 1))


def test_folds_that_fail_for_another_reason_keep_their_words() -> None:
    with pytest.raises(ConfigError, match=r"is 30, .* cannot fill them: `rungs` leave one of 9 moments"):
        rehearsal(FREE).check_search("m", TuningSpec(folds=30), stops=False)
    short = rehearsal(FREE.model_copy(update={"embargo": 55, "train_days": 3}))
    with pytest.raises(ConfigError, match=r"is 2, .* cannot fill them: 1 of 2 splits have no training rows"):
        short.check_blocks(EnsembleSpec(method="stack", oof="purged_kfold", oof_blocks=2))
