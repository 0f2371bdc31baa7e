"""Frames and numbers for the UI: tables and previews in Markdown, figures that are plotted."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from nightfold.schema import KEY

_PREVIEWED = 3


def markdown_table(frame: pl.DataFrame, digits: int = 4) -> str:
    """Write a frame as a Markdown table, floats with so many digits, nulls as a dash."""
    return _table(frame.columns, ((_cell(value, f".{digits}f") for value in row) for row in frame.iter_rows()))


def preview(frame: pl.DataFrame) -> str:
    """Write the last rows of a lake table upright as Markdown, a line for each column."""
    last = frame.tail(_PREVIEWED)
    values = last.drop(KEY)
    times = [f"{moment:%Y-%m-%d %H:%M}" for moment in last["open_time"]]
    return _table(
        ["", *times], ([column.name, *(_cell(value, ".8g") for value in column)] for column in values.iter_columns())
    )


def plotted(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Keep the figures that are known, with six digits that count: what the UI shows in full, and plots."""
    return {name: float(f"{value:.6g}") for name, value in figures.items() if value is not None}


def _table(titles: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object, spelling: str) -> str:
    if value is None:
        return "–"
    return format(value, spelling) if isinstance(value, float) else str(value).replace("|", "\\|")
