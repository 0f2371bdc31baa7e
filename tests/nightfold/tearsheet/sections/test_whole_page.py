"""The page with everything that there is to know."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl

from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.page import render_tearsheet

VOID = {"meta", "br", "input", "path"}
EVIL = "<script>alert('x')</script>\"'&"


class Nesting(HTMLParser):
    """Tags that are open, and ids; a tag that closes another is a failed test."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag, and that it is open."""
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes another tag"


def test_it_is_whole_loads_nothing_and_is_the_same_each_time(whole_report: TearsheetInput) -> None:
    page = render_tearsheet(whole_report)
    nesting = Nesting(page)
    assert nesting.open == []
    assert len(nesting.ids) == len(set(nesting.ids)) > 40
    labels = {name for found in re.findall(r'aria-labelledby="([^"]*)"', page) for name in found.split()}
    assert labels <= set(nesting.ids)
    assert page.count("<caption") == page.count("<table") > 15
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp|import\(|\bnan\b|\bNone\b", page)
    assert page == render_tearsheet(whole_report)


def test_names_from_the_record_are_escaped(whole_report: TearsheetInput) -> None:
    record = whole_report.record
    evil = {
        "policies": ("universe", "reason"),
        "forecast_log": ("symbol",),
        "importance": ("model", "feature"),
        "weights": ("model",),
        "accounts": ("symbol",),
        "lineage": ("universe", "dataset", "ensemble"),
    }
    frames = {
        name: getattr(record, name).with_columns(**dict.fromkeys(columns, pl.lit(EVIL)))
        for name, columns in evil.items()
    }
    assert whole_report.rejected is not None
    rejected = whole_report.rejected.with_columns(reason=pl.lit(EVIL), symbol=pl.lit(EVIL))
    weights = pl.concat([frames["weights"].head(1), record.weights.tail(2)]) if record.weights is not None else None
    page = render_tearsheet(
        replace(whole_report, rejected=rejected, record=replace(record, **{**frames, "weights": weights}))
    )
    assert EVIL not in page
    assert page.count("<script") == 1
    assert page.count("&lt;script&gt;alert(") > 8
