"""What the page was made from."""

from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Cell, Code, Column, Part, Section, Table, frame_table
from nightfold.tearsheet.number import UNKNOWN

_HEADS = (Cell("What"), Cell("Value", style="words"))
_LINEAGE = {
    "as_of": Column("As of", number.day),
    "universe": Column("Universe", words=True),
    "dataset": Column("Dataset", words=True),
    "ensemble": Column("Ensemble", words=True),
    "members": Column("Members", words=True),
}


def provenance(report: TearsheetInput) -> Section:
    """Name the versions behind every number, and the experiment's file."""
    rows = [
        [Cell(name), Cell(value or UNKNOWN, style="words code")] for name, value in sorted(report.provenance.items())
    ]
    caption = "What this page was made from; the same inputs give the same bytes"
    parts: list[Part] = [
        Table(
            *("versions", caption, _HEADS, [("", rows)], dict(report.provenance)),
            place="wide",
            empty="Nothing was recorded.",
        )
    ]
    lineage = report.record.lineage
    if lineage is not None:
        caption = f"Dataset fingerprint and model versions of {number.count(lineage.height)} as-ofs"
        parts.append(frame_table("lineage", caption, lineage, _LINEAGE, style="codes", place="wide", is_folded=True))
    parts.append(Code("settings", "Experiment file", report.settings))
    return Section("provenance", "Settings and provenance", parts=parts)
