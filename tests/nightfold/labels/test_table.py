"""The label table: all columns, equal in parts and as a whole, and counted right."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import log

import polars as pl
import pytest
from pydantic import ValidationError

from nightfold.labels.barrier import barrier_labels, volatility
from nightfold.labels.table import LabelSet, label_balance, label_columns, label_table, margin
from nightfold.window import windows

Bars = Callable[..., pl.DataFrame]

BAR = timedelta(minutes=5)
FEBRUARY, MAY = datetime(2023, 2, 1, tzinfo=UTC), datetime(2023, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def spring(recorded_bars: Bars) -> pl.DataFrame:
    """Three months with the outage of March 2023 inside."""
    return pl.concat(recorded_bars(symbol, FEBRUARY, MAY) for symbol in ("BTCUSDT", "SOLUSDT"))


def in_parts(bars: pl.DataFrame, label_set: LabelSet, length: str, before: int, after: int) -> pl.DataFrame:
    parts = []
    for window in windows(FEBRUARY, MAY, length):
        around = pl.col("open_time").is_between(window.start - before * BAR, window.end + after * BAR, closed="left")
        inside = pl.col("open_time").is_between(window.start, window.end, closed="left")
        parts.append(label_table(bars.filter(around), label_set, "5m").filter(inside))
    return pl.concat(parts).sort("symbol", "open_time")


@pytest.mark.parametrize("entry", ["close", "next_open"])
def test_months_and_days_with_their_margin_equal_the_whole_range_to_the_last_bit(
    spring: pl.DataFrame, entry: str
) -> None:
    label_set = LabelSet(entry=entry)
    whole = label_table(spring, label_set, "5m")
    assert in_parts(spring, label_set, "month", *margin(label_set)).equals(whole)
    if entry == "close":
        assert in_parts(spring, label_set, "day", *margin(label_set)).equals(whole)


@pytest.mark.parametrize(("less_before", "less_after"), [(1, 0), (0, 1)])
def test_a_margin_one_bar_shorter_would_not_do(spring: pl.DataFrame, less_before: int, less_after: int) -> None:
    label_set = LabelSet(horizons=[5])
    before, after = margin(label_set)
    whole = label_table(spring, label_set, "5m")
    assert not in_parts(spring, label_set, "day", before - less_before, after - less_after).equals(whole)


def test_each_horizon_carries_its_own_barrier_labels(spring: pl.DataFrame) -> None:
    label_set = LabelSet(upper=1.5, lower=1.0, horizons=[5, 60], tie="nearer_open")
    table = label_table(spring, label_set)
    assert table["volatility"].equals(volatility(spring)["volatility"])
    for horizon in label_set.horizons:
        alone = barrier_labels(spring, label_set.barrier(horizon))
        for name in ("label", "label_end", "touch", "tie", "log_return", "mfe", "mae"):
            assert table[f"{name}_{horizon}"].equals(alone[name])


def test_the_forward_return_is_known_when_its_bar_closes_and_never_crosses_a_hole(made_bars: Bars) -> None:
    closes = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
    bars = made_bars([(close, close, close, close) for close in closes], [0, 1, 2, 3, 7, 8])
    table = label_table(bars, LabelSet(horizons=[2]))
    expected = [log(102 / 100), log(103 / 101), None, None, None, None]
    assert table["forward_log_return_2"].to_list() == pytest.approx(expected)
    ends = [time + 3 * BAR if row < 2 else None for row, time in enumerate(bars["open_time"])]
    assert table["forward_end_2"].to_list() == ends


def test_with_entry_at_the_next_open_the_forward_return_starts_there(made_bars: Bars) -> None:
    bars = made_bars([(100.0, 110.0, 90.0, 101.0), (102.0, 110.0, 90.0, 103.0), (104.0, 110.0, 90.0, 105.0)])
    table = label_table(bars, LabelSet(horizons=[2], entry="next_open"))
    assert table["forward_log_return_2"].to_list() == [pytest.approx(log(105 / 102)), None, None]


def test_the_table_keeps_the_schema_it_declares(spring: pl.DataFrame) -> None:
    for label_set in (LabelSet(), LabelSet(name="signed", vertical="sign", horizons=[10])):
        table, declared = label_table(spring, label_set), label_columns(label_set)
        assert dict(table.schema) == declared.dtypes
        assert declared.validate(declared.conform(table)).equals(table)
        assert all(column.description for column in declared.columns.values())


def test_the_balance_counts_what_is_there(spring: pl.DataFrame) -> None:
    label_set = LabelSet(horizons=[5, 20], upper=0.3, lower=0.3)
    table = label_table(spring, label_set, "5m")
    balance = label_balance(table, label_set, "5m")
    assert balance.equals(label_balance(table, label_set))
    for row in balance.iter_rows(named=True):
        horizon = row["horizon"]
        known = [r for r in table.iter_rows(named=True) if r[f"label_{horizon}"] is not None]
        labels = [r[f"label_{horizon}"] for r in known]
        lives = sorted((r[f"label_end_{horizon}"] - r["open_time"]) // BAR - 1 for r in known)
        assert (row["rows"], row["known"]) == (table.height, len(known))
        for name, share in (("up", labels.count(1)), ("flat", labels.count(0)), ("down", labels.count(-1))):
            assert row[name] == pytest.approx(share / len(known))
        assert row["ties"] == pytest.approx(sum(r[f"tie_{horizon}"] for r in known) / len(known))
        assert row["timeouts"] == pytest.approx(sum(r[f"touch_{horizon}"] == "vertical" for r in known) / len(known))
        assert row["median_life_bars"] == pytest.approx((lives[(len(lives) - 1) // 2] + lives[len(lives) // 2]) / 2)
        assert 0 < row["mean_uniqueness"] < 1
    assert label_balance(table.clear(), label_set)["up"].to_list() == [None, None]


@pytest.mark.parametrize("horizons", [[5, 5], [20, 5], [], [0]])
def test_horizons_are_positive_and_ascend(horizons: list[int]) -> None:
    with pytest.raises(ValidationError, match="horizons"):
        LabelSet(horizons=horizons)
