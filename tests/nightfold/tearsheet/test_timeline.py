"""Lines from as-of to as-of."""

from datetime import date

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.timeline import timeline

FRAME = pl.DataFrame(
    {
        "as_of": [date(2024, 1, 8), date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 15)],
        "universe": ["A", "A", "B", "A"],
        "edge": [1.0, 5.0, 3.0, None],
    }
)


def test_universes_are_averaged_by_as_of_and_unknown_ones_break_the_line() -> None:
    drawn = timeline("edge", "Edge", FRAME, {"edge": "least edge"}, words=number.ratio, tick=number.tick_ratio)
    assert drawn.title == "Edge, mean of 2 universes"
    assert drawn.values == {
        "moments": ["as of 2024-01-01", "as of 2024-01-08", "as of 2024-01-15"],
        "least edge": [5.0, 2.0, None],
    }


def test_one_universe_needs_no_mean() -> None:
    alone = FRAME.filter(universe="A")
    assert timeline("e", "Edge", alone, {"edge": "e"}, words=number.ratio, tick=number.tick_ratio).title == "Edge"


def test_what_holds_is_drawn_as_a_step_to_the_next_as_of() -> None:
    alone = FRAME.filter(universe="A")
    drawn = timeline("e", "E", alone, {"edge": "e"}, words=number.ratio, tick=number.tick_ratio, holds=True)
    # three weeks across 1000, from 0 to 5 and a bit up 400: 5 in the first, 1 in the second, none in the third
    top = drawn.y.high
    first, second = (f"{400 - 400 * value / top:.1f}".removesuffix(".0") for value in (5, 1))
    assert f'd="M0 {first}L333.3 {first}L333.3 {second}L666.7 {second}"' in drawn.layers[0]
    assert drawn.values["e"] == [5.0, 1.0, None]
