"""Simulate an account that trades wanted positions on bars."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.cost import BPS, Costs
from nightfold.backtest.funding import funding_by_bar
from nightfold.backtest.kernel import record
from nightfold.backtest.kernel import run as kernel
from nightfold.backtest.kernel.record import Floats, Log, Marks, State, Tape
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import (
    Backtest,
    Rows,
    equity_frame,
    fills_frame,
    orders_frame,
    payments_frame,
    rejected_frame,
    table,
    trades_frame,
    triggers_frame,
)
from nightfold.backtest.tape import aligned_targets, build_tape, checked_bars, interval_of
from nightfold.errors import ConfigError
from nightfold.memory import keep_freed_memory
from nightfold.schema import KEY

PLACES = 3
"""Orders of a symbol beside those whose latency is not over: one just sent, one due, one arriving."""


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
    limit of the target once it is traded through; where one bar holds both, at the stop. An order with a limit waits
    until that is traded through, or a newer one replaces it.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``, ``open``, ``high``, ``low``, ``close``, ``volume``, optionally ``gap_filled``; any
        order. Times that are missing are holes.
    targets
        ``symbol``, ``open_time`` of the bar that decides, ``target`` (signed fraction of equity), optionally the
        prices ``stop``, ``take_profit`` and ``limit`` of the order. Null, NaN and absent rows: no decision, the last
        one stays (0 at first).
    costs, limits
        What a fill costs and what the account may hold.
    capital
        Equity at the start, in quote currency.
    funding
        Only for perpetuals: ``symbol``, ``funding_time``, ``funding_rate``; longs pay a positive rate.

    Returns
    -------
    Backtest
        Equity, fills, trades, whatever was rejected, each time a rule stepped in; positions open at the end are
        marked, not closed.

    Raises
    ------
    SchemaError
        With all faults of a frame: missing columns, duplicates, prices that are null or not positive, targets that
        are infinite or fall on no bar, a stop or limit on the wrong side of the next price.
    ConfigError
        If `capital` is not positive, or funding is missing for perpetuals or given for spot.
    """
    tape, rows = prepare(bars, targets, costs, limits, capital, funding)
    return run(tape, rows, costs, limits, capital)


def prepare(
    bars: pl.DataFrame,
    targets: pl.DataFrame | None,
    costs: Costs,
    limits: RiskLimits,
    capital: float,
    funding: pl.DataFrame | None,
) -> tuple[Tape, Rows]:
    """Check everything that `simulate` is given, and lay it out for the kernel; no targets: no decision anywhere."""
    if not (math.isfinite(capital) and capital > 0):
        raise ConfigError(f"`capital` is {capital}; it must be a positive amount of quote currency.")
    is_spot = limits.instrument == "spot"
    if is_spot and funding is not None:
        raise ConfigError("`funding` is given, but `limits.instrument` is spot; leave it out, or trade perpetuals.")
    bars = checked_bars(bars)
    interval = interval_of(bars)
    rates = None if is_spot else funding_by_bar(bars, interval, costs, funding)
    wanted = bars.select(*KEY, target=pl.lit(math.nan)) if targets is None else targets
    tape = build_tape(bars, aligned_targets(bars, wanted), interval, rates)
    keep_freed_memory()
    return tape, Rows(bars["symbol"].gather(tape.first[:-1]).to_list(), tape.first, tape.time, interval)


def run(tape: Tape, rows: Rows, costs: Costs, limits: RiskLimits, capital: float) -> Backtest:
    """Let the kernel walk over the tape and turn its records into tables.

    Room for records is laid out for a bar in eight; a run that needs more is walked again with as much as it took.
    """
    rules, marks, log = rules_of(costs, limits, tape), empty_marks(len(tape.time)), empty_log(len(tape.time) // 8)
    while True:
        state = empty_state(tape, costs, rows.names, capital)
        kernel.run(tape, rules, state, log, marks)
        done = state.account[0]
        if all(done[name] <= len(records) for name, records in log._asdict().items()):
            break
        log = empty_log(max(int(done[name]) for name in log._fields))
    return Backtest(
        capital=float(capital),
        equity=equity_frame(tape, marks, int(done.points)),
        fills=table(fills_frame, log.fills[: done.fills], rows),
        trades=table(trades_frame, log.trades[: done.trades], rows),
        rejected=table(rejected_frame, log.rejected[: done.rejected], rows),
        triggers=table(triggers_frame, log.triggers[: done.triggers], rows),
        open_orders=table(orders_frame, open_orders(state), rows),
        funding=table(payments_frame, log.payments[: done.payments], rows),
        is_ruined=bool(marks.equity[done.points - 1] <= 0),
    )


def rules_of(costs: Costs, limits: RiskLimits, tape: Tape) -> np.recarray:
    """Costs, limits and what the tape is like as the kernel's numbers; infinite where there is no limit."""
    numbers = {
        "taker_fee": costs.taker_fee_bps * BPS,
        "maker_fee": costs.maker_fee_bps * BPS,
        "minimum_fee": costs.minimum_fee,
        "half_spread": costs.half_spread_bps * BPS,
        "slippage": costs.slippage_bps * BPS,
        "volatility_slippage": costs.volatility_slippage,
        "impact": costs.impact_slippage,
        "participation": math.inf if costs.max_participation is None else costs.max_participation,
        "latency": costs.latency_bars,
        "latency_ms": costs.latency_ms,
        "is_spot": limits.instrument == "spot",
        "maintenance_margin": limits.maintenance_margin,
        "rebalance_band": math.inf if limits.rebalance_band is None else limits.rebalance_band,
        "interval": tape.interval,
        "has_brackets": tape.has_brackets,
        "has_limits": tape.has_limits,
        "has_funding": bool(tape.has_funding.any()),
        **dict.fromkeys(("max_net", "max_correlated", "max_drawdown", "max_daily_loss"), math.inf),
    }
    for rule in limits.rules:
        numbers |= rule.numbers
    rules = np.zeros(1, record.RULES).view(np.recarray)
    for name, number in numbers.items():
        rules[name] = number
    return rules


def by_symbol(costs: Costs, name: str, symbols: Sequence[str]) -> Floats:
    """Look a setting up for each symbol."""
    given = getattr(costs, name)
    if not isinstance(given, dict):
        return np.full(len(symbols), float(given))
    absent = [symbol for symbol in symbols if symbol not in given]
    if absent:
        raise ConfigError(
            f"`costs.{name}` has no value for {', '.join(absent)}; give one for each symbol that is traded (0 for "
            "none), or one number for all."
        )
    return np.array([given[symbol] for symbol in symbols], dtype=np.float64)


def empty_state(tape: Tape, costs: Costs, symbols: Sequence[str], capital: float) -> State:
    """Lay out an account of cash only, before the first bar.

    Raises
    ------
    ConfigError
        If a step or a minimum is given by symbol, but not for one of them.
    """
    account = np.zeros(1, record.ACCOUNT).view(np.recarray)
    for name in ("cash", "worth", "before", "peak", "day_start"):
        account[name] = capital
    book = np.zeros(len(symbols), record.BOOK).view(np.recarray)
    for name in ("sought", "mark", "stop", "take_profit", "stop_here", "take_profit_here", "limit_here"):
        book[name] = np.nan
    for name in ("head", "tail", "due"):
        book[name] = -1
    for name, setting in (("tick", "tick_size"), ("step", "quantity_step"), ("minimum_order", "minimum_order")):
        book[name] = by_symbol(costs, setting, symbols)
    book["next"] = tape.first[:-1]
    places = costs.latency_bars + costs.latency_ms // tape.interval + PLACES
    return State(account, book, np.recarray(len(symbols) * places, record.QUEUED))


def empty_log(length: int) -> Log:
    """Lay out room for so many records of each kind, one at least; what does not fit replaces the last."""
    kinds = (record.FILL, record.TRADE, record.REJECTED, record.TRIGGER, record.PAYMENT)
    return Log(*(np.recarray(max(length, 1), kind) for kind in kinds))


def empty_marks(n_rows: int) -> Marks:
    """Lay out room for the account's worth at each close."""
    equity, cash, gross, net = (np.empty(n_rows) for _ in range(4))
    return Marks(True, equity, cash, gross, net)


def open_orders(state: State) -> npt.NDArray[np.void]:
    """Orders that were not done when the run ended: what is due or stands at its limit, and those under way."""
    waiting: list[int] = []
    for book in state.book:
        waiting += [int(book.due)] if book.due >= 0 else []
        number = int(book.head)
        while number >= 0:
            waiting.append(number)
            number = int(state.orders[number].after)
    return state.orders[waiting]
