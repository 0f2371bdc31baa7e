"""What became of the money: equity, drawdown, the moments a rule of risk stepped in, and the rolling Sharpe ratio."""

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.charts import drawdown_chart, equity_chart, growth_curves
from nightfold.tearsheet.content import STRATEGY, TearsheetInput
from nightfold.tearsheet.layout import Part, Section
from nightfold.tearsheet.measures import is_ruined
from nightfold.tearsheet.rolling import ROLLING_DAYS, rolling_chart, rolling_sharpe


def equity(report: TearsheetInput) -> Section:
    """Draw the account beside what anyone could have traded."""
    times, curves = growth_curves(report.returns)
    stepped = pl.Series(dtype=pl.Date) if report.triggers is None else report.triggers["time"]
    scaled = min(curve.min() for curve in curves.values()) > 0
    parts: list[Part] = [equity_chart(times, curves, place="wide linear" if scaled else "wide")]
    if scaled:
        parts.append(equity_chart(times, curves, log=True, place="wide log"))
    parts.append(drawdown_chart(times, curves, stepped))
    said = [_said(stepped, report.triggers is None)]
    if is_ruined(report.daily["daily_return"]):
        said.append("The rolling Sharpe ratio is unknown: the account was lost.")
    elif report.daily.height < ROLLING_DAYS:
        said.append(
            f"The Sharpe ratio over {ROLLING_DAYS} days is unknown: the account has {number.days(report.daily.height)}."
        )
    else:
        rolled = {
            name: rolling_sharpe(frame)
            for name, frame in report.returns.items()
            if name == STRATEGY or not is_ruined(frame["daily_return"])
        }
        parts.append(rolling_chart(rolled))
    return Section("equity-section", "Equity", said, parts)


def _said(stepped: pl.Series, is_unknown: bool) -> str:
    if is_unknown:
        return "Whether a rule of risk stepped in is unknown: the backtest kept no record of it."
    if stepped.is_empty():
        return "No rule of risk stepped in."
    return (
        f"Rules of risk stepped in {number.count(stepped.len())} times; the days of it are marked under the drawdown."
    )
