"""What the account is worth at each close, written down bar by bar or, where only the score is wanted, summed up."""

import numpy as np

from nightfold.backtest.kernel.compiled import inlined
from nightfold.backtest.kernel.record import DAY_MS, NEVER, Marks, State, Tape


@inlined
def mark(tape: Tape, state: State, marks: Marks, now: int) -> float:
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
    equity = account.cash + net
    if marks.full:
        point = account.points
        marks.equity[point], marks.cash[point], marks.gross[point], marks.net[point] = equity, account.cash, gross, net
    else:
        score_bar(state, marks, equity, now + tape.interval)
    account.points += 1
    account.before, account.worth = account.worth, equity
    return float(equity)


@inlined
def mark_stretch(tape: Tape, state: State, marks: Marks, start: int, stop: int) -> None:
    """Mark a stretch of bars of the only symbol in which nothing happens."""
    account, quantity = state.account[0], state.book[0].quantity
    if marks.full:
        point = np.uintp(account.points)
        for row in range(np.uintp(start), np.uintp(stop)):
            net = quantity * tape.mark[row]
            marks.cash[point], marks.net[point], marks.gross[point] = account.cash, net, abs(net)
            marks.equity[point] = account.cash + net
            point += np.uintp(1)
    else:
        score_stretch(tape, state, marks, start, stop)
    account.points += stop - start
    account.worth = account.cash + quantity * tape.mark[stop - 1]
    state.book[0].mark = tape.mark[stop - 1]


@inlined
def score_stretch(tape: Tape, state: State, marks: Marks, start: int, stop: int) -> None:
    """Do what `score_bar` does, for a stretch of bars of the only symbol."""
    account, quantity = state.account[0], state.book[0].quantity
    cash, equity, top, trough, day_end = account.cash, account.worth, account.top, account.trough, account.score_day
    while start < stop:
        if tape.time[start] + tape.interval > day_end:
            if account.score_days > 0:
                marks.daily[account.score_days - 1] = equity
            day_end = begin_day(state, marks, tape.time[start] + tape.interval)
        end = rows_before(tape, start, stop, day_end - tape.interval)
        for row in range(np.uintp(start), np.uintp(end if quantity != 0 else start + 1)):
            equity = cash + quantity * tape.mark[row]
            if equity > top:
                account.drawdown = min(account.drawdown, trough / top - 1)
                top = trough = equity
            elif equity < trough:
                trough = equity
        start = end
    account.top, account.trough = top, trough
    marks.daily[account.score_days - 1] = equity


@inlined
def rows_before(tape: Tape, start: int, end: int, until: int) -> int:
    """First row whose open time is later than a moment, or the end; that is asked first, then what is nearby."""
    if until == NEVER or start == end or tape.time[end - 1] <= until:
        return end
    low, high, reach = start, start, 1
    while high < end and tape.time[high] <= until:
        low, high, reach = high + 1, high + reach, 2 * reach
    high = min(high, end)
    while low < high:
        middle = (low + high) // 2
        if tape.time[middle] <= until:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def score_bar(state: State, marks: Marks, equity: float, close_time: int) -> None:
    """Follow peak, trough and drawdown, and keep the equity of the day that the close belongs to."""
    account = state.account[0]
    if equity > account.top:
        close_trough(state)
        account.top = account.trough = equity
    elif equity < account.trough:
        account.trough = equity
    if close_time > account.score_day:
        begin_day(state, marks, close_time)
    marks.daily[account.score_days - 1] = equity


@inlined
def begin_day(state: State, marks: Marks, close_time: int) -> int:
    """Open the UTC day that a close belongs to, and say when it ends."""
    account, day = state.account[0], (close_time - 1) // DAY_MS
    marks.day[account.score_days] = day
    account.score_day = (day + 1) * DAY_MS
    account.score_days += 1
    return int(account.score_day)


@inlined
def close_trough(state: State) -> None:
    """Keep the drawdown to the lowest equity since the last peak, if it is the deepest."""
    account = state.account[0]
    account.drawdown = min(account.drawdown, account.trough / account.top - 1)
