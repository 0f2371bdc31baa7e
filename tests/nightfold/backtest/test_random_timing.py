"""Trades laid out anew: each where it may be, those held together still together."""

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.backtest.random_timing import random_targets
from nightfold.schema import TIME

HOUR = 3_600_000
Trade = tuple[str, int, int, float]
"""Symbol, moment it fills, moments held, target."""


def rows(moments: dict[str, list[int]]) -> pl.DataFrame:
    """Bars of symbols at some moments."""
    pairs = [(symbol, HOUR * moment) for symbol, own in moments.items() for moment in own]
    return pl.DataFrame(pairs, schema=["symbol", "open_time"], orient="row").with_columns(
        pl.col("open_time").cast(TIME)
    )


def table(trades: list[Trade]) -> pl.DataFrame:
    found = pl.DataFrame(
        [(symbol, HOUR * entry, bars, target) for symbol, entry, bars, target in trades],
        schema=["symbol", "entry_time", "bars", "target"],
        orient="row",
    )
    return found.with_columns(pl.col("entry_time").cast(TIME))


def drawn(bars: pl.DataFrame, trades: list[Trade], traders: int, seed: int = 0, latency: int = 0) -> list[list[Trade]]:
    """What each trader does where every order fills at the next bar, or ``latency`` bars later."""
    found = []
    for target in random_targets(bars, table(trades), latency, traders, seed):
        made = list[Trade]()
        decided = bars.with_columns(target=pl.Series(target))
        for (symbol,), own in decided.partition_by("symbol", as_dict=True, maintain_order=True).items():
            times = [time // HOUR for time in own["open_time"].to_physical()]
            since, held = 0, 0.0
            for row, wanted in enumerate(own["target"]):
                if np.isnan(wanted) or wanted == held:
                    continue
                fills = row + 1 + latency
                assert fills < len(times)
                if held:
                    made.append((str(symbol), times[since], fills - since, held))
                since, held = fills, wanted
            if held:
                made.append((str(symbol), times[since], len(times) - since, held))
        found.append(made)
    return found


def stretches(trades: list[Trade]) -> Counter[frozenset[tuple[str, int, int, float]]]:
    """Trades by what hangs together: pairs that overlap are joined until nothing changes."""
    group = list(range(len(trades)))
    for _ in trades:
        for (i, one), (j, two) in combinations(enumerate(trades), 2):
            if one[1] < two[1] + two[2] and two[1] < one[1] + one[2]:
                group[i] = group[j] = min(group[i], group[j])
    parts = [[trade for trade, own in zip(trades, group, strict=True) if own == number] for number in set(group)]
    return Counter(
        frozenset((symbol, entry - min(e for _, e, _, _ in part), bars, target) for symbol, entry, bars, target in part)
        for part in parts
    )


def held(trades: list[Trade], symbols: str, moments: int) -> np.ndarray:
    found = np.zeros((len(symbols), moments))
    for symbol, entry, bars, target in trades:
        found[symbols.index(symbol), entry : entry + bars] = target
    return found


@st.composite
def some_trades(draw: st.DrawFn, *, symbols: str = "ABC", most: int = 3, space: int = 30) -> tuple[list[Trade], int]:
    """Trades of some symbols, and the first moment after all of them; sizes differ."""
    trades, end = list[Trade](), 1
    for symbol in symbols:
        moment = 1
        for _ in range(draw(st.integers(0, most))):
            entry = moment + draw(st.integers(0, space))
            bars = draw(st.integers(1, 8))
            trades.append((symbol, entry, bars, 1.0 + len(trades)))
            moment = entry + bars + 1
        end = max(end, moment)
    return trades or [("A", 1, 1, 1.0)], max(end, 3)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(0, 30), st.integers(0, 1000))
def test_whatever_the_trades_of_one_symbol_they_lie_apart_within_the_range(
    lengths: list[int], free: int, seed: int
) -> None:
    moments = sum(lengths) + len(lengths) + free + 1
    entries = 1 + np.cumsum([0, *(length + 1 for length in lengths[:-1])])
    trades = [("A", int(e), n, 1.0 + i) for i, (e, n) in enumerate(zip(entries, lengths, strict=True))]
    (made,) = drawn(rows({"A": list(range(moments))}), trades, 1, seed)
    assert {(bars, target) for _, _, bars, target in made} == {(bars, target) for _, _, bars, target in trades}
    assert all(one[1] + one[2] < two[1] for one, two in pairwise(made))
    assert made[-1][1] + made[-1][2] < moments


@settings(max_examples=80, deadline=None)
@given(some_trades(), st.integers(0, 60), st.integers(0, 2), st.integers(0, 1000))
def test_what_was_held_together_stays_together(
    found: tuple[list[Trade], int], free: int, latency: int, seed: int
) -> None:
    trades, end = found
    trades = [(symbol, entry + latency, bars, target) for symbol, entry, bars, target in trades]
    moments = list(range(end + latency + 12 + free))
    for made in drawn(rows(dict.fromkeys("ABC", moments)), trades, 3, seed, latency):
        assert stretches(made) == stretches(trades)


def test_every_placement_of_one_symbol_is_equally_likely() -> None:
    """Trades of 2 and 1 bars in 8: 3 free bars go to 3 gaps in 10 ways, in 2 orders; 20 placements, 20,000 traders."""
    trades = [("A", 1, 2, 1.0), ("A", 5, 1, -1.0)]
    found = random_targets(rows({"A": list(range(9))}), table(trades), latency=0, traders=20_000, seed=5)
    counts = Counter(target.tobytes() for target in found)
    assert len(counts) == 20
    assert max(abs(count - 1_000) for count in counts.values()) < 4 * np.sqrt(1_000)


def test_every_placement_of_what_was_held_together_is_equally_likely() -> None:
    """A block of 3 (two symbols) and one of 1 bar in 8: 2 free bars to 3 gaps in 6 ways, in 2 orders."""
    trades = [("A", 1, 2, 1.0), ("B", 2, 2, -1.0), ("B", 6, 1, 2.0)]
    bars = rows({symbol: list(range(9)) for symbol in "AB"})
    counts = Counter(target.tobytes() for target in random_targets(bars, table(trades), 0, traders=12_000, seed=5))
    assert len(counts) == 12
    assert max(abs(count - 1_000) for count in counts.values()) < 4 * np.sqrt(1_000)


def test_who_was_always_in_the_market_stays_there() -> None:
    """Two trades of 4 in 9 moments: the one that is free goes to 3 gaps, in 2 orders; no more parts them."""
    trades = [("A", 1, 4, 1.0), ("A", 5, 4, -1.0)]
    found = drawn(rows({"A": list(range(10))}), trades, 200, seed=1)
    assert {tuple(made) for made in found} == {
        (("A", first, 4, side), ("A", second, 4, -side))
        for first, second in ((1, 5), (1, 6), (2, 6))
        for side in (1.0, -1.0)
    }


def chain(links: int) -> list[Trade]:
    """Two symbols by turns, each held for four moments and one of them together with the other."""
    return [("AB"[link % 2], 1 + 3 * link, 4, 1.0 + link) for link in range(links)]


@pytest.mark.parametrize(("after", "latency"), [(2, 0), (5, 0), (40, 0), (6, 2)])
def test_many_trades_in_one_long_block_are_turned_around_the_range(after: int, latency: int) -> None:
    """Twelve trades overlap in a chain of 37 moments; every turn of them is drawn, and no other."""
    trades = [(symbol, entry + latency, bars, target) for symbol, entry, bars, target in chain(12)]
    moments = 37 + after
    bars = rows({symbol: list(range(moments + 1 + latency)) for symbol in "AB"})
    strategy = held(trades, "AB", moments + 1 + latency)[:, 1 + latency :]
    turns = {np.roll(strategy, shift, axis=1).tobytes() for shift in range(moments)}
    found = drawn(bars, trades, 12 * moments, seed=2, latency=latency)
    assert {held(made, "AB", moments + 1 + latency)[:, 1 + latency :].tobytes() for made in found} == turns


@pytest.mark.parametrize("links", [9, 10])
def test_few_trades_are_never_cut(links: int) -> None:
    trades = chain(links)
    bars = rows({symbol: list(range(50)) for symbol in "AB"})
    is_whole = [sorted(t[2:] for t in made) == sorted(t[2:] for t in trades) for made in drawn(bars, trades, 100)]
    assert all(is_whole) == (links < 10)


def test_who_changes_sides_all_the_time_is_turned_too_so_that_no_two_trades_become_one() -> None:
    """Twelve trades of one symbol leave no flat bar: in another order trades of one side would save a round trip."""
    trades = [("A", 1 + 3 * number, 3, (-1.0) ** number) for number in range(12)]
    for made in drawn(rows({"A": list(range(37))}), trades, 50):
        assert len(made) in (12, 13)
        assert np.abs(held(made, "A", 37)[:, 1:]).all()


def test_what_is_held_to_the_end_is_turned_without_a_flat_bar() -> None:
    """Everything held throughout, by turns of two symbols: whoever stands at the seam is joined to itself."""
    trades = [("AB"[number % 2], 1 + 4 * number, 4, 1.0) for number in range(11)]
    for made in drawn(rows({symbol: list(range(45)) for symbol in "AB"}), trades, 50):
        assert held(made, "AB", 45)[:, 1:].sum(axis=0).tolist() == [1.0] * 44


def test_what_falls_into_a_hole_fills_behind_it_and_a_trade_within_it_is_left_out() -> None:
    """B has no bars at 6 to 9: its trade of 3 moments waits or is held longer; with A it is one block of 3."""
    moments = {"A": list(range(16)), "B": [*range(6), *range(10, 16)]}
    found = drawn(rows(moments), [("A", 1, 3, 1.0), ("B", 1, 3, -1.0)], 300)
    assert len({tuple(made) for made in found}) == 12
    expected = {1: (1, 3), 4: (4, 2), 5: (5, 1), 6: None, 7: None, 8: (10, 1), 9: (10, 2), 10: (10, 3)}
    for made in found:
        (entry,) = (trade[1] for trade in made if trade[0] == "A")
        theirs = [trade[1:3] for trade in made if trade[0] == "B"]
        if entry in expected:
            assert theirs == ([] if expected[entry] is None else [expected[entry]])


def test_a_trade_that_was_held_through_a_hole_takes_its_moments_along() -> None:
    """B is held for 2 rows and 6 moments; where it has no hole those are 6 rows, as A's are."""
    moments = {"A": list(range(200)), "B": [*range(6), *range(10, 200)]}
    for made in drawn(rows(moments), [("A", 5, 6, 1.0), ("B", 5, 2, -1.0)], 50):
        (a, b) = sorted(made)
        if a[1] >= 10:
            assert a[1:3] == b[1:3]


def test_a_symbol_that_begins_late_is_moved_on_its_own_and_makes_all_of_its_trades() -> None:
    moments = {"A": list(range(60)), "B": list(range(30, 60))}
    found = drawn(rows(moments), [("A", 40, 3, 1.0), ("B", 41, 3, 2.0)], 100)
    assert all(sorted(trade[2:] for trade in made) == [(3, 1.0), (3, 2.0)] for made in found)
    assert {made[1][1] - made[0][1] for made in found} != {1}
    assert min(made[0][1] for made in found) < 30 < min(made[1][1] for made in found)


def test_a_bar_that_is_missing_at_an_end_parts_nobody() -> None:
    moments = {"A": list(range(200)), "B": list(range(1, 199))}
    found = drawn(rows(moments), [("A", 40, 30, 1.0), ("B", 45, 30, 2.0)], 50)
    assert all(made[1][1] - made[0][1] == 5 for made in found)


def test_who_has_no_bar_before_the_first_moment_decides_at_its_own_first() -> None:
    """B begins a bar late: where both enter at the first moment, it can fill at its second bar only."""
    found = drawn(rows({"A": list(range(150)), "B": list(range(1, 150))}), [("A", 2, 140, 1.0), ("B", 2, 3, 2.0)], 50)
    for a, b in found:
        assert a[2:] == (140, 1.0)
        assert b[1:] == (max(a[1], 2), 3 - (a[1] < 2), 2.0)
    assert {a[1] for a, _ in found} == set(range(1, 10))
