"""Single trades: how they turned out, by symbol, and the ones worth reading."""

from dataclasses import asdict
from functools import partial
from typing import Any

from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Cell, Column, Part, Section, Table, frame_table, tone
from nightfold.tearsheet.number import UNKNOWN
from nightfold.tearsheet.summary import by_exit, by_symbol, measure_trades
from nightfold.tearsheet.table import trade_groups, trade_rows
from nightfold.tearsheet.trade_charts import histogram, trade_scatter

_SYMBOLS = {
    "symbol": Column("Symbol"),
    "closed": Column("Trades", number.count),
    "win_rate": Column("Win rate", number.percent),
    "mean_return": Column("Mean return", partial(number.percent, digits=3, signed=True)),
    "fees": Column("Fees", number.amount),
    "profit": Column("Profit", partial(number.amount, signed=True), toned=True),
}
_EXITS = {
    "time": "end of its time",
    "signal": "signal of the other side",
    "rule": "rule of risk",
    "target": "take-profit",
    "limit": "limit order",
}

_LEFT = {
    "exit_reason": Column("Left by", lambda reason: _EXITS.get(reason, reason)),
    "closed": Column("Trades", number.count),
    "win_rate": Column("Win rate", number.percent),
    "profit": Column("Profit", partial(number.amount, signed=True), toned=True),
}
_ORDERS = {
    "symbol": Column("Symbol"),
    "open_time": Column("Decided at the close of", number.moment),
    "wanted": Column("Position wanted", number.price),
}
_HEADS = (
    *(Cell("Symbol"), Cell("Side", style="words"), Cell("Entry"), Cell("Exit"), Cell("Bars"), Cell("Quantity")),
    *(Cell("Entry price"), Cell("Exit price"), Cell("Fees"), Cell("Profit"), Cell("Return")),
    Cell("Left by", style="words"),
)


def trades(report: TearsheetInput) -> Section:
    """Show how trades turned out."""
    closed, parts = report.closed, list[Part]()
    summary = measure_trades(report.trades)
    if not closed.is_empty():
        parts += [
            histogram("trades", "Trade returns", closed["return_"].to_list(), "trades"),
            trade_scatter(closed),
            Table(
                "trade_measures",
                "Closed trades, after costs",
                (),
                [("", trade_rows(summary, report.currency))],
                asdict(summary),
            ),
            frame_table("by_exit", "By what ended them", by_exit(report.trades), _LEFT),
            frame_table("by_symbol", "By symbol", by_symbol(report.trades), _SYMBOLS, place="wide"),
        ]
    groups = trade_groups(report.trades)
    if groups:
        parts.append(_list(groups, report.currency))
    said = ["No closed trades: there is nothing to measure here."] if closed.is_empty() else []
    if report.open_orders is None:
        said.append("Which orders were open at the end is unknown: the backtest kept no record of it.")
    elif not report.open_orders.is_empty():
        caption = "Orders open at the end, decided but not done; positions in units, times in UTC"
        parts.append(frame_table("open_orders", caption, report.open_orders, _ORDERS, place="wide"))
    return Section("trades", "Trades", said, parts)


def _list(groups: list[tuple[str, list[dict[str, Any]]]], currency: str) -> Table:
    caption = f"Flat to flat; profit in {currency} after fees and funding, times in UTC"
    rows = [(name, [_row(trade) for trade in trades]) for name, trades in groups]
    return Table("trades_listed", caption, _HEADS, rows, dict(groups), style="trades", place="wide")


def _row(trade: dict[str, Any]) -> list[Cell]:
    return [
        Cell(trade["symbol"]),
        Cell("long" if trade["side"] > 0 else "short", style="words"),
        Cell(number.moment(trade["entry_time"])),
        Cell(number.moment(trade["exit_time"])),
        Cell(number.count(trade["bars"])),
        Cell(number.price(trade["quantity"])),
        Cell(number.price(trade["entry_price"])),
        Cell(number.price(trade["exit_price"])),
        Cell(number.amount(trade["fees"])),
        Cell(number.amount(trade["profit"], signed=True), tone=tone(trade["profit"])),
        Cell(number.percent(trade["return_"], 2, signed=True)),
        Cell(trade["exit_reason"] or UNKNOWN, style="words"),
    ]
