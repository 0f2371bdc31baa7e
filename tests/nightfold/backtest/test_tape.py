"""What the door of the simulation lets in."""

import re
from collections.abc import Callable

import polars as pl
import pytest

from nightfold.backtest.tape import aligned_targets, checked_bars, interval_of, is_fillable
from nightfold.errors import SchemaError

Make = Callable[..., pl.DataFrame]
STILL = (100, 100, 100, 100)


def test_every_fault_of_the_bars_is_listed(candles: Make) -> None:
    bars = candles([STILL, (0, 1, 0, 1), (100, 101, 99, 105), (float("nan"), 1, 1, 1)])
    with pytest.raises(SchemaError) as error:
        checked_bars(pl.concat([bars, bars[:1]]))
    for fault in ("2 have prices that are not positive", "outside their high and low", "1 are duplicates"):
        assert fault in str(error.value)


def test_a_null_price_is_a_fault(candles: Make) -> None:
    with pytest.raises(SchemaError, match="1 have prices"):
        checked_bars(candles([STILL, STILL]).with_columns(close=pl.Series([1.0, None]), low=1.0))


@pytest.mark.parametrize("volume", [float("nan"), float("inf"), -1.0])
def test_a_volume_that_says_nothing_is_refused_with_the_first_place(candles: Make, volume: float) -> None:
    bars = candles([STILL] * 4).with_columns(volume=pl.Series([1.0, 0.0, volume, volume]))
    place = f"{bars['symbol'][2]} at {bars['open_time'][2]}"
    with pytest.raises(
        SchemaError, match="2 have a volume that is no number of 0 or more, the first " + re.escape(place)
    ):
        checked_bars(bars)


def test_bars_in_which_nothing_traded_pass(candles: Make) -> None:
    bars = candles([STILL] * 3).with_columns(volume=pl.Series([1.0, 0.0, None]))
    assert checked_bars(bars).equals(bars)
    assert is_fillable(bars).tolist() == [True, False, False]


def test_missing_columns_and_no_bars_are_refused(candles: Make) -> None:
    with pytest.raises(SchemaError, match="volume"):
        checked_bars(candles([STILL]).drop("volume"))
    with pytest.raises(SchemaError, match="there are none"):
        checked_bars(candles([STILL]).clear())


def test_bars_are_sorted_by_symbol_and_time(candles: Make) -> None:
    bars = pl.concat([candles([STILL] * 3, "B"), candles([STILL] * 3, "A")])
    assert checked_bars(bars.reverse()).equals(bars.sort("symbol", "open_time"))


def test_bars_of_one_symbol_are_sorted_too(candles: Make) -> None:
    bars = candles([STILL, None, STILL, STILL])
    assert checked_bars(bars).equals(bars)
    assert checked_bars(bars.reverse()).equals(bars)


def test_the_interval_is_the_shortest_step(candles: Make) -> None:
    assert interval_of(candles([STILL, None, None, STILL, STILL])) == 300_000
    with pytest.raises(SchemaError, match="two are needed"):
        interval_of(pl.concat([candles([STILL], "A"), candles([None, STILL], "B")]))


def test_every_fault_of_the_targets_is_listed(candles: Make, wanted: Make) -> None:
    bars = checked_bars(candles([STILL] * 3))
    bad = wanted({0: (0.5, 103, 98), 1: float("inf"), 2: (-0.5, -1, None), 9: 0.1})
    with pytest.raises(SchemaError) as error:
        aligned_targets(bars, pl.concat([bad, bad[1:2]]))
    for fault in (
        "1 fall on no bar",
        "1 are duplicates",
        "2 are infinite",
        "1 have brackets <= 0",
        "1 have a stop that is not behind",
    ):
        assert fault in str(error.value)


def test_a_short_has_its_stop_above_its_take_profit(candles: Make, wanted: Make) -> None:
    bars = checked_bars(candles([STILL] * 2))
    assert aligned_targets(bars, wanted({0: (-0.5, 103, 98)})).row(0)[:3] == (-0.5, 103, 98)
    with pytest.raises(SchemaError, match="not behind"):
        aligned_targets(bars, wanted({0: (-0.5, 98, 103)}))


def test_brackets_do_not_matter_where_nothing_is_held(candles: Make, wanted: Make) -> None:
    assert aligned_targets(checked_bars(candles([STILL] * 2)), wanted({0: (0.0, 103, 98)})).height == 2


def test_targets_without_brackets_and_for_some_bars_only(candles: Make, wanted: Make) -> None:
    targets = wanted({1: 0.5}).drop("stop", "take_profit")
    aligned = aligned_targets(checked_bars(candles([STILL] * 3)), targets)
    assert aligned["target"].is_nan().to_list() == [True, False, True]
    assert aligned["stop"].is_nan().all()


def test_targets_need_their_columns(candles: Make, wanted: Make) -> None:
    with pytest.raises(SchemaError, match="target"):
        aligned_targets(checked_bars(candles([STILL] * 2)), wanted({0: 0.5}).drop("target"))


def test_a_limit_lies_between_stop_and_take_profit(candles: Make, wanted: Make) -> None:
    bars = checked_bars(candles([STILL] * 4))
    good = wanted({0: (0.5, 98, 103), 1: (-0.5, 103, 98)}).with_columns(limit=pl.Series([99.0, 101.0]))
    assert aligned_targets(bars, good)["limit"].to_list()[:2] == [99, 101]
    for limits in ([97.0, 101.0], [99.0, 97.0], [104.0, 101.0]):
        with pytest.raises(SchemaError, match="1 have a limit that is not between"):
            aligned_targets(bars, good.with_columns(limit=pl.Series(limits)))
    with pytest.raises(SchemaError, match="1 have a limit <= 0"):
        aligned_targets(bars, wanted({0: 0.5}).with_columns(limit=pl.lit(0.0)))
