"""How far to trust the result: luck, choice among variants, other costs and delays, and shocks."""

from functools import partial

import polars as pl

from nightfold.backtest.baseline_random import TRADERS
from nightfold.tearsheet import measures, number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Cell, Column, Part, Section, Table, frame_table, heat, tone
from nightfold.tearsheet.length import length_needed, length_rows
from nightfold.tearsheet.verdict import deflated_sharpe

_SIGNED = partial(number.percent, signed=True)
_SHOCKS = {
    "shock": Column("Shock"),
    "moment": Column("Strikes", lambda moment: number.moment(moment) if moment else "throughout"),
    "trades": Column("Trades", number.count),
    "total_return": Column("Return", _SIGNED, toned=True),
    "sharpe_ratio": Column("Sharpe ratio", number.ratio),
    "max_drawdown": Column("Drawdown", number.percent),
}
_OWN = (1.0, 1.0, 0)
"""Edge, costs and added delay of the run that was traded."""


def trust(report: TearsheetInput) -> Section:
    """Say how much of the result luck, choice and assumptions could explain."""
    said, parts = list[str](), list[Part]([_luck(report)])
    if report.sensitivity is None or report.sensitivity.is_empty():
        said.append("How much depends on costs, delay and threshold is unknown: the backtest kept no record of it.")
    else:
        said.append(_profitable(report.sensitivity))
        parts += surfaces(report.sensitivity)
    if report.shocks is None:
        said.append("What shocks would have done is unknown: the backtest kept no record of it.")
    else:
        caption = "Decided as without the shock, struck where most was held"
        parts.append(
            frame_table("shocks", caption, report.shocks, _SHOCKS, place="wide", empty="No shocks were tried.")
        )
    return Section("trust", "How far to trust it", said, parts)


def _luck(report: TearsheetInput) -> Table:
    luck = report.luck or dict.fromkeys(("percentile", "median", "best"))
    deflated, needed = deflated_sharpe(report), length_needed(report.daily, report.n_trials)
    compared = f"that the best of {number.count(report.n_compared)} variants fails later"
    rows = [
        ("Trials", "variants looked at on these days", number.count(report.n_trials)),
        ("Effective trials", _alike(report.trial_correlation), number.ratio(report.effective_trials, 1)),
        ("Deflated Sharpe ratio", _deflated_by(report), number.ratio(deflated, 3)),
        *length_rows(needed, report.daily.height, report.n_trials),
        ("Probability of overfitting", compared, number.percent(report.overfitting)),
        ("Place among random traders", f"share of {TRADERS} that did worse", number.percent(luck["percentile"])),
        ("Median of theirs", "total return", _SIGNED(luck["median"])),
        ("Best of theirs", "total return", _SIGNED(luck["best"])),
    ]
    values = {
        "n_trials": report.n_trials,
        "effective_trials": report.effective_trials,
        "trial_correlation": report.trial_correlation,
        "trial_variance": report.trial_variance,
        "deflated_sharpe_ratio": deflated,
        **needed,
        "overfitting": report.overfitting,
        "n_compared": report.n_compared,
        "random_traders": dict(luck),
    }
    cells = [[Cell(name, meaning), Cell(text)] for name, meaning, text in rows]
    return Table("luck", "How much luck could explain", (), [("", cells)], values, style="told")


def _alike(correlation: float | None) -> str:
    if correlation is None:
        return "independent ones they amount to; unknown: no two of them vary on the same days"
    return f"independent ones they amount to, at a mean correlation of {number.ratio(correlation)}; gates count all"


def _deflated_by(report: TearsheetInput) -> str:
    start = "probability that it is more than luck"
    if report.n_trials == 1 or report.trial_variance is not None:
        return start
    few = f"under {measures.FEW_TRIALS} trials can be compared"
    return f"{start}; {few}, so their variance is that without skill, 1/(T\N{MINUS SIGN}1)"


def _profitable(sensitivity: pl.DataFrame) -> str:
    gained = sensitivity.filter(pl.col("total_return") > 0).height
    return (
        f"Of {sensitivity.height} combinations of costs, delay and least edge {gained} gained; a strategy that lives "
        "only at one of them lives by chance."
    )


def surfaces(sensitivity: pl.DataFrame) -> list[Table]:
    """Total return by costs and delay as heat maps, one a least edge; the one that was traded is framed.

    Parameters
    ----------
    sensitivity
        As from `nightfold.robustness.sensitivity`.
    """
    largest = float(sensitivity["total_return"].abs().max() or 0.0)  # type: ignore[arg-type]  # Float64 has a float
    return [
        _surface(float(edge), rows, largest)
        for (edge,), rows in sensitivity.partition_by("edge", as_dict=True, maintain_order=True).items()
    ]


def _surface(edge: float, rows: pl.DataFrame, largest: float) -> Table:
    delays = rows["added_bars"].unique().sort()
    found = {(row["cost_scale"], row["added_bars"]): row for row in rows.iter_rows(named=True)}
    cells = []
    for scale in rows["cost_scale"].unique().sort():
        line = [Cell(f"Costs × {scale:g}")]
        for added in delays:
            row = found[scale, added]
            total = row["total_return"]
            framed = "own" if (edge, scale, added) == _OWN else ""
            note = f"Sharpe {number.ratio(row['sharpe_ratio'])}\n{number.count(row['trades'])} trades"
            line.append(Cell(_SIGNED(total), note, tone(total), heat(total, largest), framed))
        cells.append(line)
    caption = f"Total return where the least edge is {edge:g} times what the experiment asks"
    heads = [Cell("Filled after"), *(Cell(f"{added} more bar{'s' if added != 1 else ''}") for added in delays)]
    name = f"sensitivity_edge_{edge:g}"
    return Table(name, caption, heads, [("", cells)], rows.to_dicts(), style="surface")
