"""Small frames as Markdown, for previews in the UI."""

import polars as pl


def markdown_table(frame: pl.DataFrame, digits: int = 4) -> str:
    """Write a frame as a Markdown table, floats with so many digits, nulls as a dash."""
    lines = [" | ".join(frame.columns), " | ".join("---" for _ in frame.columns)]
    lines += [" | ".join(_cell(value, digits) for value in row) for row in frame.iter_rows()]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: object, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value).replace("|", "\\|")
