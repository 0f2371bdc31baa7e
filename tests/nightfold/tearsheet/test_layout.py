"""Tables are written from frames, and keep the values they were written from."""

import polars as pl
import pytest

from nightfold.tearsheet import number
from nightfold.tearsheet.layout import Code, Column, Section, frame_table, heat, tone

FRAME = pl.DataFrame({"name": ["a", None], "gain": [0.5, -1.0], "left_out": [1, 2]})
COLUMNS = {"gain": Column("Gain", number.ratio, toned=True), "name": Column("Name", words=True)}


def test_a_table_shows_its_columns_in_the_order_asked_and_keeps_their_values() -> None:
    table = frame_table("gains", "Gains", FRAME, COLUMNS)
    assert [(head.text, head.style) for head in table.heads] == [("Gain", ""), ("Name", "words")]
    assert [[(cell.text, cell.tone) for cell in row] for row in table.groups[0][1]] == [
        [("0.50", "up"), ("a", "")],
        [("\N{MINUS SIGN}1.00", "down"), ("\N{EN DASH}", "")],
    ]
    assert table.values == [{"gain": 0.5, "name": "a"}, {"gain": -1.0, "name": None}]
    assert table.has_rows
    assert not frame_table("gains", "Gains", FRAME.clear(), COLUMNS).has_rows


@pytest.mark.parametrize(("value", "found"), [(None, ""), (0.0, ""), (0.1, "up"), (-0.1, "down")])
def test_only_gains_and_losses_have_a_colour(value: float | None, found: str) -> None:
    assert tone(value) == found


def test_the_largest_value_is_the_warmest_and_nothing_is_cold() -> None:
    assert [heat(value, 0.2) for value in (0.2, -0.2, 0.1, 0.0, None)] == [60, 60, 30, 0, 0]
    assert heat(0.1, 0.0) == 0


def test_a_section_gives_all_it_shows_as_plain_data() -> None:
    section = Section(
        "s", "S", ["Why."], [frame_table("gains", "Gains", FRAME.head(1), COLUMNS), Code("file", "F", "x: 1")]
    )
    assert section.values == {"said": ["Why."], "gains": [{"gain": 0.5, "name": "a"}], "file": "x: 1"}
    assert not section.has_scales
