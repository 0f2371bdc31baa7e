"""Rows of an as-of: nothing that was not known, nothing across the border."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nightfold.errors import ConfigError, SchemaError
from nightfold.splits.as_of import SplitSpec, as_of_parts, known_before, reach
from nightfold.splits.purge import PARTS

TIME = pl.Datetime("ms", "UTC")
AS_OF = datetime(2024, 3, 4, tzinfo=UTC)
BAR = timedelta(minutes=5)


def column(values: list[datetime | None]) -> pl.Series:
    return pl.Series(values, dtype=TIME)


def bars_before(count: int, life: int) -> tuple[pl.Series, pl.Series]:
    """Rows up to the as-of and a little after, each label decided ``life`` bars later."""
    opens = [AS_OF + BAR * (step - count) for step in range(count + 50)]
    return column(opens), column([moment + BAR * (life + 1) for moment in opens])


def test_a_label_counts_only_if_it_ended_an_hour_before_the_as_of() -> None:
    opens, ends = bars_before(4_000, 5)
    parts = as_of_parts(opens, ends, AS_OF, SplitSpec(train_days=10), "5m")
    assert ends[int(parts.validation.max())] == AS_OF - timedelta(hours=1)
    assert parts.unknown.min() == parts.validation.max() + 1
    assert opens[int(parts.train.min())] == AS_OF - timedelta(days=10)
    assert parts.outside.tolist() == list(range(4_000 - 2_880))
    assert parts.test.size == 0


def test_a_millisecond_too_late_is_too_late() -> None:
    latest = known_before(SplitSpec(), AS_OF)
    ends = column([latest, latest + timedelta(milliseconds=1)])
    parts = as_of_parts(column([AS_OF - timedelta(hours=2)] * 2), ends, AS_OF, SplitSpec(), "5m")
    assert parts.unknown.tolist() == [1]


def test_the_window_is_shared_seventy_to_fifteen_with_the_gap_taken_from_train() -> None:
    opens, ends = bars_before(30_000, 5)
    parts = as_of_parts(opens, ends, AS_OF, SplitSpec(train_days=85, in_force_delay="0m"), "5m")
    border = AS_OF - timedelta(days=15)
    assert opens[int(parts.validation.min())] == border
    assert opens[int(parts.train.max())] == border - 349 * BAR
    assert (parts.purged.size, parts.embargoed.size) == (60, 288)


def test_a_short_history_is_shared_in_the_same_proportion() -> None:
    opens, ends = bars_before(1_700, 2)
    spec = SplitSpec(train_days=90, in_force_delay="0m", purge=2, embargo=3)
    parts = as_of_parts(opens, ends, AS_OF, spec, "5m")
    assert (parts.train.size, parts.validation.min()) == (1_400 - 5, 1_400)


def test_an_expanding_window_begins_with_the_first_row() -> None:
    opens, ends = bars_before(4_000, 5)
    parts = as_of_parts(opens, ends, AS_OF, SplitSpec(train_days=1, expanding=True), "5m")
    assert parts.train.min() == 0
    assert parts.outside.size == 0
    assert (reach(SplitSpec(expanding=True)), reach(SplitSpec(train_days=30))) == (None, timedelta(days=30))


@given(
    st.lists(st.tuples(st.integers(-700, 60), st.integers(1, 90), st.booleans()), max_size=120),
    st.integers(0, 8),
    st.integers(0, 8),
    st.sampled_from(["0m", "30m", "1h"]),
    st.booleans(),
)
@settings(max_examples=150)
def test_whatever_the_label_ends_nothing_unknown_is_learned_and_nothing_crosses_into_validation(
    rows: list[tuple[int, int, bool]], purge: int, embargo: int, delay: str, expanding: bool
) -> None:
    opens = [AS_OF + BAR * step for step, _, _ in rows]
    ends = [moment + BAR * life if known else None for moment, (_, life, known) in zip(opens, rows, strict=True)]
    spec = SplitSpec(train_days=2, purge=purge, embargo=embargo, in_force_delay=delay, expanding=expanding)
    parts = as_of_parts(column(opens), column(ends), AS_OF, spec, "5m")
    latest = known_before(spec, AS_OF)
    learned = [*parts.train.tolist(), *parts.validation.tolist()]
    assert all(ends[row] is not None and ends[row] <= latest for row in learned)
    assert all(expanding or opens[row] >= AS_OF - timedelta(days=2) for row in learned)
    for row in parts.train.tolist():
        for other in parts.validation.tolist():
            assert ends[row] < opens[other]
            assert opens[other] - opens[row] > (purge + embargo) * BAR
    everything = sorted(row for name in PARTS for row in getattr(parts, name).tolist())
    assert everything == list(range(len(rows)))
    known = {row for row in range(len(rows)) if ends[row] is not None and ends[row] <= latest}
    assert set(parts.unknown.tolist()) == set(range(len(rows))) - known
    inside = {row for row in known if expanding or opens[row] >= AS_OF - timedelta(days=2)}
    assert set(parts.outside.tolist()) == known - inside


@given(st.permutations(range(40)))
@settings(max_examples=30)
def test_the_order_of_a_panel_does_not_matter(order: list[int]) -> None:
    opens, ends = bars_before(40, 1)
    opens, ends = opens.head(40), ends.head(40)
    spec = SplitSpec(train_days=1, purge=1, embargo=1, in_force_delay="15m")
    straight = as_of_parts(opens, ends, AS_OF, spec, "5m")
    mixed = as_of_parts(opens.gather(order), ends.gather(order), AS_OF, spec, "5m")
    for name in PARTS:
        assert {order[row] for row in getattr(mixed, name)} == set(getattr(straight, name).tolist())


def test_rows_after_the_as_of_change_nothing() -> None:
    opens, ends = bars_before(4_000, 5)
    spec = SplitSpec(train_days=10)
    whole = as_of_parts(opens, ends, AS_OF, spec, "5m")
    cut = as_of_parts(opens.head(4_000), ends.head(4_000), AS_OF, spec, "5m")
    assert whole.train.tolist() == cut.train.tolist()
    assert whole.validation.tolist() == cut.validation.tolist()


def test_before_any_history_the_parts_are_empty_and_say_so() -> None:
    parts = as_of_parts(column([]), column([]), AS_OF, SplitSpec(), "5m")
    assert sum(parts.counts.values()) == 0
    with pytest.raises(ConfigError, match=r"no rows for train and validation \(train 0"):
        parts.require("train", "validation")


def test_wrong_input_is_refused() -> None:
    opens, ends = bars_before(10, 1)
    with pytest.raises(ConfigError, match="without a time zone"):
        as_of_parts(opens, ends, AS_OF.replace(tzinfo=None), SplitSpec(), "5m")
    with pytest.raises(SchemaError, match="needs times"):
        as_of_parts(np.arange(3), np.arange(3), AS_OF, SplitSpec(), "5m")
    with pytest.raises(ValidationError, match="in_force_delay"):
        SplitSpec(in_force_delay="soon")
