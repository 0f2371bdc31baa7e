"""Frames and numbers for the UI: tables and previews in Markdown, figures that are plotted."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

_PREVIEWED = 3


def markdown_table(frame: pl.DataFrame, digits: int = 4) -> str:
    """Write a frame as a Markdown table, floats with so many digits, nulls as a dash."""
    return _table(frame.columns, ((_cell(value, f".{digits}f") for value in row) for row in frame.iter_rows()))


def upright_table(frame: pl.DataFrame, title: str, spelling: str = ".4f") -> str:
    """Write few but wide rows the other way round, a line for each column, under the values of the one named."""
    titles = [title, *(_cell(value, spelling) for value in frame[title])]
    columns = frame.drop(title).iter_columns()
    return _table(titles, ([column.name, *(_cell(value, spelling) for value in column)] for column in columns))


def preview(frame: pl.DataFrame) -> str:
    """Write the last rows of a lake table upright."""
    last = frame.tail(_PREVIEWED).drop("symbol").with_columns(pl.col("open_time").dt.strftime("%Y-%m-%d %H:%M"))
    return upright_table(last, "open_time", ".8g")


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
