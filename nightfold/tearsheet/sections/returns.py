"""Returns by month and by day, their measures beside those of the baselines, and how much was held."""

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.charts import exposure_chart, fold_chart
from nightfold.tearsheet.content import MARKET, SAME_EXPOSURE, TearsheetInput
from nightfold.tearsheet.layout import Cell, Part, Section, Table
from nightfold.tearsheet.summary import measure_all, measure_exposure, monthly_returns
from nightfold.tearsheet.table import measure_rows, month_rows
from nightfold.tearsheet.trade_charts import histogram

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def months(report: TearsheetInput) -> Section:
    """Lay out the return of each month, and of each window between two retrainings."""
    caption = "Return of each calendar month, after costs; first and last may be part of a month"
    heads = [Cell(head) for head in ("Year", *_MONTHS, "All")]
    values = monthly_returns(report.daily).to_dicts()
    parts: list[Part] = [
        Table("months", caption, heads, [("", month_rows(report.daily))], values, style="months", place="wide")
    ]
    if (report.folds["fold_return"] != 0).any():
        parts.append(fold_chart(report.folds.select("as_of", "days", "fold_return")))
    return Section("months", "Months", parts=parts)


def returns(report: TearsheetInput) -> Section:
    """Measure the strategy beside what anyone could have traded."""
    measured = measure_all(report.returns, MARKET)
    heads = [Cell(""), *map(Cell, measured)]
    caption = "Daily simple returns after costs; a year has 365 days"
    parts: list[Part] = [
        Table("measures", caption, heads, [("", measure_rows(measured))], measured, place="wide", style="measures")
    ]
    daily = report.daily["daily_return"]
    if (daily != 0).any():
        parts.append(histogram("days", "Daily returns", daily.to_list(), "days"))
    standing = report.equity.filter(pl.col("equity") > 0)
    if not standing.is_empty():
        parts.append(exposure_chart(standing))
    return Section("returns", "Returns and risk", _borrowed(report), parts)


def _borrowed(report: TearsheetInput) -> list[str]:
    """Say why no one holds as much as the strategy did, where that is over all of the equity."""
    held = measure_exposure(report.equity, report.fills)["exposure"]
    if held is None or held <= 1 or SAME_EXPOSURE in report.baselines:
        return []
    return [
        f"The strategy held {number.percent(held)} of its equity on average. {MARKET} at that exposure is left out: it "
        "would have to borrow, and what that costs is not known."
    ]
