"""What was asked for, and what was found."""

from dataclasses import asdict

from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.gates import Gate
from nightfold.tearsheet.layout import Cell, Section, Table
from nightfold.tearsheet.verdict import gate_value, needed

_RESULTS = {True: ("pass", "passed"), False: ("fail", "failed"), None: ("unknown", "unknown")}
_HEADS = (Cell("Gate"), Cell("Found"), Cell("Needed"), Cell("Result"), Cell("Note", style="words"))


def gates(report: TearsheetInput) -> Section:
    """List the gates as pass, fail or unknown."""
    caption = "What was asked for and what was found, after costs and on days no model had seen"
    rows = [_row(gate) for gate in report.gates]
    values = [asdict(gate) for gate in report.gates]
    return Section(
        "gates",
        "Gates",
        parts=[Table("gates", caption, _HEADS, [("", rows)], values, "judged", "wide", empty="No gates were set.")],
    )


def _row(gate: Gate) -> list[Cell]:
    text, tone = _RESULTS[gate.passed]
    return [
        Cell(gate.name),
        Cell(gate_value(gate, gate.value)),
        Cell(needed(gate)),
        Cell(text, tone=tone, style="badge"),
        Cell(gate.note, style="words"),
    ]
