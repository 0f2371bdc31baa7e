"""Raw rows of several fetches: a bar once stored is never lost."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nightfold.bars.raw import join_fetches

START = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = {
    "symbol": pl.String,
    "open_time": pl.Datetime("ms", "UTC"),
    "venue": pl.String,
    "close": pl.Float64,
}
BARS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b"])), max_size=12)


def fetch(bars: list[tuple[int, str]], close: float) -> pl.DataFrame:
    rows = [("BTCUSDT", START + timedelta(minutes=5 * number), venue, close) for number, venue in sorted(bars)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_the_newer_fetch_counts_where_both_have_a_bar() -> None:
    joined = join_fetches(fetch([(0, "a"), (1, "a"), (2, "a")], 1.0), fetch([(1, "a"), (3, "a")], 2.0))
    assert joined["close"].to_list() == [1.0, 2.0, 1.0, 2.0]


def test_the_bars_of_another_venue_are_other_bars() -> None:
    joined = join_fetches(fetch([(0, "b")], 1.0), fetch([(0, "a")], 2.0))
    assert joined.select("venue", "close").rows() == [("a", 2.0), ("b", 1.0)]


def test_repeats_within_a_fetch_stay_in_their_order() -> None:
    repeated = fetch([(0, "a"), (0, "a")], 1.0).with_columns(close=pl.Series([1.0, 2.0]))
    assert join_fetches(repeated, fetch([(1, "a")], 3.0))["close"].to_list() == [1.0, 2.0, 3.0]
    assert join_fetches(fetch([(1, "a")], 3.0), repeated)["close"].to_list() == [1.0, 2.0, 3.0]


@given(BARS, BARS)
def test_no_bar_is_lost_and_every_fetched_row_is_there(
    stored: list[tuple[int, str]], fetched: list[tuple[int, str]]
) -> None:
    old, new = fetch(stored, 1.0), fetch(fetched, 2.0)
    joined = join_fetches(old, new)
    keys = joined.select("open_time", "venue").rows()
    assert keys == sorted(keys)
    assert set(keys) == {*old.select("open_time", "venue").rows(), *new.select("open_time", "venue").rows()}
    assert joined.filter(close=2.0).height == new.height
    assert joined.filter(close=1.0).height == sum(bar not in set(fetched) for bar in stored)
    assert joined.schema == old.schema


@given(BARS, BARS)
def test_the_same_fetch_twice_changes_nothing(stored: list[tuple[int, str]], fetched: list[tuple[int, str]]) -> None:
    new = fetch(fetched, 2.0)
    once = join_fetches(fetch(stored, 1.0), new)
    assert join_fetches(once, new).equals(once)
