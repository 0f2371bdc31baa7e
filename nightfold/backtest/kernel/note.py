"""Write down what happened."""

from nightfold.backtest.kernel.compiled import compiled, inlined
from nightfold.backtest.kernel.record import AT_OPEN, Log, State


@compiled
def reject(state: State, log: Log, row: int, reason: int, wanted: float, dropped: float, moment: int) -> None:
    """Write down what was wanted and will not be had."""
    record = log.rejected[min(state.account[0].rejected, len(log.rejected) - 1)]
    state.account[0].rejected += 1
    record.row, record.reason, record.at_open = row, reason, moment == AT_OPEN
    record.wanted, record.dropped = wanted, dropped


@compiled
def trigger(state: State, log: Log, time: int, rule: int, symbol: int, figure: float, limit: float) -> None:
    """Write down that a rule stepped in at the bar of that open time; symbol -1 is the whole account."""
    record = log.triggers[min(state.account[0].triggers, len(log.triggers) - 1)]
    state.account[0].triggers += 1
    record.time, record.rule, record.symbol = time, rule, symbol
    record.figure, record.limit = figure, limit


@inlined
def write_trade(state: State, log: Log, symbol: int, row: int, reason: int, moment: int) -> None:
    """Write down a trade, ended by the fill just made (or still open where the reason is -1), and start afresh."""
    book = state.book[symbol]
    trade = log.trades[min(state.account[0].trades, len(log.trades) - 1)]
    state.account[0].trades += 1
    trade.entry_row, trade.exit_row, trade.side = book.entry_row, row, book.side
    trade.reason, trade.at_open, trade.is_open = reason, moment == AT_OPEN, reason < 0
    trade.quantity, trade.entry_value = book.entered, book.entry_value
    trade.exited, trade.exit_value = book.exited, book.exit_value
    trade.fees, trade.funding = book.fees, book.funding
    held = book.quantity * book.mark if reason < 0 else 0.0
    trade.profit = book.side * (book.exit_value - book.entry_value) + held - book.fees - book.funding
    book.entered = book.entry_value = book.exited = book.exit_value = book.fees = book.funding = 0.0
