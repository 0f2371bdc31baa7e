"""What the account is worth at each close, written down bar by bar or, where only the score is wanted, summed up."""

from nightfold.backtest.kernel.compiled import compiled, inlined
from nightfold.backtest.kernel.record import DAY_MS, Marks, State, Tape


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
    return float(equity)


@compiled
def mark_stretch(tape: Tape, state: State, marks: Marks, start: int, stop: int) -> float:
    """Mark a stretch of bars of the only symbol in which nothing happens; return equity at its end."""
    account, quantity = state.account[0], state.book[0].quantity
    if marks.full:
        for row in range(start, stop):
            point = account.points + row - start
            net = quantity * tape.mark[row]
            marks.cash[point], marks.net[point], marks.gross[point] = account.cash, net, abs(net)
            marks.equity[point] = account.cash + net
    else:
        for row in range(start, stop):
            score_bar(state, marks, account.cash + quantity * tape.mark[row], tape.time[row] + tape.interval)
    account.points += stop - start
    state.book[0].mark = tape.mark[stop - 1]
    return float(account.cash + quantity * tape.mark[stop - 1])


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
        account.score_day = ((close_time - 1) // DAY_MS + 1) * DAY_MS
        marks.day[account.score_days] = (close_time - 1) // DAY_MS
        account.score_days += 1
    marks.daily[account.score_days - 1] = equity


@inlined
def close_trough(state: State) -> None:
    """Keep the drawdown to the lowest equity since the last peak, if it is the deepest."""
    account = state.account[0]
    account.drawdown = min(account.drawdown, account.trough / account.top - 1)
