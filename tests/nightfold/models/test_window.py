"""Windows: none crosses a hole or a symbol, and none sees a bar beyond its newest."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.errors import SchemaError
from nightfold.models.dataset import Dataset
from nightfold.models.rows import FeatureRows
from nightfold.models.window import Windows, window_ends

FIVE_MINUTES = timedelta(minutes=5)
START = datetime(2024, 1, 1, tzinfo=UTC)


def frame_with_holes(bars: int = 3000) -> pl.DataFrame:
    """Three symbols, each with holes of its own and features that are unknown at times."""
    random = np.random.default_rng(0)
    parts = []
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        kept = random.random(bars) > 0.01
        features = random.normal(size=(bars, 2)).astype(np.float32)
        features[random.random(bars) < 0.005, 0] = np.nan
        part = pl.DataFrame(
            {
                "symbol": symbol,
                "open_time": [START + row * FIVE_MINUTES for row in range(bars)],
                "a": features[:, 0],
                "b": features[:, 1],
            },
            schema_overrides={"open_time": pl.Datetime("ms", "UTC")},
        ).with_columns(pl.col("a").fill_nan(None))
        parts.append(part.filter(pl.Series(kept)))
    return pl.concat(parts)


@pytest.mark.parametrize("length", [1, 2, 7, 64])
def test_windows_end_where_a_walk_bar_by_bar_finds_them_whole(length: int) -> None:
    frame = frame_with_holes()
    found = FeatureRows.from_frame(frame, ["a", "b"], "5m").usable(length)
    bars = {
        (row["symbol"], row["open_time"]): row["a"] is not None and row["b"] is not None
        for row in frame.iter_rows(named=True)
    }
    expected = [
        all(bars.get((symbol, time - back * FIVE_MINUTES), False) for back in range(length))
        for symbol, time in frame.select("symbol", "open_time").iter_rows()
    ]
    assert found.tolist() == expected
    assert 0 < found.sum() < len(found)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40), st.integers(1, 6))
def test_ends_are_those_of_a_count_that_starts_anew(bars: list[tuple[bool, bool]], length: int) -> None:
    complete = np.array([known for known, _ in bars], dtype=bool)
    breaks = np.array([cut for _, cut in bars], dtype=bool)
    expected, run = [], 0
    for known, cut in zip(complete, breaks, strict=True):
        run = ((0 if cut else run) + 1) if known else 0
        expected.append(run >= length)
    assert window_ends(complete, breaks, length).tolist() == expected


def test_a_batch_is_the_bars_up_to_and_including_each_newest_one() -> None:
    frame, length = frame_with_holes(), 16
    rows = FeatureRows.from_frame(frame, ["a", "b"], "5m")
    ends = np.flatnonzero(rows.usable(length))
    windows: Any = rows.take(ends).features(["b", "a"], length)
    batch = windows.batch(slice(0, 500))
    values = frame.select("b", "a").to_numpy()
    for place, end in enumerate(ends[:500]):
        np.testing.assert_array_equal(batch[place], values[end - length + 1 : end + 1])


def test_windows_share_the_table_until_a_batch_is_taken() -> None:
    windows = Windows(np.zeros((5000, 3), np.float32), np.arange(9, 5000), 10)
    assert np.shares_memory(windows[10:20].rows, windows.rows)
    assert np.shares_memory(windows[windows.ends % 2 == 0].rows, windows.rows)
    assert np.shares_memory(windows[:10].join(windows[50:]).rows, windows.rows)
    assert not np.shares_memory(windows.batch([0]), windows.rows)


def test_the_label_is_that_of_the_newest_bar() -> None:
    table = np.arange(5000, dtype=np.float32)[:, None]
    ends = np.arange(31, 5000)
    rows = Dataset(Windows(table, ends, 32), ("position",), np.where(ends % 3 == 0, 1, -1), np.ones(len(ends)))
    part = rows.take(np.random.default_rng(0).permutation(len(rows))[:700])
    features: Any = part.features
    newest = features.batch()[:, -1, 0]
    assert part.label.tolist() == np.where(newest % 3 == 0, 1, -1).tolist()
    assert part.table[:, 0].tolist() == newest.tolist()


def test_what_no_window_covers_may_be_unknown_and_has_no_say() -> None:
    table = np.random.default_rng(0).normal(size=(5000, 2)).astype(np.float32)
    spoilt = table.copy()
    spoilt[:100], spoilt[4000:] = np.nan, 7
    ends = np.arange(150, 4000)
    known, other = Windows(table, ends, 51), Windows(spoilt, ends, 51)
    assert known.fingerprint == other.fingerprint
    np.testing.assert_array_equal(known.batch([0, -1]), other.batch([0, -1]))
    with pytest.raises(SchemaError, match="NaN or infinity"):
        Windows(spoilt, ends, 52)


@pytest.mark.parametrize("end", [-1, 2, 10])
def test_windows_outside_the_table_are_refused(end: int) -> None:
    with pytest.raises(SchemaError, match="the table has 10 bars"):
        Windows(np.zeros((10, 1), np.float32), np.array([5, end]), 4)
