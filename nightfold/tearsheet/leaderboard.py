"""The leaderboard as one HTML file that loads nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.template import environment

Spell = Callable[..., str]

_COLUMNS: Mapping[str, tuple[str, Spell | None]] = {
    "experiment": ("Experiment", None),
    "variant": ("Variant", None),
    "outcome": ("Verdict", None),
    "gates": ("Gates", None),
    "first_day": ("From", None),
    "last_day": ("To", None),
    "trades": ("Trades", number.count),
    "total_return": ("Return", number.percent),
    "sharpe_ratio": ("Sharpe", number.ratio),
    "max_drawdown": ("Drawdown", number.percent),
    "win_rate": ("Win rate", number.percent),
    "profit_factor": ("Profit factor", number.ratio),
    "exposure": ("Exposure", number.percent),
    "turnover": ("Turnover", number.ratio),
}


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    value: object


def render_leaderboard(runs: pl.DataFrame, links: Mapping[str, str], note: str = "") -> str:
    """Lay the leaderboard out as a page that sorts by any column; equal input gives equal text, all of it escaped.

    Parameters
    ----------
    runs
        As from `nightfold.leaderboard.table`.
    links
        Address of the tearsheet by experiment.
    note
        What a simulated market has planted in it; empty for a real one.
    """
    rows = [[_cell(row[name], spell) for name, (_, spell) in _COLUMNS.items()] for row in runs.iter_rows(named=True)]
    return (
        environment()
        .get_template("leaderboard.html")
        .render(
            runs=runs,
            variants=runs["variant"].n_unique(),
            heads=[head for head, _ in _COLUMNS.values()],
            rows=rows,
            links={name: links.get(name, "") for name in runs["experiment"].unique()},
            note=note,
        )
    )


def _cell(value: object, spell: Spell | None) -> _Cell:
    if spell is None:
        return _Cell(str(value), str(value))
    return _Cell(spell(value), value)
