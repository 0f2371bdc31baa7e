"""Which rows the models learnt from, and where the other bars went."""

from functools import partial

import polars as pl

from nightfold.labels.account import account_table
from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Column, Part, Section, Table, frame_table
from nightfold.tearsheet.timeline import timeline

_PARTS = {"train": "train", "stopping": "stopping", "validation": "validation"}
_ROWS = {**_PARTS, "effective_rows": "worth of train rows"}

_NARROW = 5
"""Columns that fit into half of the page."""


def samples(report: TearsheetInput) -> Section:
    """Account for the rows of each retraining."""
    splits, accounts = report.record.splits, report.record.accounts
    if splits is None or accounts is None or splits.is_empty():
        return Section("samples", "Samples", ["Which rows the models learnt from is unknown: no split is stored."])
    as_of = splits["as_of"].max()
    newest = splits.filter(as_of=as_of)
    said = [
        f"At the last of {number.count(splits['as_of'].n_unique())} as-ofs, {number.day(newest['as_of'][0])}, models "
        f"learnt from {number.count(int(newest['train'].sum()))} rows, which overlap so much that they are worth "
        f"{number.count(newest.select(pl.col('effective_rows').max()).item())} independent ones."
    ]
    parts: list[Part] = [_table(accounts.filter(as_of=as_of), newest["as_of"][0])]
    counted = (*(pl.col(name).sum() for name in _PARTS), pl.col("effective_rows").max())  # symbols move together
    totals = splits.group_by("as_of").agg(counted).sort("as_of")
    shown = {name: called for name, called in _ROWS.items() if totals[name].sum()}
    parts.append(
        timeline("rows", "Rows by as-of", totals, shown, words=partial(number.ratio, digits=0), tick=number.tick_count)
    )
    return Section("samples", "Samples", said, parts)


def _table(accounts: pl.DataFrame, as_of: object) -> Table:
    counted = accounts.group_by("symbol", "reason", maintain_order=True).agg(pl.col("rows").sum())
    found = account_table(counted)
    columns = {name: Column(name.capitalize() if name == "reason" else name, number.count) for name in found.columns}
    columns["reason"] = Column("Reason")
    caption = f"Where the bars went as of {number.day(as_of)}: each counted once, under the first reason"  # type: ignore[arg-type]  # a date
    place = "wide" if found.width > _NARROW else ""
    return frame_table("account", caption, found, columns, place=place)
