"""Room for a split: what is refused before there are rows has none of them once there are."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.errors import ConfigError
from nightfold.schema import TIME
from nightfold.splits.as_of import SplitSpec, known_before
from nightfold.splits.room import check_room
from nightfold.target import Target
from nightfold.training import sample

AS_OF = datetime(2024, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


def has_room(spec: SplitSpec, span: int, window: int = 1, less: int = 0) -> bool:
    first = AS_OF - timedelta(days=spec.train_days) + (window - 1 + less) * HOUR
    try:
        check_room(spec, first, known_before(spec, AS_OF), "1h", span)
    except ConfigError:
        return False
    return True


def has_rows(spec: SplitSpec, span: int, window: int) -> bool:
    """Whether hourly bars without a hole, all of them labelled, fill train, stopping and validation."""
    opened = [AS_OF - timedelta(days=spec.train_days) + n * HOUR for n in range(24 * spec.train_days)]
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
    target = Target(kind="return", horizons=[span])
    try:
        sample(rows, ["a"], target, span, AS_OF, spec, "1h", 0, window)
    except ConfigError:
        return False
    return True


@given(
    st.integers(1, 5),
    st.integers(0, 14),
    st.integers(0, 40),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from(["0m", "1h", "6h", "30h"]),
    st.sampled_from([(0.7, 0.15), (0.5, 0.5), (0.1, 0.9)]),
)
def test_what_is_refused_has_no_rows_and_what_is_not_lacks_four_bars_of_a_part_at_most(
    days: int, purge: int, embargo: int, span: int, window: int, delay: str, shares: tuple[float, float]
) -> None:
    train, validation = shares
    spec = SplitSpec(
        train_days=days, purge=purge, embargo=embargo, in_force_delay=delay, train=train, validation=validation
    )
    rows = has_rows(spec, span, window)
    if not has_room(spec, span, window):
        assert not rows
    elif not rows:
        assert not has_room(spec, span, window, less=round(4 * (train + validation) / min(train, validation)))


@pytest.mark.parametrize(
    ("spec", "interval", "message"),
    [
        (
            {"train_days": 1},
            "5m",
            "no rows to train on: of the 276 bars .* `train` has 227, and 348 or more lie before",
        ),
        ({"train_days": 2, "purge": 1000}, "5m", "no rows to train on.* 1288 or more .*`purge` 1000, `embargo` 288"),
        ({"in_force_delay": "400d"}, "5m", "of the 0 bars from 2023-12-05 00:00 to 2023-01-29 00:00.*`in_force_delay`"),
        ({"train_days": 3, "purge": 90}, "5m", "in half of validation: .* it has 150, and 90 or more lie between its"),
        ({"train_days": 30, "embargo": 0, "purge": 0}, "4h", None),
        ({"train_days": 3}, "5m", None),
    ],
)
def test_the_message_counts_the_bars(spec: dict[str, object], interval: str, message: str | None) -> None:
    split = SplitSpec.model_validate(spec)
    first, until = AS_OF - timedelta(days=split.train_days), known_before(split, AS_OF)
    if message is None:
        check_room(split, first, until, interval, 1)
    else:
        with pytest.raises(ConfigError, match=message):
            check_room(split, first, until, interval, 1)
