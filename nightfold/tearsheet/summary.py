"""The figures of a tearsheet, made from the tables of a simulated run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from nightfold.tearsheet import measures

Measure = Callable[[pl.Series], float | None]

RETURN_MEASURES: Mapping[str, Measure] = {
    "total_return": measures.total_return,
    "cagr": measures.cagr,
    "volatility": measures.volatility,
    "sharpe_ratio": measures.sharpe_ratio,
    "probabilistic_sharpe_ratio": measures.probabilistic_sharpe_ratio,
    "sortino_ratio": measures.sortino_ratio,
    "calmar_ratio": measures.calmar_ratio,
    "omega": measures.omega,
    "max_drawdown": measures.max_drawdown,
    "drawdown_length": measures.drawdown_length,
    "ulcer_index": measures.ulcer_index,
    "value_at_risk": measures.value_at_risk,
    "conditional_value_at_risk": measures.conditional_value_at_risk,
    "parametric_value_at_risk": measures.parametric_value_at_risk,
    "parametric_conditional_value_at_risk": measures.parametric_conditional_value_at_risk,
    "cornish_fisher_value_at_risk": measures.cornish_fisher_value_at_risk,
    "cornish_fisher_conditional_value_at_risk": measures.cornish_fisher_conditional_value_at_risk,
    "tail_ratio": measures.tail_ratio,
    "skewness": measures.skewness,
    "kurtosis": measures.kurtosis,
}


@dataclass(frozen=True, slots=True)
class CostTotals:
    """What trading cost, in quote currency; positive is paid."""

    fees: float
    spread: float
    slippage: float
    funding: float

    @property
    def total(self) -> float:
        """All costs together."""
        return self.fees + self.spread + self.slippage + self.funding


@dataclass(frozen=True, slots=True)
class TradeSummary:
    """Closed trades as numbers; amounts in quote currency, None where there is nothing to divide by."""

    closed: int
    open: int
    profit: float
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    payoff_ratio: float | None
    mean_bars: float | None


def measure_returns(daily: pl.DataFrame) -> dict[str, float | None]:
    """All measures of a series of days by name; all None where the account was lost.

    Parameters
    ----------
    daily
        ``day`` and ``daily_return``, one row a UTC day in order.
    """
    returns = daily["daily_return"]
    if measures.is_ruined(returns):
        return dict.fromkeys(RETURN_MEASURES)
    return {name: measure(returns) for name, measure in RETURN_MEASURES.items()}


def measure_relation(daily: pl.DataFrame, market: pl.DataFrame | None) -> dict[str, float | None]:
    """How much of a series is the market: ``alpha`` a year and ``beta``.

    Parameters
    ----------
    daily, market
        ``day`` and ``daily_return``, by time. Both measures are None without a market, where the days are not the same,
        and where an account was lost.
    """
    unknown = dict.fromkeys(("alpha", "beta"))
    if market is None or not daily["day"].equals(market["day"]):
        return unknown
    own, held = daily["daily_return"], market["daily_return"]
    if measures.is_ruined(own) or measures.is_ruined(held):
        return unknown
    return {"alpha": measures.alpha(own, held), "beta": measures.beta(own, held)}


def measure_all(returns: Mapping[str, pl.DataFrame], market: str) -> dict[str, dict[str, float | None]]:
    """All measures of each series by name, and its relation to the one called ``market``, where that is among them."""
    held = returns.get(market)
    return {name: measure_returns(frame) | measure_relation(frame, held) for name, frame in returns.items()}


def measure_trades(trades: pl.DataFrame) -> TradeSummary:
    """Summarise trades from flat to flat; open ones are only counted."""
    closed = trades.filter(~pl.col("is_open"))
    profits = closed["profit"]
    return TradeSummary(
        closed=closed.height,
        open=trades.height - closed.height,
        profit=float(profits.sum()),
        win_rate=measures.win_rate(profits),
        profit_factor=measures.profit_factor(profits),
        expectancy=measures.expectancy(profits),
        payoff_ratio=measures.payoff_ratio(profits),
        mean_bars=float(closed["bars"].sum()) / closed.height if closed.height else None,
    )


def measure_exposure(equity: pl.DataFrame, fills: pl.DataFrame) -> dict[str, float | None]:
    """Mean exposure and share of bars in the market, as fractions, and how often mean equity was turned over."""
    gross = equity.filter(pl.col("equity") > 0).select(pl.col("gross_exposure") / pl.col("equity")).to_series()
    return {
        "exposure": measures.exposure(gross),
        "time_in_market": measures.time_in_market(gross),
        "turnover": measures.turnover(fills["quantity"] * fills["price"], equity["equity"]),
    }


def sum_costs(fills: pl.DataFrame, trades: pl.DataFrame) -> CostTotals:
    """Add up what trading cost."""
    return CostTotals(
        fees=float(fills["fee"].sum()),
        spread=float(fills["spread_cost"].sum()),
        slippage=float(fills["slippage_cost"].sum()),
        funding=float(trades["funding"].sum()),
    )


def fold_returns(daily: pl.DataFrame, as_ofs: Sequence[date]) -> pl.DataFrame:
    """Return of each as-of window: from its day to the day before the next one, the last to the end.

    Parameters
    ----------
    daily
        ``day`` and ``daily_return``, one row a UTC day in order.
    as_ofs
        Days on which a new model came into force.

    Returns
    -------
    DataFrame
        ``as_of``, ``days`` and ``fold_return``, by time; days before the first as-of and windows without days are
        left out.
    """
    windows = pl.DataFrame({"as_of": sorted(set(as_ofs))}, schema={"as_of": pl.Date})
    return (
        daily.sort("day")
        .join_asof(windows, left_on="day", right_on="as_of")
        .drop_nulls("as_of")
        .group_by("as_of", maintain_order=True)
        .agg(days=pl.len(), fold_return=(1 + pl.col("daily_return")).product() - 1)
    )


def monthly_returns(daily: pl.DataFrame) -> pl.DataFrame:
    """Compound return of each calendar month: ``year``, ``month``, ``monthly_return``, by time."""
    return daily.group_by(year=pl.col("day").dt.year(), month=pl.col("day").dt.month(), maintain_order=True).agg(
        monthly_return=(1 + pl.col("daily_return")).product() - 1
    )


def by_symbol(trades: pl.DataFrame) -> pl.DataFrame:
    """Sum up closed trades by symbol: ``symbol``, ``closed``, ``win_rate``, ``profit``, ``fees``, ``mean_return``."""
    return (
        trades.filter(~pl.col("is_open"))
        .group_by("symbol")
        .agg(
            closed=pl.len(),
            win_rate=(pl.col("profit") > 0).mean(),
            profit=pl.col("profit").sum(),
            fees=pl.col("fees").sum(),
            mean_return=pl.col("return_").mean(),
        )
        .sort("symbol")
    )


def by_exit(trades: pl.DataFrame) -> pl.DataFrame:
    """Sum up closed trades by what ended them: ``exit_reason``, ``closed``, ``win_rate``, ``profit``; most first."""
    return (
        trades.filter(~pl.col("is_open"))
        .group_by("exit_reason")
        .agg(closed=pl.len(), win_rate=(pl.col("profit") > 0).mean(), profit=pl.col("profit").sum())
        .sort("closed", "exit_reason", descending=[True, False])
    )


def by_funding(payments: pl.DataFrame) -> pl.DataFrame:
    """Sum up funding by symbol: ``symbol``, ``payments``, ``mean_rate``, ``paid``, ``received``, ``net`` paid."""
    amount = pl.col("amount")
    return (
        payments.group_by("symbol")
        .agg(
            payments=pl.len(),
            mean_rate=pl.col("rate").mean(),
            paid=amount.clip(lower_bound=0).sum(),
            received=-amount.clip(upper_bound=0).sum(),
            net=amount.sum(),
        )
        .sort("symbol")
    )


def by_model(model_metrics: pl.DataFrame) -> pl.DataFrame:
    """Forecast scores of each model and horizon, as means over as-of windows; models of single symbols are averaged.

    Returns
    -------
    DataFrame
        ``model``, ``horizon``, ``metric``, ``windows``, the mean of each score, ``loss_gain`` (constant forecast less
        model: above 0 is better), and the standard errors ``loss_error`` of that and ``direction_error`` of the
        direction gain, with each window as one block (null for one window).
    """
    scores = (
        "loss",
        "constant_loss",
        "macro_f1",
        "macro_f1_chance",
        "direction_gain",
        "r2",
        "sign_accuracy",
        "coverage",
    )
    gain, direction = pl.col("constant_loss") - pl.col("loss"), pl.col("direction_gain")
    return (
        model_metrics.group_by("as_of", "model", "horizon", maintain_order=True)
        .agg(pl.col("metric").first(), pl.col(scores).mean())
        .group_by("model", "horizon", maintain_order=True)
        .agg(
            pl.len().alias("windows"),
            pl.col("metric").first(),
            pl.col(scores).mean(),
            loss_gain=gain.mean(),
            loss_error=gain.std() / gain.count().sqrt(),
            direction_error=direction.std() / direction.count().sqrt(),
        )
        .sort("horizon", maintain_order=True)
    )
