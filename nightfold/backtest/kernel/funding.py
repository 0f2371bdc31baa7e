"""Funding of perpetual positions."""

from nightfold.backtest.kernel.compiled import inlined
from nightfold.backtest.kernel.record import AT_OPEN, Log, State


@inlined
def charge_funding(state: State, log: Log, moment: int) -> None:
    """Let longs pay shorts: at the open for stamps in the hole before, at the last mark; else for those in the bar."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if book.row < 0 or book.quantity == 0:
            continue
        rate = book.funding_before if moment == AT_OPEN else book.funding_at_close
        if rate == 0:
            continue
        price = book.mark if moment == AT_OPEN else book.close
        state.account[0].cash -= book.quantity * price * rate
        book.funding += book.quantity * price * rate
        payment = log.payments[min(state.account[0].payments, len(log.payments) - 1)]
        state.account[0].payments += 1
        payment.row, payment.at_open = book.row, moment == AT_OPEN
        payment.quantity, payment.price, payment.rate = book.quantity, price, rate
