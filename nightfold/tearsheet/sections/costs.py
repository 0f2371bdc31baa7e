"""What trading cost."""

from dataclasses import asdict

from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Cell, Section, Table
from nightfold.tearsheet.summary import sum_costs
from nightfold.tearsheet.table import cost_rows

_HEADS = (Cell(""), Cell("Amount"), Cell("Of capital"), Cell("Bps of traded value"))


def costs(report: TearsheetInput) -> Section:
    """Lead from the result before costs to what is left."""
    total = sum_costs(report.fills, report.trades)
    gain = float(report.equity["equity"][-1]) - report.capital
    traded = float((report.fills["quantity"] * report.fills["price"]).abs().sum())
    rows = cost_rows(total, gain=gain, capital=report.capital, traded=traded, currency=report.currency)
    values = {**asdict(total), "gain": gain, "capital": report.capital, "traded": traded}
    caption = "From the result before costs to what is left"
    return Section("costs", "Costs", parts=[Table("costs", caption, _HEADS, [("", rows)], values, place="wide")])
