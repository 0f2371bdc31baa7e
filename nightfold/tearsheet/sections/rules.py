"""Where rules stepped in, and which orders were not had."""

from collections.abc import Mapping

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Column, Section, Table, frame_table

_TRIGGERS = {
    "rule": Column("Rule"),
    "symbol": Column("Symbol", lambda symbol: symbol or "account", words=True),
    "times": Column("Times", number.count),
    "first": Column("First", number.moment),
    "last": Column("Last", number.moment),
    "furthest": Column("Furthest", number.percent),
    "limit": Column("Limit", number.percent),
}
_REJECTED = {
    "reason": Column("Reason"),
    "symbol": Column("Symbol", words=True),
    "orders": Column("Orders", number.count),
    "first": Column("First", number.moment),
    "last": Column("Last", number.moment),
}

_FEW = 20


def rules(report: TearsheetInput) -> Section:
    """Count triggers by rule and rejected orders by reason."""
    parts, said = list[Table](), []
    if report.triggers is None:
        said.append("Which rules of risk stepped in is unknown: the backtest kept no record of it.")
    else:
        caption = "Rules of risk that stepped in; figure and limit as shares of equity, times in UTC"
        parts.append(_listed("triggers", caption, by_rule(report.triggers), _TRIGGERS, "None stepped in."))
    if report.rejected is None:
        said.append("Which orders were rejected is unknown: the backtest kept no record of it.")
    else:
        caption = "Orders that were cut or not had, by what stood against them"
        parts.append(_listed("rejected", caption, by_reason(report.rejected), _REJECTED, "None was rejected."))
    return Section("rules", "Risk rules and rejected orders", said, parts)


def _listed(name: str, caption: str, counted: pl.DataFrame, columns: Mapping[str, Column], empty: str) -> Table:
    folded = counted.height > _FEW
    return frame_table(name, caption, counted, columns, place="wide", empty=empty, is_folded=folded)


def by_rule(triggers: pl.DataFrame) -> pl.DataFrame:
    """Count triggers by ``rule`` and ``symbol``: ``times``, ``first``, ``last``, ``furthest`` figure and ``limit``."""
    return (
        triggers.group_by("rule", "symbol")
        .agg(
            times=pl.len(),
            first=pl.col("time").min(),
            last=pl.col("time").max(),
            furthest=pl.col("figure").get(pl.col("figure").abs().arg_max()),
            limit=pl.col("limit").last(),
        )
        .sort("rule", "symbol")
    )


def by_reason(rejected: pl.DataFrame) -> pl.DataFrame:
    """Count rejected orders by ``reason`` and ``symbol``: ``orders``, ``first`` and ``last``."""
    return (
        rejected.group_by("reason", "symbol")
        .agg(orders=pl.len(), first=pl.col("time").min(), last=pl.col("time").max())
        .sort("reason", "symbol")
    )
