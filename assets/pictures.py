"""Pictures in the UI: kept in the folder of reports, linked from metadata."""

from pathlib import Path

import dagster as dg

from resources.reports import write_report


def show_picture(reports: Path, name: str, alternative: str, svg: str) -> dg.MarkdownMetadataValue:
    """Write an SVG picture and return the metadata entry that shows it.

    A link, since Dagster shows Markdown in its place only up to 1000 letters; new bytes have a new address, so that a
    browser does not show old ones.
    """
    page = write_report(reports, f"{name}.svg", svg.encode())
    return dg.MetadataValue.md(f"![{alternative}](/reports/{name}.svg?{page.digest})")
