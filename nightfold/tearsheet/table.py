"""Tables and tiles of the tearsheet, with every number already written out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.layout import Cell, heat, tone
from nightfold.tearsheet.number import UNKNOWN
from nightfold.tearsheet.summary import CostTotals, TradeSummary, monthly_returns

Figures = Mapping[str, float | None]

_SIGNED = partial(number.percent, signed=True)
_DAY = partial(number.percent, digits=2)
_FEW_TRADES = 40

_MEASURES: Mapping[str, tuple[str, str, Callable[[float | None], str]]] = {
    "total_return": ("Total return", "over all days", _SIGNED),
    "cagr": ("CAGR", "compound return a year of 365 days", _SIGNED),
    "volatility": ("Volatility", "standard deviation a year", number.percent),
    "sharpe_ratio": ("Sharpe ratio", "a year", number.ratio),
    "probabilistic_sharpe_ratio": ("Sharpe above 0", "probability, for one trial", number.percent),
    "sortino_ratio": ("Sortino ratio", "a year, against losses only", number.ratio),
    "calmar_ratio": ("Calmar ratio", "CAGR over largest drawdown", number.ratio),
    "omega": ("Omega", "sum of gains over sum of losses, by day", number.ratio),
    "max_drawdown": ("Largest drawdown", "from the peak", number.percent),
    "drawdown_length": ("Longest drawdown", "days under the peak", number.count),
    "ulcer_index": ("Ulcer index", "root mean square of drawdowns", number.percent),
    "value_at_risk": ("Value at risk, 95 %", "one day, historical", _DAY),
    "conditional_value_at_risk": ("Mean beyond it", "one day, historical", _DAY),
    "parametric_value_at_risk": ("Value at risk, 95 %", "one day, of a normal law", _DAY),
    "parametric_conditional_value_at_risk": ("Mean beyond it", "one day, of a normal law", _DAY),
    "cornish_fisher_value_at_risk": ("Value at risk, 95 %", "one day, Cornish-Fisher", _DAY),
    "cornish_fisher_conditional_value_at_risk": ("Mean beyond it", "one day, Cornish-Fisher", _DAY),
    "tail_ratio": ("Tail ratio", "95 % quantile over 5 % quantile", number.ratio),
    "skewness": ("Skewness", "of daily returns", number.ratio),
    "kurtosis": ("Kurtosis", "of daily returns, 3 for a normal law", number.ratio),
    "alpha": ("Alpha", "return a year that buying and holding does not explain", _SIGNED),
    "beta": ("Beta", "daily return that comes with one of buying and holding", number.ratio),
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One headline number: what it is, its value with unit, and one fact beside it."""

    name: str
    value: str
    note: str
    tone: str = ""


def tiles(
    figures: Figures,
    trades: TradeSummary,
    costs: CostTotals,
    holding: Figures,
    *,
    capital: float,
    end: float,
    days: int,
    currency: str,
    n_trials: int,
    deflated_sharpe: float | None,
) -> list[Tile]:
    """Headline numbers, in the order in which they are read.

    Parameters
    ----------
    figures, holding
        As from `measure_returns` and `measure_exposure`.
    capital, end
        Equity at the start and at the end.
    """
    total, turnover = figures["total_return"], holding["turnover"]
    tried = f"{number.count(n_trials)} trial{'s' if n_trials > 1 else ''}"
    length = figures["drawdown_length"]
    return [
        Tile("Total return", _SIGNED(total), f"{number.amount(capital)} → {number.amount(end, currency)}", tone(total)),
        Tile("Return a year", _SIGNED(figures["cagr"]), f"compound, from {number.days(days)}", tone(figures["cagr"])),
        Tile(
            "Sharpe ratio",
            number.ratio(figures["sharpe_ratio"]),
            f"deflated {number.ratio(deflated_sharpe, 3)}, {tried}",
            tone(figures["sharpe_ratio"]),
        ),
        Tile(
            "Largest drawdown",
            number.percent(figures["max_drawdown"]),
            f"longest {number.days(None if length is None else int(length))}",
            tone(figures["max_drawdown"]),
        ),
        Tile("Profit factor", number.ratio(trades.profit_factor), f"win rate {number.percent(trades.win_rate)}"),
        Tile("Closed trades", number.count(trades.closed), f"{number.ratio(trades.mean_bars, 1)} bars held on average"),
        Tile(
            "Costs, share of capital",
            number.percent(costs.total / capital),
            f"{number.amount(costs.total, currency)} in all",
        ),
        Tile(
            "Mean exposure",
            number.percent(holding["exposure"]),
            f"equity turned over {number.ratio(turnover, 1)} times" if turnover is not None else "no equity",
        ),
    ]


def measure_rows(measured: Mapping[str, Figures]) -> list[list[Cell]]:
    """One row a measure, one cell a series."""
    return [
        [Cell(name, meaning), *(Cell(write(figures[key])) for figures in measured.values())]
        for key, (name, meaning, write) in _MEASURES.items()
    ]


def trade_rows(trades: TradeSummary, currency: str) -> list[list[Cell]]:
    """Measures of closed trades, after costs."""
    rows = [
        ("Win rate", "share of closed trades with a profit", number.percent(trades.win_rate)),
        ("Profit factor", "sum of profits over sum of losses", number.ratio(trades.profit_factor)),
        ("Payoff ratio", "mean win over mean loss", number.ratio(trades.payoff_ratio)),
        ("Expectancy", "mean profit of a trade", number.amount(trades.expectancy, currency, signed=True)),
        ("Mean holding", "bars from entry to exit", number.ratio(trades.mean_bars, 1)),
        ("Open at the end", "marked, not closed", number.count(trades.open)),
    ]
    return [[Cell(name, meaning), Cell(value)] for name, meaning, value in rows]


def cost_rows(costs: CostTotals, *, gain: float, capital: float, traded: float, currency: str) -> list[list[Cell]]:
    """From the result before costs down to what is left: amount, share of capital, basis points of traded value.

    Parameters
    ----------
    gain
        Equity at the end less capital.
    traded
        Value of all fills.
    """
    steps = [
        ("Before costs", "the same fills, costs taken out", gain + costs.total),
        ("Fees", "commission of every fill", -costs.fees),
        ("Spread", "half of it a fill", -costs.spread),
        ("Slippage", "worse price than quoted", -costs.slippage),
        ("Funding", "of perpetual positions", -costs.funding),
        ("After costs", "what the account gained", gain),
    ]
    return [
        [
            Cell(name, meaning),
            Cell(number.amount(value, currency, signed=True)),
            Cell(_SIGNED(value / capital, 2)),
            Cell(number.ratio(1e4 * value / traded, 1) if traded else UNKNOWN),
        ]
        for name, meaning, value in steps
    ]


def month_rows(daily: pl.DataFrame) -> list[list[Cell]]:
    """One row a year: its name, twelve months, and the whole year; a month without days is empty."""
    months = monthly_returns(daily)
    largest = float(months["monthly_return"].abs().max() or 0.0)  # type: ignore[arg-type]  # Float64 has a float
    known = {(year, month): value for year, month, value in months.iter_rows()}
    years = daily.group_by(year=pl.col("day").dt.year(), maintain_order=True).agg(
        total=(1 + pl.col("daily_return")).product() - 1
    )
    return [
        [
            Cell(str(year)),
            *(_heated(known.get((year, month)), largest) for month in range(1, 13)),
            Cell(_SIGNED(total), tone=tone(total), style="total"),
        ]
        for year, total in years.iter_rows()
    ]


def trade_groups(trades: pl.DataFrame) -> list[tuple[str, list[dict[str, object]]]]:
    """Trades worth reading: all of a short list; of a long one the best, worst, first and last; then the open ones."""
    closed = trades.filter(~pl.col("is_open"))
    by_profit = closed.sort("profit", descending=True, maintain_order=True)
    groups = {"All closed trades": closed}
    if closed.height > _FEW_TRADES:
        groups = {
            "Best": by_profit.head(5),
            "Worst": by_profit.reverse().head(5),
            "First": closed.head(8),
            "Last": closed.tail(8),
        }
    groups["Open at the end"] = trades.filter(pl.col("is_open")).head(_FEW_TRADES)
    return [(name, frame.rows(named=True)) for name, frame in groups.items() if not frame.is_empty()]


def _heated(value: float | None, largest: float) -> Cell:
    if value is None:
        return Cell("")
    return Cell(_SIGNED(value), tone=tone(value), heat=heat(value, largest))
