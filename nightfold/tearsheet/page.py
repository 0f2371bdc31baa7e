"""The tearsheet as one HTML file that loads nothing: same input, same bytes."""

from collections.abc import Callable, Sequence

from nightfold.tearsheet import table
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Section
from nightfold.tearsheet.sections.costs import costs
from nightfold.tearsheet.sections.equity import equity
from nightfold.tearsheet.sections.forecasts import forecasts
from nightfold.tearsheet.sections.gates import gates
from nightfold.tearsheet.sections.models import models
from nightfold.tearsheet.sections.outcomes import outcomes
from nightfold.tearsheet.sections.policy import policy
from nightfold.tearsheet.sections.provenance import provenance
from nightfold.tearsheet.sections.regimes import regimes
from nightfold.tearsheet.sections.returns import months, returns
from nightfold.tearsheet.sections.rules import rules
from nightfold.tearsheet.sections.samples import samples
from nightfold.tearsheet.sections.trades import trades
from nightfold.tearsheet.sections.trust import trust
from nightfold.tearsheet.summary import measure_exposure, measure_returns, measure_trades, sum_costs
from nightfold.tearsheet.template import environment
from nightfold.tearsheet.verdict import deflated_sharpe, verdict_of

SECTIONS: Sequence[Callable[[TearsheetInput], Section]] = (
    *(gates, equity, months, returns, trust, regimes, costs, trades, rules, policy),
    *(forecasts, outcomes, models, samples, provenance),
)
"""In the order in which they are read."""


def render_tearsheet(report: TearsheetInput) -> str:
    """Lay out the whole report as one HTML page.

    Returns
    -------
    str
        A page that needs no network and no other file; equal input gives equal text. All text is escaped.
    """
    return (
        environment()
        .get_template("page.html")
        .render(
            report=report,
            first_day=report.daily["day"][0],
            last_day=report.daily["day"][-1],
            verdict=verdict_of(report),
            tiles=_tiles(report),
            sections=sections_of(report),
        )
    )


def sections_of(report: TearsheetInput) -> list[Section]:
    """All sections under the verdict, in the order in which they are read."""
    return [section(report) for section in SECTIONS]


def _tiles(report: TearsheetInput) -> list[table.Tile]:
    return table.tiles(
        measure_returns(report.daily),
        measure_trades(report.trades),
        sum_costs(report.fills, report.trades),
        measure_exposure(report.equity, report.fills),
        capital=report.capital,
        end=float(report.equity["equity"][-1]),
        days=report.daily.height,
        currency=report.currency,
        n_trials=report.n_trials,
        deflated_sharpe=deflated_sharpe(report),
    )
