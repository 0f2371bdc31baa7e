"""Structure features against swings found on each row's own bars, with TA-Lib's true range."""

import numpy as np
import polars as pl
import pytest
import talib

from nightfold.features.catalog import FEATURES
from nightfold.features.finite import swings


def test_every_feature_of_the_group_is_looked_at() -> None:
    assert [name for name, feature in FEATURES.items() if feature.group == "structure"] == [
        "swing_high_distance_3",
        "swing_low_distance_3",
        "swing_position_3",
        "break_of_structure_3_20",
        "change_of_character_3_20",
    ]


def test_values_follow_from_the_swings_of_the_last_350_bars(lively: pl.DataFrame, ours: pl.DataFrame) -> None:
    open_, high, low, close = (lively[name].to_numpy(writable=True) for name in ("open", "high", "low", "close"))
    distance = 3 * talib.ATR(high, low, close, 14)
    for row in range(600, 2_000, 50):
        found = []
        for end in range(row - 19, row + 1):
            window = slice(end - 350, end + 1)
            afresh = swings(open_[window], high[window], low[window], close[window], distance[window], 350)
            found.append([values[-1] for values in afresh])
        top, bottom = found[-1][0], found[-1][1]
        values = ours.row(row, named=True)
        assert values["swing_high_distance_3"] == pytest.approx(np.log(close[row] / top), abs=1e-8)
        assert values["swing_low_distance_3"] == pytest.approx(np.log(close[row] / bottom), abs=1e-8)
        assert values["swing_position_3"] == pytest.approx((close[row] - bottom) / (top - bottom), abs=1e-5)
        assert values["break_of_structure_3_20"] == sum(one[2] for one in found)
        assert values["change_of_character_3_20"] == sum(one[3] for one in found)


def test_breaks_and_turns_do_happen(ours: pl.DataFrame) -> None:
    for name in ("break_of_structure_3_20", "change_of_character_3_20"):
        assert ours[name].min() < 0 < ours[name].max()  # type: ignore[operator]
