"""Targets without barriers: worked by hand, and against a slow walk over recorded bars around a hole."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import exp, log, sqrt

import polars as pl
import pytest

from nightfold.errors import UnknownNameError
from nightfold.labels.table import TARGETS, LabelSet, label_table

Bars = Callable[..., pl.DataFrame]

BAR = timedelta(minutes=5)
SIGMA = 0.001
WARM_UP = [(100.0, 100.0, 100.0, 100.0), (100 * exp(SIGMA),) * 4] * 50 + [(100.0, 100.0, 100.0, 100.0)]


def flat(*closes: float) -> list[tuple[float, float, float, float]]:
    return [(close,) * 4 for close in closes]


def test_the_next_change_is_of_closes_and_known_when_the_next_bar_closes(made_bars: Bars) -> None:
    bars = pl.concat([made_bars(flat(100.0, 102.0, 102.0, 99.0), [0, 1, 2, 5]), made_bars(flat(7.0, 8.0), symbol="B")])
    table = label_table(bars, LabelSet(entry="next_open"))
    changes = [pytest.approx(log(1.02)), 0.0, None, None, pytest.approx(log(8 / 7)), None]
    assert table["next_log_return"].to_list() == changes
    ends = [None if change is None else time + 2 * BAR for time, change in zip(bars["open_time"], changes, strict=True)]
    assert table["next_end"].to_list() == ends


@pytest.mark.parametrize(
    ("close", "direction"),
    [(exp(0.0021), 1), (exp(0.0019), 0), (1.0, 0), (exp(-0.0019), 0), (exp(-0.0021), -1)],
)
def test_a_return_within_the_dead_zone_has_no_direction(made_bars: Bars, close: float, direction: int) -> None:
    bars = made_bars([*WARM_UP, *flat(100.0, 100.0, 100.0, 100 * close)])
    row = label_table(bars, LabelSet(horizons=[4], dead_zone=1.0)).row(len(WARM_UP) - 1, named=True)
    assert row["volatility"] == pytest.approx(SIGMA)
    assert row["direction_4"] == direction
    assert row["forward_end_4"] == row["open_time"] + 5 * BAR


def test_without_volatility_there_is_no_direction_and_still_a_return(made_bars: Bars) -> None:
    table = label_table(made_bars(flat(*[100.0] * 140)), LabelSet(horizons=[5]))
    assert table["direction_5"].null_count() == table["volatility"].null_count() == 140
    assert table["forward_log_return_5"].to_list() == [0.0] * 135 + [None] * 5
    assert table["next_log_return"].to_list() == [0.0] * 139 + [None]


@pytest.mark.parametrize("dead_zone", [0.0, 0.3])
def test_targets_of_recorded_bars_around_the_outage_equal_the_slow_walk(recorded_bars: Bars, dead_zone: float) -> None:
    bars = recorded_bars("ETHUSDT", datetime(2023, 3, 23, 12, tzinfo=UTC), datetime(2023, 3, 27, tzinfo=UTC))
    table = label_table(bars, LabelSet(horizons=[7], dead_zone=dead_zone), "5m")
    closes = dict(bars.select("open_time", "close").iter_rows())
    ranges = {time: (high, low) for time, high, low in bars.select("open_time", "high", "low").iter_rows()}
    seen = set()
    for row in table.iter_rows(named=True):
        path = [closes.get(row["open_time"] + step * BAR) for step in range(8)]
        change = log(path[1] / path[0]) if path[1] else None
        forward = log(path[7] / path[0]) if None not in path else None
        direction = None
        if forward is not None and row["volatility"] is not None:
            edge = dead_zone * row["volatility"] * sqrt(7)
            direction = (forward > edge) - (forward < -edge)
        assert (row["next_log_return"], row["forward_log_return_7"]) == (pytest.approx(change), pytest.approx(forward))
        assert row["next_end"] == (row["open_time"] + 2 * BAR if change is not None else None)
        assert row["forward_end_7"] == (row["open_time"] + 8 * BAR if forward is not None else None)
        assert row["direction_7"] == direction
        if forward is None:
            assert (row["forward_mfe_7"], row["forward_mae_7"]) == (None, None)
        else:
            highs, lows = zip(*(ranges[row["open_time"] + step * BAR] for step in range(1, 8)), strict=True)
            assert row["forward_mfe_7"] == pytest.approx(max(log(max(highs) / path[0]), 0))
            assert row["forward_mae_7"] == pytest.approx(min(log(min(lows) / path[0]), 0))
        seen.add(direction)
    assert seen == {None, -1, 0, 1}


def test_only_the_targets_asked_for_are_computed_and_equal_those_of_the_whole_table(random_bars: Bars) -> None:
    bars = random_bars(300, 2, [*range(200), *range(210, 310)])
    label_set = LabelSet(horizons=[3, 70], volatility_bars=20)
    whole = label_table(bars, label_set)
    for targets in (*((target,) for target in TARGETS), ("label", "touch", "label_end", "log_return"), ()):
        part = label_table(bars, label_set, targets=targets)
        names = [name for name in whole.columns if name in targets or name.rpartition("_")[0] in targets]
        assert part.equals(whole.select("symbol", "open_time", *names))
    with pytest.raises(UnknownNameError, match="did you mean label"):
        label_table(bars, label_set, targets=["label_3"])


@pytest.mark.parametrize("horizon", [1, 2, 3, 6, 8, 9])
def test_extremes_within_the_horizon_are_found_at_either_end_of_it(made_bars: Bars, horizon: int) -> None:
    for place in (1, horizon, horizon + 1):
        prices = [(100.0, 100.0, 100.0, 100.0)] * 12
        prices[place] = (100.0, 110.0, 95.0, 100.0)
        row = label_table(made_bars(prices), LabelSet(horizons=[horizon])).row(0, named=True)
        found = (row[f"forward_mfe_{horizon}"], row[f"forward_mae_{horizon}"])
        assert found == ((0, 0) if place > horizon else (pytest.approx(log(1.1)), pytest.approx(log(0.95))))
