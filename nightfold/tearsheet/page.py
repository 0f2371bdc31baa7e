"""The tearsheet as one HTML file that loads nothing: same input, same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nightfold.errors import SchemaError
from nightfold.tearsheet import number, table
from nightfold.tearsheet.charts import (
    drawdown_chart,
    equity_chart,
    exposure_chart,
    fold_chart,
    growth_curves,
    histogram,
    trade_scatter,
)
from nightfold.tearsheet.gates import Gate
from nightfold.tearsheet.measures import deflated_sharpe_ratio, is_ruined
from nightfold.tearsheet.plot import Plot
from nightfold.tearsheet.score_charts import METRICS, direction_charts, loss_charts
from nightfold.tearsheet.summary import (
    by_model,
    by_symbol,
    measure_exposure,
    measure_returns,
    measure_trades,
    sum_costs,
)
from nightfold.tearsheet.template import environment
from nightfold.tearsheet.verdict import Verdict, gate_value, judge, needed

STRATEGY = "Strategy"

COLUMNS = {
    "equity": ("close_time", "equity", "gross_exposure", "net_exposure"),
    "daily": ("day", "daily_return"),
    "trades": (
        *("symbol", "side", "entry_time", "exit_time", "quantity", "entry_price", "exit_price", "fees", "funding"),
        *("profit", "return_", "bars", "is_open", "exit_reason"),
    ),
    "fills": ("quantity", "price", "fee", "spread_cost", "slippage_cost"),
    "folds": ("as_of", "days", "fold_return"),
    "model_metrics": (
        *("as_of", "model", "horizon", "metric", "loss", "constant_loss", "macro_f1", "macro_f1_chance"),
        *("direction_gain", "r2", "sign_accuracy"),
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class TearsheetInput:
    """All that a tearsheet shows.

    Parameters
    ----------
    title, experiment, description
        What it is about, in the words of its author.
    market_note
        Where prices come from: the source's name, or what a simulated market has planted in it.
    is_simulated
        Prices are made up; the page says *simulated market* at the top.
    symbols, interval, currency
        What was traded, on bars of which length, and the unit of every amount.
    capital
        Equity at the start.
    equity, trades, fills
        Tables of `nightfold.backtest.result.Backtest`; at least one row of equity.
    daily
        ``day``, ``daily_return`` of the strategy, as from `nightfold.backtest.result.daily_returns`.
    baselines
        Name to the same two columns, such as buy and hold.
    folds
        ``as_of``, ``days``, ``fold_return``, as from `nightfold.tearsheet.summary.fold_returns`.
    model_metrics
        One row a model, horizon and as-of, scores as in `nightfold.models.train.Trained.metrics`; nulls are unknown.
    gates
        As from `nightfold.tearsheet.gates.evaluate_gates`.
    n_trials, trial_variance
        Variants whose result on this range was looked at, and the variance of their daily Sharpe ratios.
    settings
        The experiment's file as text.
    provenance
        What it was made from, such as data fingerprint, code version and model versions.
    remarks
        Sentences for the verdict, such as rules that the market does not have.

    Raises
    ------
    SchemaError
        If a table lacks columns, or there are no days; with every fault found.
    """

    title: str
    experiment: str
    market_note: str
    is_simulated: bool
    symbols: Sequence[str]
    interval: str
    capital: float
    equity: pl.DataFrame
    daily: pl.DataFrame
    trades: pl.DataFrame
    fills: pl.DataFrame
    baselines: Mapping[str, pl.DataFrame]
    folds: pl.DataFrame
    model_metrics: pl.DataFrame
    gates: Sequence[Gate]
    settings: str
    provenance: Mapping[str, str]
    n_trials: int = 1
    trial_variance: float | None = None
    description: str = ""
    currency: str = "USDT"
    remarks: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        """Find every fault of the tables."""
        tables = [(name, getattr(self, name), needed) for name, needed in COLUMNS.items()]
        tables += [(f"baselines[{name!r}]", frame, COLUMNS["daily"]) for name, frame in self.baselines.items()]
        faults = [
            f"`{name}` lacks {', '.join(absent)}"
            for name, frame, needed in tables
            if (absent := [column for column in needed if column not in frame.columns])
        ]
        faults += [f"`{name}` has no rows" for name in ("equity", "daily") if getattr(self, name).is_empty()]
        if faults:
            raise SchemaError(f"The tearsheet cannot be made: {'; '.join(faults)}.")


def render_tearsheet(report: TearsheetInput) -> str:
    """Lay out the whole report as one HTML page.

    Returns
    -------
    str
        A page that needs no network and no other file; equal input gives equal text. All text is escaped.
    """
    return environment().get_template("page.html").render(**_content(report))


def verdict_of(report: TearsheetInput) -> Verdict:
    """Judge a report: what its headline says, and why."""
    held = {name: measure_returns(frame)["total_return"] for name, frame in report.baselines.items()}
    return judge(
        report.gates,
        total_return=measure_returns(report.daily)["total_return"],
        held_returns=held,
        n_trades=report.trades.height,
        total_cost=number.amount(sum_costs(report.fills, report.trades).total, report.currency),
        n_trials=report.n_trials,
        deflated_sharpe=deflated_sharpe(report),
        models=by_model(report.model_metrics),
    )


def deflated_sharpe(report: TearsheetInput) -> float | None:
    """Headline deflated Sharpe ratio: by all variants looked at on these days; None where the account was lost."""
    days = report.daily["daily_return"]
    return None if is_ruined(days) else deflated_sharpe_ratio(days, report.n_trials, report.trial_variance)


def _content(report: TearsheetInput) -> dict[str, Any]:
    returns = {STRATEGY: report.daily, **report.baselines}
    measured = {name: measure_returns(frame) for name, frame in returns.items()}
    trades, costs = measure_trades(report.trades), sum_costs(report.fills, report.trades)
    models = by_model(report.model_metrics)
    end = float(report.equity["equity"][-1])
    return {
        "report": report,
        "first_day": report.daily["day"][0],
        "last_day": report.daily["day"][-1],
        "verdict": verdict_of(report),
        "tiles": table.tiles(
            measured[STRATEGY],
            trades,
            costs,
            measure_exposure(report.equity, report.fills),
            capital=report.capital,
            end=end,
            days=report.daily.height,
            currency=report.currency,
            n_trials=report.n_trials,
            deflated_sharpe=deflated_sharpe(report),
        ),
        "gates": [(gate, gate_value(gate, gate.value), needed(gate)) for gate in report.gates],
        "series": list(measured),
        "measures": table.measure_rows(measured),
        "months": table.month_rows(report.daily),
        "costs": table.cost_rows(
            costs,
            gain=end - report.capital,
            capital=report.capital,
            traded=float((report.fills["quantity"] * report.fills["price"]).abs().sum()),
            currency=report.currency,
        ),
        "trade_measures": table.trade_rows(trades, report.currency),
        "trade_groups": table.trade_groups(report.trades),
        "symbols": by_symbol(report.trades).rows(named=True),
        "models": models.rows(named=True),
        "metric": METRICS[models["metric"][0]] if models.height else None,
        "is_classified": models["direction_gain"].count() > 0,
        "charts": _charts(report, returns),
        "score_charts": [*loss_charts(report.model_metrics), *direction_charts(report.model_metrics)],
    }


def _charts(report: TearsheetInput, returns: Mapping[str, pl.DataFrame]) -> dict[str, Plot]:
    times, curves = growth_curves(returns)
    standing = report.equity.filter(pl.col("equity") > 0)
    closed = report.trades.filter(~pl.col("is_open"))
    charts = {
        "equity": equity_chart(times, curves),
        "drawdown": drawdown_chart(times, curves),
    }
    if (report.daily["daily_return"] != 0).any():
        charts["days"] = histogram("days", "Daily returns", report.daily["daily_return"].to_list(), "days")
    if min(curve.min() for curve in curves.values()) > 0:
        charts["equity_log"] = equity_chart(times, curves, log=True)
    if not standing.is_empty():
        charts["exposure"] = exposure_chart(standing)
    if not closed.is_empty():
        charts["trades"] = histogram("trades", "Trade returns", closed["return_"].to_list(), "trades")
        charts["holding"] = trade_scatter(closed)
    if (report.folds["fold_return"] != 0).any():
        charts["windows"] = fold_chart(report.folds.select("as_of", "days", "fold_return"))
    return charts
