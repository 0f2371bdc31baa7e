"""Holding a side, against a slow reading of the rule."""

import numpy as np
import pytest

from nightfold.backtest.holding import hold


def slowly(favoured: list[int], bars: int, renew: bool) -> tuple[list[int], list[bool]]:
    """Say for each row what is held, by looking at the row that entered last."""
    held: list[int] = []
    entries: list[bool] = []
    since = 0
    for row, side in enumerate(favoured):
        before = held[-1] if held else 0
        over = before != 0 and row - since >= bars
        if side not in (0, before):
            now = side
        elif over and not (renew and side == before):
            now = 0
        else:
            now = before
        if now != 0 and (now != before or over):
            since = row
        held.append(now)
        entries.append(now not in (0, before))
    return held, entries


@pytest.mark.parametrize("renew", [True, False])
@pytest.mark.parametrize("bars", [1, 2, 5])
def test_holding_agrees_with_the_slow_reading(bars: int, renew: bool) -> None:
    favoured = np.random.default_rng(bars).choice([-1, 0, 0, 0, 1], 500).astype(np.int8)
    held, entered = hold(favoured, np.arange(500) == 0, bars, renew)
    expected = slowly(favoured.tolist(), bars, renew)
    assert (held.tolist(), entered.tolist()) == expected


def test_a_side_is_held_for_its_bars() -> None:
    held, entered = hold(np.array([0, 1, 0, 0, 0, 0], dtype=np.int8), np.arange(6) == 0, 3, True)
    assert held.tolist() == [0, 1, 1, 1, 0, 0]
    assert entered.tolist() == [False, True, False, False, False, False]


def test_the_other_side_ends_it_sooner_and_is_held_in_turn() -> None:
    held, _ = hold(np.array([1, 0, -1, 0, 0, 0], dtype=np.int8), np.arange(6) == 0, 3, True)
    assert held.tolist() == [1, 1, -1, -1, -1, 0]


def test_a_side_still_favoured_is_renewed_or_ends() -> None:
    favoured, first = np.array([1, 1, 1, 1, 0, 0], dtype=np.int8), np.arange(6) == 0
    assert hold(favoured, first, 2, True)[0].tolist() == [1, 1, 1, 1, 0, 0]
    assert hold(favoured, first, 2, False)[0].tolist() == [1, 1, 0, 1, 1, 0]


def test_a_new_symbol_starts_flat() -> None:
    held, _ = hold(np.array([1, 0, 0, 0], dtype=np.int8), np.array([True, False, True, False]), 9, True)
    assert held.tolist() == [1, 1, 0, 0]
