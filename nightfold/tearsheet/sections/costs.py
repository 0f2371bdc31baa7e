"""What trading cost."""

from dataclasses import asdict
from functools import partial

from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Cell, Column, Part, Section, Table, frame_table
from nightfold.tearsheet.summary import by_funding, sum_costs
from nightfold.tearsheet.table import cost_rows

_FUNDING = {
    "symbol": Column("Symbol"),
    "payments": Column("Payments", number.count),
    "mean_rate": Column("Mean rate", partial(number.percent, digits=4, signed=True)),
    "paid": Column("Paid", number.amount),
    "received": Column("Received", number.amount),
    "net": Column("Net paid", partial(number.amount, signed=True)),
}
_HEADS = (Cell(""), Cell("Amount"), Cell("Of capital"), Cell("Bps of traded value"))


def costs(report: TearsheetInput) -> Section:
    """Lead from the result before costs to what is left."""
    total = sum_costs(report.fills, report.trades)
    gain = float(report.equity["equity"][-1]) - report.capital
    traded = float((report.fills["quantity"] * report.fills["price"]).abs().sum())
    rows = cost_rows(total, gain=gain, capital=report.capital, traded=traded, currency=report.currency)
    values = {**asdict(total), "gain": gain, "capital": report.capital, "traded": traded}
    caption = "From the result before costs to what is left"
    parts: list[Part] = [Table("costs", caption, _HEADS, [("", rows)], values, place="wide")]
    if report.funding is not None and not report.funding.is_empty():
        caption = f"Funding of perpetual positions, in {report.currency}; longs pay a rate above 0"
        parts.append(frame_table("funding", caption, by_funding(report.funding), _FUNDING, place="wide"))
    return Section("costs", "Costs", parts=parts)
