"""How far to trust a result: beside what anyone could have done, under other costs, and under shocks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from nightfold.backtest.baseline import buy_and_hold, moving_average_cross, rsi_reversal
from nightfold.backtest.baseline_random import entries_of, percentile, random_returns
from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.random_timing import random_targets
from nightfold.backtest.result import Backtest, daily_returns
from nightfold.decision import bar_length
from nightfold.schema import KEY, PRICES
from nightfold.splits.as_of import MILLISECOND
from nightfold.tearsheet import measures
from nightfold.tearsheet.content import MARKET, SAME_EXPOSURE
from nightfold.tearsheet.summary import measure_exposure

COST_SCALES = (0.0, 0.5, 1.0, 2.0)
ADDED_BARS = (0, 1, 3)
EDGES = (0.5, 1.0, 2.0)
"""Least edge, in multiples of what the experiment asks for, costs included where it counts them."""

_SCALED = (
    *("taker_fee_bps", "maker_fee_bps", "minimum_fee", "half_spread_bps"),
    *("slippage_bps", "volatility_slippage", "impact_slippage"),
)
_SLIGHT, _ASKED = 0.02, 5
"""Part of what was held that is no matter if it is missing, and the random traders who are asked how much that is."""
_DOWN, _UP, _WIDER, _OUTAGE = 0.8, 1.2, 10, timedelta(hours=2)

Wanted = Callable[[float], pl.DataFrame]
"""Targets that a strategy decides on where it asks for so many times its least edge."""


@dataclass(frozen=True, slots=True)
class Account:
    """Bars of the range and the account that trades them.

    Parameters
    ----------
    bars
        Of the range.
    wanted
        The strategy's targets for a multiple of its least edge.
    costs, limits, capital, funding
        As in the backtest.
    """

    bars: pl.DataFrame
    wanted: Wanted
    costs: Costs
    limits: RiskLimits
    capital: float
    funding: pl.DataFrame | None = None

    def trade(
        self, targets: pl.DataFrame | None = None, costs: Costs | None = None, bars: pl.DataFrame | None = None
    ) -> Backtest:
        """Simulate it, with other targets, costs or bars where they are given."""
        from nightfold.backtest.engine import simulate  # loads numba, which definitions must not

        wanted = self.wanted(1.0) if targets is None else targets
        return simulate(
            self.bars if bars is None else bars, wanted, costs or self.costs, self.limits, self.capital, self.funding
        )


def scale_costs(costs: Costs, factor: float) -> Costs:
    """Multiply fees, spread and slippage by a factor; latency, funding and the market's rules stay."""
    return costs.model_copy(update={name: getattr(costs, name) * factor for name in _SCALED})


def delay_fills(costs: Costs, added: int, bar: timedelta) -> Costs:
    """Delay every fill by a number of bars beyond the delay there is, in the unit that it is given in."""
    if costs.latency_ms:
        return costs.model_copy(update={"latency_ms": costs.latency_ms + added * (bar // MILLISECOND)})
    return costs.model_copy(update={"latency_bars": costs.latency_bars + added})


def baselines(account: Account, run: Backtest) -> dict[str, pl.DataFrame]:
    """Trade what anyone could have traded, in the same market with the same costs.

    Returns
    -------
    dict
        ``day``, ``daily_return`` by name: buy and hold, the same at the strategy's own mean exposure (left out where
        that is 0, or over 1: what it would borrow and pay for that is not known), RSI 14 reversal at 30 and 70, and a
        cross of moving averages over 50 and 200 bars. All are long or out, within a spot account.
    """
    exposure = measure_exposure(run.equity, run.fills)["exposure"]
    wanted = {MARKET: buy_and_hold(account.bars)}
    if exposure and exposure <= 1:
        wanted[SAME_EXPOSURE] = buy_and_hold(account.bars, exposure)
    wanted["RSI 14 reversal"] = rsi_reversal(account.bars)
    wanted["Moving averages 50/200"] = moving_average_cross(account.bars)
    spot = Account(account.bars, account.wanted, account.costs, RiskLimits(), account.capital)
    return {name: daily_returns(spot.trade(targets)) for name, targets in wanted.items()}


def luck(account: Account, run: Backtest) -> dict[str, float | None]:
    """Place the strategy among 200 traders who made the same trades at random times.

    Returns
    -------
    dict
        ``percentile`` of its total return among theirs, ``median`` and ``best`` of theirs; None where it never traded,
        where its trades left no other times, so that all of them did the same, or where limits kept them from over 2 %
        of what it held (symbols whose bars begin or end at other times than the rest are moved each on its own, and
        fall together where the strategy's did not): a market that only rises would make it look skilled.
    """
    if _hold_less(account, run):
        return {"percentile": None, "median": None, "best": None}
    returns = random_returns(account.bars, run, account.costs, account.limits, account.funding)
    own = run.equity["equity"][-1] / run.capital - 1
    if not returns.size or returns.min() == returns.max() > -1:
        return {"percentile": None, "median": None, "best": None}
    return {"percentile": percentile(own, returns), "median": float(np.median(returns)), "best": float(returns.max())}


def _hold_less(account: Account, run: Backtest) -> bool:
    """Whether limits would keep random traders of several symbols from a notable part of what the strategy held."""
    if run.trades["symbol"].n_unique() < 2:
        return False
    rows, entries = account.bars.select(KEY).sort(KEY), entries_of(run, account.limits)
    placed = random_targets(rows, entries, account.costs.latency_bars, _ASKED, seed=0)
    theirs = [_held(account, account.trade(rows.with_columns(target=pl.Series(target)))) for target in placed]
    return bool(np.mean(theirs) < (1 - _SLIGHT) * _held(account, run))


def _held(account: Account, run: Backtest) -> float:
    """Sum over trades of the fraction of equity entered, times the bars held."""
    return float(entries_of(run, account.limits).select((pl.col("entered").abs() * pl.col("bars")).sum()).item())


def sensitivity(account: Account) -> pl.DataFrame:
    """Trade on every point of a grid of costs, latency and least edge.

    The edge asked for multiplies the whole threshold of the experiment, costs at their own scale included where it
    counts them; the account pays the scaled ones. A strategy that lives only at one point of it lives by chance.

    Returns
    -------
    DataFrame
        ``edge`` and ``cost_scale`` (multiples), ``added_bars`` (of delay, beside that of the costs), ``trades``,
        ``total_return``, ``sharpe_ratio`` (null where returns do not vary), ``max_drawdown``; one row a point.
    """
    rows, bar = [], bar_length(account.bars)
    for edge in EDGES:
        targets = account.wanted(edge)
        for scale in COST_SCALES:
            for added in ADDED_BARS:
                run = account.trade(targets, delay_fills(scale_costs(account.costs, scale), added, bar))
                rows.append((edge, scale, added, *_outcome(run)))
    names = ("edge", "cost_scale", "added_bars", "trades", "total_return", "sharpe_ratio", "max_drawdown")
    kinds = (pl.Float64, pl.Float64, pl.Int64, pl.Int64, *[pl.Float64] * 3)
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def shocks(account: Account, run: Backtest) -> pl.DataFrame:
    """Let the worst happen where most was held, and see what is left.

    Returns
    -------
    DataFrame
        ``shock``, ``moment`` it strikes (null: throughout), and ``trades``, ``total_return``, ``sharpe_ratio``,
        ``max_drawdown``: as it was, with every price 20 % lower from the bar on after most was held long (for an
        account that was short also 20 % higher after most was held short), with the spread ten times as wide, and with
        nothing filling for two hours, from the moment at which most was held of those with a fill within two hours.
        What was held is a fraction of equity. Decisions are those made without the shock; an account that never traded
        has nothing to lose by any.
    """
    targets, held = account.wanted(1.0), _held_fractions(run)
    longest, shortest = (
        held.sort("net", "close_time", descending=[d, False]).row(0, named=True) for d in (True, False)
    )
    moment = _before_a_fill(held, run).sort("gross", "close_time", descending=[True, False])["close_time"][0]
    wide = account.costs.model_copy(update={"half_spread_bps": account.costs.half_spread_bps * _WIDER})
    runs: Mapping[str, tuple[datetime | None, Backtest]] = {
        "none": (None, run),
        "gap down 20 %": _gap(account, targets, longest["close_time"], _DOWN),
        **({"gap up 20 %": _gap(account, targets, shortest["close_time"], _UP)} if shortest["net"] < 0 else {}),
        "spread x10": (None, account.trade(targets, wide)),
        "exchange down 2 hours": (moment, account.trade(targets, bars=_closed(account.bars, moment))),
    }
    rows = [(name, when, *_outcome(each)) for name, (when, each) in runs.items()]
    names = ("shock", "moment", "trades", "total_return", "sharpe_ratio", "max_drawdown")
    found = pl.DataFrame(rows, schema=list(names), orient="row")
    return found.cast({"moment": held.schema["close_time"], "sharpe_ratio": pl.Float64})


def _held_fractions(run: Backtest) -> pl.DataFrame:
    """Fractions of equity held in all and net at each close but the last, after which nothing comes."""
    worth = pl.col("equity")
    return run.equity.head(-1).select(
        "close_time", gross=pl.col("gross_exposure") / worth, net=pl.col("net_exposure") / worth
    )


def _before_a_fill(held: pl.DataFrame, run: Backtest) -> pl.DataFrame:
    """Keep the moments at which an outage would put off a fill; all of them where nothing was ever filled."""
    filled = run.fills.select(filled="open_time").sort("filled")
    next_fill = held.join_asof(filled, left_on="close_time", right_on="filled", strategy="forward")
    due = next_fill.filter(pl.col("filled") < pl.col("close_time") + _OUTAGE)
    return held if due.is_empty() else due


def _gap(account: Account, targets: pl.DataFrame, moment: datetime, factor: float) -> tuple[datetime, Backtest]:
    """Trade where every price jumps at a moment."""
    return moment, account.trade(_moved(targets, moment, factor), bars=_moved(account.bars, moment, factor))


def _moved(frame: pl.DataFrame, moment: datetime, factor: float) -> pl.DataFrame:
    """Multiply every price of bars that open at a moment or later."""
    prices = [name for name in (*PRICES, "stop", "take_profit", "limit") if name in frame.columns]
    late = pl.col("open_time") >= moment
    return frame.with_columns(pl.when(late).then(pl.col(name) * factor).otherwise(pl.col(name)) for name in prices)


def _closed(bars: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """Let nothing trade for a while."""
    shut = (pl.col("open_time") >= moment) & (pl.col("open_time") < moment + _OUTAGE)
    return bars.with_columns(pl.when(shut).then(0.0).otherwise(pl.col("volume")).alias("volume"))


def _outcome(run: Backtest) -> tuple[int, float, float | None, float]:
    """Trades, total return, yearly Sharpe ratio and deepest drawdown; a lost account has lost all."""
    trades = run.trades.filter(~pl.col("is_open")).height
    returns = daily_returns(run)["daily_return"]
    if measures.is_ruined(returns):
        return trades, -1.0, None, -1.0
    total, deepest = measures.total_return(returns), measures.max_drawdown(returns)
    return trades, total or 0.0, measures.sharpe_ratio(returns), deepest or 0.0
