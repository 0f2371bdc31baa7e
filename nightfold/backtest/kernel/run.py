"""The way through time."""

import numpy as np

from nightfold.backtest.kernel.compiled import compiled, inlined
from nightfold.backtest.kernel.decide import decide, is_decision
from nightfold.backtest.kernel.funding import charge_funding
from nightfold.backtest.kernel.leave import (
    is_in_danger,
    leave_at_open,
    leave_at_stops,
    leave_at_targets,
    leave_late,
    liquidation_point,
)
from nightfold.backtest.kernel.mark import mark
from nightfold.backtest.kernel.note import write_trade
from nightfold.backtest.kernel.order import is_arriving, trade_due
from nightfold.backtest.kernel.quiet import prices_that_matter, skip_quiet_bars
from nightfold.backtest.kernel.record import (
    AT_OPEN,
    LATE,
    NEVER,
    STILL_OPEN,
    VOLATILITY_BARS,
    WITHIN,
    Log,
    Marks,
    State,
    Tape,
)
from nightfold.backtest.kernel.watch import has_breakers, watch


@compiled
def run(tape: Tape, numbers: np.recarray, state: State, log: Log, marks: Marks) -> None:
    """Walk through all bars; fills ``state``, ``log`` and ``marks``. Ends early where equity is used up.

    For one symbol the same walk is compiled a second time, with a tuple of one book, so that no loop over symbols is
    left in it.
    """
    if len(state.book) == 1:
        alone = State(state.account, (state.book[0],), state.orders)  # type: ignore[arg-type]  # numba knows its length
        walk(tape, numbers[0], alone, log, marks)
    else:
        walk(tape, numbers[0], state, log, marks)


@compiled
def walk(tape: Tape, rules: np.record, state: State, log: Log, marks: Marks) -> None:
    """Go from event to event, and decide at the closes."""
    equity, is_watched, is_alone = state.account[0].cash, has_breakers(rules), len(state.book) == 1
    while equity > 0:
        if is_alone:
            skip_quiet_bars(tape, rules, state, marks)
        now = step(tape, rules, state.book)
        if now == NEVER:
            break
        if is_eventful(tape, rules, state):
            measure_volatility(tape, rules, state)
            live_through(rules, state, log)
        equity = mark(tape, state, marks)
        halted = is_watched and watch(rules, state, log, now, equity)
        if equity > 0 and (halted or rules.rebalance_band < np.inf or is_deciding(state)):
            decide(tape, rules, state, log, equity, halted)
    for symbol in range(len(state.book)):
        if state.book[symbol].quantity != 0:
            write_trade(state, log, symbol, state.book[symbol].next - 1, STILL_OPEN, WITHIN)


@inlined
def step(tape: Tape, rules: np.record, books: np.recarray) -> int:
    """Move every symbol that has a bar at the next moment to it; the others get row -1."""
    now = NEVER
    for symbol in range(len(books)):
        if books[symbol].next < tape.first[symbol + 1]:
            now = min(now, tape.time[books[symbol].next])
    for symbol in range(len(books)):
        row = books[symbol].next
        books[symbol].row = -1
        if row < tape.first[symbol + 1] and tape.time[row] == now:
            read_bar(tape, rules, books[symbol], row)
    return now


@inlined
def read_bar(tape: Tape, rules: np.record, book: np.record, row: int) -> None:
    """Let a symbol's next bar begin; columns that are empty throughout are not read."""
    book.row, book.next = row, row + 1
    book.time, book.fillable = tape.time[row], tape.fillable[row]
    book.open, book.high, book.low, book.close = tape.open[row], tape.high[row], tape.low[row], tape.close[row]
    book.volume = tape.volume[row]
    book.target_here = tape.target[row]
    if rules.has_brackets:
        book.stop_here, book.take_profit_here = tape.stop[row], tape.take_profit[row]
    if rules.has_limits:
        book.limit_here = tape.limit[row]
    if rules.has_funding:
        book.funding_before, book.funding_at_close = tape.funding_before[row], tape.funding_at_close[row]
    book.changed = book.late = book.stop_only = 0
    book.used = 0.0


@inlined
def is_eventful(tape: Tape, rules: np.record, state: State) -> bool:
    """Whether anything but the marks can change within the bar; most are quiet, and the rest is not asked."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        row = book.row
        if row < 0:
            continue
        if is_arriving(rules, state, book, LATE):
            return True
        if book.quantity != 0 and tape.has_funding[row]:
            return True
        low, high = prices_that_matter(state, symbol)
        if book.low <= low or book.high >= high:
            return True
    return not rules.is_spot and liquidation_point(rules, state) <= 1


@inlined
def is_deciding(state: State) -> bool:
    """Whether any symbol has another target than its last."""
    for symbol in range(len(state.book)):
        if state.book[symbol].row >= 0 and is_decision(state.book[symbol], False):
            return True
    return False


@inlined
def live_through(rules: np.record, state: State, log: Log) -> None:
    """Let happen whatever happens in a bar, from its open to its close."""
    charge_funding(state, log, AT_OPEN)
    for moment in range(AT_OPEN, WITHIN + 1):
        if (moment == LATE and rules.latency_ms == 0) or (moment == WITHIN and not rules.has_limits):
            continue
        trade_due(rules, state, log, moment)
        if moment == AT_OPEN:
            leave_at_open(rules, state, log)
        elif moment == LATE:
            leave_late(rules, state, log)
    if is_in_danger(rules, state):
        leave_at_stops(rules, state, log)
    leave_at_targets(rules, state, log)
    charge_funding(state, log, WITHIN)


@inlined
def measure_volatility(tape: Tape, rules: np.record, state: State) -> None:
    """Measure what slippage asks for: the volatility before the bar."""
    if rules.volatility_slippage == 0 and rules.impact == 0:
        return
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if book.row >= 0 and (book.quantity != 0 or book.due >= 0 or book.head >= 0):
            book.volatility = volatility(tape, symbol, book.row)


@compiled
def volatility(tape: Tape, symbol: int, row: int) -> float:
    """Root mean square of up to 100 one-bar log returns before a bar; 0 where there is none."""
    total, count = 0.0, 0
    row -= 1
    while row > tape.first[symbol] and count < VOLATILITY_BARS:
        if tape.follows[row]:
            total += np.log(tape.close[row] / tape.close[row - 1]) ** 2
            count += 1
        row -= 1
    return float(np.sqrt(total / count)) if count else 0.0
