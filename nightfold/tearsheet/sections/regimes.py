"""In which markets the money was made."""

from functools import partial

from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Column, Section, frame_table
from nightfold.tearsheet.regime import LIVED_DAYS, regimes_lived

_COLUMNS = {
    "regime": Column("Regime"),
    "kind": Column("Of", words=True),
    "days": Column("Days", number.count),
    "share": Column("Share of days", number.percent),
    "total_return": Column("Return", partial(number.percent, signed=True), toned=True),
    "sharpe_ratio": Column("Sharpe ratio", number.ratio),
    "worst_day": Column("Worst day", partial(number.percent, digits=2)),
}


def regimes(report: TearsheetInput) -> Section:
    """Part the days by what the market was known to be before they began."""
    if report.regimes is None:
        said = ["The regimes of its days are unknown: the backtest kept no record of them."]
        return Section("regimes", "Market regimes", said)
    lived = regimes_lived(report.regimes)
    crashes = "unknown" if report.crashes is None else number.count(report.crashes)
    said = [
        f"Of bull, bear and range {lived} lasted {LIVED_DAYS} days or more. Falls of 20 % within 24 hours: {crashes}. "
        "A regime is read from days that were over before the day it is the regime of."
    ]
    caption = "Trend over the 60 days before, and volatility against its own past; days whose regime was unknown too"
    table = frame_table("regimes", caption, report.regimes, _COLUMNS, place="wide", empty="No days.")
    return Section("regimes", "Market regimes", said, [table])
