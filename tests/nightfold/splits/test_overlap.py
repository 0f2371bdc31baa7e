"""How many independent rows labels are worth: one answer for training rows and for an ensemble's."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.ensemble.rows import OutOfSample
from nightfold.models.objective import Objective
from nightfold.schema import TIME
from nightfold.splits.as_of import SplitSpec
from nightfold.splits.overlap import independent_rows
from nightfold.target import Target
from nightfold.training import sample

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def counted(starts: list[int], ends: list[int]) -> float:
    """The rule, as a loop over rows and moments; each moment stands for the return that begins there."""
    moments = set(starts)
    spans = list(zip(starts, ends, strict=True))
    covered = [max(sum(start <= moment < end for moment in moments), 1) for start, end in spans]
    return len(moments) / (sum(covered) / len(covered))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_number_of_moments_over_those_that_fit_into_a_label(seed: int) -> None:
    random = np.random.default_rng(seed)
    starts = random.choice(80, 60)
    ends = starts + random.integers(0, 12, 60)
    assert independent_rows(starts, ends) == pytest.approx(counted(starts.tolist(), ends.tolist()))


def test_more_symbols_at_the_same_moments_are_worth_nothing_more() -> None:
    starts = np.arange(500)
    one = independent_rows(starts, starts + 5)
    assert one == pytest.approx(500 / 5, rel=0.01)
    assert independent_rows(np.tile(starts, 3), np.tile(starts + 5, 3)) == pytest.approx(one)


def test_it_is_the_sum_of_uniqueness_in_the_worked_example() -> None:
    """Rows 0, 1 and 3 with return spans [1, 2], [2, 2] and [4, 4] are unique to .75, .5 and 1 (a row at 2 has none)."""
    assert independent_rows([0, 1, 3], [2, 2, 4]) == pytest.approx(0.75 + 0.5 + 1)


@pytest.mark.parametrize(
    ("bars", "stride", "worth"), [(1, 1, 1.0), (5, 1, 1 / 5), (5, 5, 1.0), (5, 7, 1.0), (6, 3, 0.5)]
)
def test_labels_that_only_touch_share_nothing(bars: int, stride: int, worth: float) -> None:
    """Times as in the lake: a label of some bars ends a millisecond before the bar after its last one opens."""
    times = pl.Series([START + n * HOUR for n in range(0, 700 * stride, stride)], dtype=TIME)
    ends = times + (bars + 1) * HOUR - timedelta(milliseconds=1)
    assert independent_rows(times, ends, HOUR // timedelta(milliseconds=1)) == pytest.approx(700 * worth, rel=0.01)


def test_a_row_without_a_known_end_does_not_count_and_no_row_is_worth_nothing() -> None:
    times = pl.Series([START, START + HOUR, START + 2 * HOUR], dtype=TIME)
    ends = pl.Series([START, START + HOUR, None], dtype=TIME)
    assert independent_rows(times, ends) == 2.0
    assert independent_rows(times, pl.Series([None] * 3, dtype=TIME)) == 0.0


def test_a_sample_of_three_symbols_is_worth_as_much_as_an_ensemble_counts_on_the_same_rows() -> None:
    """Labels of two bars: every other row is worth something."""
    times = pl.Series([START + n * HOUR for n in range(600)], dtype=TIME)
    columns = {"open_time": times, "volatility": 0.01, "a": pl.Series(np.arange(600), dtype=pl.Float32)}
    columns |= {"forward_log_return_2": np.arange(600.0), "forward_end_2": times + 3 * HOUR - timedelta(milliseconds=1)}
    rows = pl.concat(pl.DataFrame({"symbol": symbol, **columns}) for symbol in "ABC")
    target, split = Target(kind="return", horizons=[2]), SplitSpec(train_days=25, purge=2, embargo=3)
    made = sample(rows, ["a"], target, 2, START + 600 * HOUR, split, "1h", 0)
    keys = made.keys["train"]
    assert made.effective_rows == pytest.approx(keys["open_time"].n_unique() / 2, rel=0.01)
    told = {"m": np.zeros((keys.height, 1))}
    spans = (keys["open_time"], keys["label_end"])
    judged = OutOfSample.of(Objective(task="regression"), told, keys["label"].to_numpy(), *spans, learnt_until=None)
    assert judged.independent == pytest.approx(made.effective_rows)
    assert made.plan()["effective_rows"] == round(made.effective_rows, 1)
