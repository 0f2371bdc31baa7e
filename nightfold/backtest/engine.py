"""Simulate an account that trades wanted positions on bars."""

import math
from itertools import pairwise

import numpy as np
import polars as pl

from nightfold.backtest import kernel
from nightfold.backtest.cost import BPS, Costs
from nightfold.backtest.funding import funding_by_bar
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import (
    Backtest,
    Rows,
    equity_frame,
    fills_frame,
    payments_frame,
    records,
    rejected_frame,
    trades_frame,
)
from nightfold.backtest.tape import aligned_targets, build_tape, checked_bars, interval_of
from nightfold.errors import ConfigError


def simulate(
    bars: pl.DataFrame,
    targets: pl.DataFrame,
    costs: Costs,
    limits: RiskLimits,
    capital: float = 10_000.0,
    funding: pl.DataFrame | None = None,
) -> Backtest:
    """Trade wanted positions of one or many symbols in one account.

    A target decided at the close of a bar becomes an order for a wanted position, ``target * equity / close``, when
    it differs from the target before it. The order fills at the open of the next bar (``latency_bars`` later by
    `costs`) that can fill; nothing fills on bars without volume or with ``gap_filled``, and equity is marked there
    at the last close that traded. Brackets leave at the stop, at the open where a bar opens beyond it, or at the
    limit of the target once it is traded through; where one bar holds both, at the stop.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``, ``open``, ``high``, ``low``, ``close``, ``volume``, optionally ``gap_filled``; any
        order. Times that are missing are holes.
    targets
        ``symbol``, ``open_time`` of the bar that decides, ``target`` (signed fraction of equity), optionally the
        prices ``stop`` and ``take_profit``. Null, NaN and absent rows: no decision, the last one stays (0 at first).
    costs, limits
        What a fill costs and what the account may hold.
    capital
        Equity at the start, in quote currency.
    funding
        Only for perpetuals: ``symbol``, ``funding_time``, ``funding_rate``; longs pay a positive rate.

    Returns
    -------
    Backtest
        Equity, fills, trades, whatever was rejected; positions open at the end are marked, not closed.

    Raises
    ------
    SchemaError
        With all faults of a frame: missing columns, duplicates, prices that are null or not positive, targets that
        are infinite or fall on no bar, a stop on the wrong side of its target.
    ConfigError
        If `capital` is not positive, or funding is missing for perpetuals or given for spot.
    """
    if not (math.isfinite(capital) and capital > 0):
        raise ConfigError(f"`capital` is {capital}; it must be a positive amount of quote currency.")
    is_spot = limits.instrument == "spot"
    if is_spot and funding is not None:
        raise ConfigError("`funding` is given, but `limits.instrument` is spot; leave it out, or trade perpetuals.")
    bars = checked_bars(bars)
    interval = interval_of(bars)
    rates = None if is_spot else funding_by_bar(bars, interval, costs, funding)
    tape = build_tape(bars, aligned_targets(bars, targets), interval, rates)
    return run(tape, Rows(bars["symbol"], bars["open_time"], interval), costs, limits, capital)


def run(tape: kernel.Tape, rows: Rows, costs: Costs, limits: RiskLimits, capital: float) -> Backtest:
    """Let the kernel walk over the tape and turn its records into tables."""
    n_rows, n_symbols = len(tape.time), len(tape.first) - 1
    state = empty_state(tape, capital)
    log = empty_log(n_rows, n_symbols)
    kernel.run(tape, rules_of(costs, limits), state, log)
    counts = log.counts[0]
    return Backtest(
        capital=float(capital),
        equity=equity_frame(records(log.equity, counts.equity), rows.interval),
        fills=fills_frame(records(log.fills, counts.fills), rows),
        trades=trades_frame(records(log.trades, counts.trades), rows),
        rejected=rejected_frame(records(log.rejected, counts.rejected), rows),
        open_orders=open_orders(tape, state, rows, costs.latency_bars, int(log.equity.time[counts.equity - 1])),
        funding=payments_frame(records(log.payments, counts.payments), rows),
        is_ruined=bool(log.equity.equity[counts.equity - 1] <= 0),
    )


def rules_of(costs: Costs, limits: RiskLimits) -> kernel.Rules:
    """Costs and limits as the kernel's numbers."""
    return kernel.Rules(
        taker_fee=costs.taker_fee_bps * BPS,
        maker_fee=costs.maker_fee_bps * BPS,
        minimum_fee=costs.minimum_fee,
        half_spread=costs.half_spread_bps * BPS,
        slippage=costs.slippage_bps * BPS,
        volatility_slippage=costs.volatility_slippage,
        latency=costs.latency_bars,
        is_spot=limits.instrument == "spot",
        max_position=limits.max_position,
        max_gross=limits.max_gross,
        maintenance_margin=limits.maintenance_margin,
    )


def empty_state(tape: kernel.Tape, capital: float) -> kernel.State:
    """Lay out an account of cash only, before the first bar."""
    n_symbols = len(tape.first) - 1
    book = np.zeros(n_symbols, kernel.BOOK).view(np.recarray)
    for name in ("mark", "stop", "take_profit"):
        book[name] = np.nan
    for name in ("due", "newest"):
        book[name] = -1
    book["next"] = tape.first[:-1]
    scratch = np.zeros((2, n_symbols))
    return kernel.State(
        np.array([capital], dtype=np.float64), book, np.full(len(tape.time), np.nan), scratch[0], scratch[1]
    )


def empty_log(n_rows: int, n_symbols: int) -> kernel.Log:
    """Lay out room for the most that can happen; memory is only touched where something does.

    A row sees at most an order and an exit, each of which may end a trade; three rejections; two kinds of funding.
    """
    return kernel.Log(
        equity=np.recarray(n_rows, kernel.EQUITY),
        fills=np.recarray(2 * n_rows, kernel.FILL),
        trades=np.recarray(2 * n_rows + n_symbols, kernel.TRADE),
        rejected=np.recarray(3 * n_rows, kernel.REJECTED),
        payments=np.recarray(2 * n_rows, kernel.PAYMENT),
        counts=np.zeros(1, kernel.COUNTS).view(np.recarray),
    )


def open_orders(tape: kernel.Tape, state: kernel.State, rows: Rows, latency: int, end: int) -> pl.DataFrame:
    """Orders still waiting when the run ended: the one due at the next bar that can fill, and those not yet due."""
    waiting: list[int] = []
    for symbol, (start, stop) in enumerate(pairwise(tape.first)):
        seen = start + int(np.searchsorted(tape.time[start:stop], end, side="right"))
        recent = range(max(start, seen - 1 - latency), seen)
        waiting += [int(state.book.due[symbol])] if state.book.due[symbol] >= 0 else []
        waiting += [row for row in recent if not math.isnan(state.wanted[row])]
    index = pl.Series(waiting, dtype=pl.Int64)
    return pl.DataFrame(
        {"symbol": rows.symbols(index), "open_time": rows.opens(index), "wanted": state.wanted[waiting]}
    )
