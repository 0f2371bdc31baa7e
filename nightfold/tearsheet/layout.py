"""What a section of the page is made of: sentences, tables and pictures, with the values behind them for programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nightfold.tearsheet.number import UNKNOWN
from nightfold.tearsheet.plot import Plot


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as text, with a note beside it, its colour, the strength of that in percent, and a style class."""

    text: str
    note: str = ""
    tone: str = ""
    heat: int = 0
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """How a column of a frame is shown; a toned one is coloured by its sign, one of words stands left."""

    head: str
    spell: Callable[[Any], str] = lambda value: UNKNOWN if value is None else str(value)
    words: bool = False
    toned: bool = False

    def cell(self, value: Any) -> Cell:
        """Write a value."""
        return Cell(self.spell(value), tone=tone(value) if self.toned else "", style="words" if self.words else "")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page; the first cell of a row names it.

    Parameters
    ----------
    name
        Key of its values in the JSON twin.
    caption, heads
        What is listed, and the columns; no head row without heads.
    groups
        Rows under a heading, which may be empty.
    values
        What the cells were written from, as plain data.
    style
        Class of its looks.
    place
        Classes of its place among the parts, such as ``wide``.
    empty
        What is said where it has no row.
    is_folded
        Whether it opens only when asked to.
    """

    name: str
    caption: str
    heads: Sequence[Cell]
    groups: Sequence[tuple[str, Sequence[Sequence[Cell]]]]
    values: Any
    style: str = ""
    place: str = ""
    empty: str = "Nothing to list."
    is_folded: bool = False

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to list."""
        return any(rows for _, rows in self.groups)


@dataclass(frozen=True, slots=True)
class Code:
    """Text shown as it is, folded away."""

    name: str
    summary: str
    text: str
    place: str = "wide"

    @property
    def values(self) -> str:
        """Return the text."""
        return self.text


Part = Table | Plot | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page under a heading of its own.

    Parameters
    ----------
    name, title
        Id of the heading, and its words.
    said
        Sentences before the parts: what to make of them, and what is not known and why.
    parts
        Tables and pictures, in the order in which they are read.
    """

    name: str
    title: str
    said: Sequence[str] = ()
    parts: Sequence[Part] = field(default=())

    @property
    def values(self) -> dict[str, Any]:
        """All that it shows, as plain data."""
        return {"said": list(self.said), **{part.name: part.values for part in self.parts}}

    @property
    def has_scales(self) -> bool:
        """Whether a picture of it is there with another scale."""
        return any("log" in part.place.split() for part in self.parts)


def frame_table(
    name: str,
    caption: str,
    frame: pl.DataFrame,
    columns: Mapping[str, Column],
    *,
    style: str = "",
    place: str = "",
    empty: str = "Nothing to list.",
    is_folded: bool = False,
) -> Table:
    """Show columns of a frame, a row each."""
    shown = frame.select(list(columns))
    rows = [
        [column.cell(value) for column, value in zip(columns.values(), row, strict=True)] for row in shown.iter_rows()
    ]
    heads = [Cell(column.head, style="words" if column.words else "") for column in columns.values()]
    return Table(name, caption, heads, [("", rows)], shown.to_dicts(), style, place, empty, is_folded)


def tone(value: float | None) -> str:
    """Colour of a number: that of gains, of losses, or none."""
    if not value:
        return ""
    return "up" if value > 0 else "down"


def heat(value: float | None, largest: float) -> int:
    """Strength of a colour in percent; the largest value has the most."""
    return round(_MOST_HEAT * abs(value) / largest) if value and largest else 0


_MOST_HEAT = 60
