"""The leaderboard as one HTML file that loads nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

from nightfold.leaderboard import card_id
from nightfold.tearsheet import number
from nightfold.tearsheet.layout import Column, tone
from nightfold.tearsheet.template import environment

_VERDICT = "outcome"
_HASH = 8
"""Letters of a hash that are enough to tell variants apart by eye."""

_COLUMNS: Mapping[str, Column] = {
    "experiment": Column("Experiment", words=True),
    "variant": Column("Variant", lambda name: str(name)[:_HASH], words=True),
    _VERDICT: Column("Verdict", words=True),
    "gates": Column("Gates"),
    "first_day": Column("From", number.day),
    "last_day": Column("To", number.day),
    "trades": Column("Trades", number.count),
    "total_return": Column("Return", partial(number.percent, signed=True), toned=True),
    "sharpe_ratio": Column("Sharpe", number.ratio, toned=True),
    "deflated_sharpe": Column("Deflated Sharpe", partial(number.ratio, digits=3)),
    "trials": Column("Trials", number.count),
    "max_drawdown": Column("Drawdown", number.percent),
    "win_rate": Column("Win rate", number.percent),
    "profit_factor": Column("Profit factor", number.ratio),
    "exposure": Column("Exposure", number.percent),
    "turnover": Column("Turnover", number.ratio),
}


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    value: object
    style: str
    is_verdict: bool


def render_leaderboard(runs: pl.DataFrame, links: Mapping[str, str], note: str = "") -> str:
    """Lay the leaderboard out as a page that sorts by any column; equal input gives equal text, all of it escaped.

    Parameters
    ----------
    runs
        As from `nightfold.standings.table`.
    links
        Address of the tearsheet by id of the card whose backtest it shows.
    note
        What a simulated market has planted in it; empty for a real one.
    """
    rows = [
        (links.get(card_id(row["last_day"], row["variant"])), [_cell(name, row[name]) for name in _COLUMNS])
        for row in runs.iter_rows(named=True)
    ]
    return (
        environment()
        .get_template("leaderboard.html")
        .render(
            runs=runs,
            variants=runs["variant"].n_unique(),
            heads=_COLUMNS.values(),
            rows=rows,
            note=note,
        )
    )


def _cell(name: str, value: object) -> _Cell:
    column = _COLUMNS[name]
    style = " ".join(filter(None, ("words" if column.words else "", tone(value) if column.toned else "")))  # type: ignore[arg-type]  # numbers
    return _Cell(column.spell(value), value, style, name == _VERDICT)
