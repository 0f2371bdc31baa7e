"""What the account is worth at each close."""

import numpy as np

from nightfold.backtest.kernel.compiled import compiled, inlined
from nightfold.backtest.kernel.record import Floats, Marks, State, Tape

STRIDE = 32
"""Closes compared at once."""


@inlined
def mark(tape: Tape, state: State, marks: Marks) -> float:
    """Value the account at the last closes that traded, write it down, return equity."""
    gross = net = 0.0
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if book.row >= 0:
            book.mark = tape.mark[book.row]
        if book.quantity != 0:
            gross += abs(book.quantity) * book.mark
            net += book.quantity * book.mark
    account = state.account[0]
    equity, point = account.cash + net, account.points
    marks.equity[point] = equity
    if marks.full:
        marks.cash[point], marks.gross[point], marks.net[point] = account.cash, gross, net
    account.points += 1
    account.before, account.worth = account.worth, equity
    return float(equity)


@inlined
def mark_stretch(tape: Tape, state: State, marks: Marks, start: int, stop: int) -> None:
    """Mark a stretch of bars of the only symbol in which nothing happens.

    Rows without a sign spare numba the question whether they count from the end.
    """
    account, quantity = state.account[0], state.book[0].quantity
    cash = account.cash
    if marks.full:
        for row in range(np.uintp(start), np.uintp(stop)):
            net = quantity * tape.mark[row]
            marks.cash[row], marks.net[row], marks.gross[row] = cash, net, abs(net)
            marks.equity[row] = cash + net
    else:
        for row in range(np.uintp(start), np.uintp(stop)):
            marks.equity[row] = cash + quantity * tape.mark[row]
    account.points = stop
    account.worth = cash + quantity * tape.mark[stop - 1]
    state.book[0].mark = tape.mark[stop - 1]


@compiled
def deepest_fall(equity: Floats, capital: float) -> float:
    """Deepest fall of equity from the highest before it, as a fraction (<= 0).

    Most strides set neither a new peak nor a new trough, which takes one comparison for many closes at once.
    """
    peak = trough = capital
    deepest, start, end = 0.0, np.uintp(0), np.uintp(len(equity))
    while start < end:
        stop = min(start + np.uintp(STRIDE), end)
        is_new = False
        for point in range(start, stop):
            is_new |= (equity[point] > peak) | (equity[point] < trough)
        if is_new:
            for point in range(start, stop):
                if equity[point] > peak:
                    deepest = min(deepest, trough / peak - 1)
                    peak = trough = equity[point]
                elif equity[point] < trough:
                    trough = equity[point]
        start = stop
    return min(deepest, trough / peak - 1)
