"""Plans of out-of-fold forecasts: nothing that is learnt overlaps what is forecast."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.out_of_fold import out_of_fold
from nightfold.ensemble.rows import OutOfSample
from nightfold.errors import ConfigError
from nightfold.models.objective import Objective
from nightfold.splits.fold import LookbackWarning

DAY = datetime(2024, 1, 1, tzinfo=UTC)


def spans(seed: int, moments: int, symbols: int = 3, longest: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Several symbols, a hole, uneven ends, rows in no order."""
    random = np.random.default_rng(seed)
    start = np.repeat(np.arange(moments), symbols)
    start = random.permutation(start[random.random(start.size) > 0.1])
    start = start + 50 * (start > moments // 3)
    return start, start + random.integers(0, longest, start.size)


def overlaps(start: np.ndarray, end: np.ndarray, train: np.ndarray, predicted: np.ndarray) -> int:
    """Pairs of labels that share a bar, each compared with each."""
    return sum(int(((start[predicted] <= end[row]) & (end[predicted] >= start[row])).sum()) for row in train)


@pytest.mark.parametrize(
    "spec",
    [
        EnsembleSpec(),
        EnsembleSpec(oof_blocks=4, oof_share=0.5),
        EnsembleSpec(oof="purged_kfold", oof_blocks=5),
    ],
)
@pytest.mark.parametrize("longest", [3, 30])
def test_no_label_learnt_from_meets_one_that_is_forecast(spec: EnsembleSpec, longest: int) -> None:
    start, end = spans(0, 1800, longest=longest)
    assert len(start) > 4096
    blocks = out_of_fold(start, end, spec, purge=3, embargo=2)
    assert len(blocks) == spec.oof_blocks
    seen = np.concatenate([block.predicted for block in blocks])
    assert len(np.unique(seen)) == len(seen)
    for block in blocks:
        assert overlaps(start, end, block.train, block.predicted) == 0
        gap = np.abs(start[block.train][:, None] - start[block.predicted]).min()
        assert gap > 3


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(0.1, 0.7))
def test_expanding_blocks_lie_end_to_end_and_learn_from_the_past_alone(seed: int, count: int, share: float) -> None:
    start, end = spans(seed, 150)
    try:
        blocks = out_of_fold(start, end, EnsembleSpec(oof_blocks=count, oof_share=share))
    except ConfigError:
        return
    covered = np.concatenate([block.predicted for block in blocks])
    assert set(covered) == set(np.flatnonzero(start >= start[blocks[0].predicted].min()))
    moments = len(np.unique(start))
    assert len(np.unique(start[covered])) == pytest.approx(share * moments, abs=count / 2 + 1e-9)
    for block in blocks:
        assert end[block.train].max() < start[block.predicted].min()
        assert block.learnt_until == end[block.train].max()
    sizes = [len(block.train) for block in blocks]
    assert sizes == sorted(sizes)


def test_what_a_plan_says_was_learnt_lets_its_forecasts_in_and_in_sample_rows_not() -> None:
    start, end = spans(1, 300)
    (block,) = out_of_fold(start, end, EnsembleSpec())
    objective = Objective(task="regression")

    def rows(places: np.ndarray) -> OutOfSample:
        member = {"a": np.zeros((len(places), 1))}
        return OutOfSample.of(
            objective, member, np.zeros(len(places)), start[places], end[places], learnt_until=block.learnt_until
        )

    assert len(rows(block.predicted)) == len(block.predicted)
    with pytest.raises(ValueError, match="labels begin before the last label that the members learnt from"):
        rows(np.append(block.predicted, block.train[:1]))


def test_folds_cover_every_row_and_may_learn_from_later_ones() -> None:
    start, end = spans(2, 200)
    blocks = out_of_fold(start, end, EnsembleSpec(oof="purged_kfold"))
    assert len(blocks) == 2
    assert sorted(np.concatenate([block.predicted for block in blocks])) == list(range(len(start)))
    assert start[blocks[0].train].min() > start[blocks[0].predicted].max()
    assert blocks[0].learnt_until is None


def test_folds_warn_of_an_embargo_that_rows_look_back_over_and_blocks_of_the_past_do_not() -> None:
    start, end = spans(2, 200)
    with pytest.warns(LookbackWarning, match="`embargo` is 5, shorter than `lookback`, 6 bars"):
        out_of_fold(start, end, EnsembleSpec(oof="purged_kfold"), embargo=5, lookback=6)
    out_of_fold(start, end, EnsembleSpec(oof="purged_kfold"), embargo=6, lookback=6)
    out_of_fold(start, end, EnsembleSpec(oof_blocks=2), embargo=5, lookback=6)


def test_plans_of_times_are_those_of_bars() -> None:
    start, end = spans(3, 200)
    by_bar = out_of_fold(start, end, EnsembleSpec(oof_blocks=2), purge=2)
    begins, ends = (pl.Series([DAY + timedelta(hours=int(bar)) for bar in each]) for each in (start, end))
    by_time = out_of_fold(begins, ends, EnsembleSpec(oof_blocks=2), purge=2, interval="1h")
    for one, other in zip(by_bar, by_time, strict=True):
        assert one.train.tolist() == other.train.tolist()
        assert one.predicted.tolist() == other.predicted.tolist()


def test_empty_blocks_are_refused() -> None:
    with pytest.raises(ConfigError, match="`oof_blocks` is 9"):
        out_of_fold([1, 2, 3], [1, 2, 3], EnsembleSpec(oof_blocks=9))
