"""Bars in which nothing can happen, and how an account of one symbol gets over them."""

import numpy as np

from nightfold.backtest.kernel.compiled import inlined
from nightfold.backtest.kernel.mark import mark_stretch, rows_before
from nightfold.backtest.kernel.record import DAY_MS, NEVER, Marks, State, Tape

SLACK = 1e-9
"""Part of a price by which a bar is looked at too often rather than too seldom."""


@inlined
def skip_quiet_bars(tape: Tape, rules: np.record, state: State, marks: Marks) -> None:
    """Mark all bars of the only symbol up to the next in which something can happen."""
    book = state.book[0]
    if is_never_quiet(rules, state):
        return
    start = book.next
    end = rows_before(tape, start, int(tape.first[1]), quiet_until(tape, rules, state))
    if end == start:
        return
    low, high = prices_that_matter(state, 0)
    if book.quantity != 0:
        low, high = equity_that_matters(rules, state, low, high)
    stop = next_event(tape, book, start, end, low, high)
    if stop > start:
        mark_stretch(tape, state, marks, start, stop)
        book.next = stop


@inlined
def is_never_quiet(rules: np.record, state: State) -> bool:
    """Whether each bar counts: a position in a band, a breaker that is on, or a peak that starts anew."""
    account, book = state.account[0], state.book[0]
    band = rules.rebalance_band < np.inf and (book.quantity != 0 or book.head >= 0)
    return bool(band or account.cooldown > 0 or account.day_over or account.peak == 0)


@inlined
def prices_that_matter(state: State, symbol: int) -> tuple[float, float]:
    """Prices at or beyond which a symbol's stop, target or order may be met; below, then above."""
    book = state.book[symbol]
    low, high = -np.inf, np.inf
    if book.leaving:
        return np.inf, -np.inf
    if book.due >= 0:
        order = state.orders[book.due]
        if np.isnan(order.limit) or book.fresh:
            return np.inf, -np.inf
        if order.wanted > book.quantity:
            low = order.limit
        else:
            high = order.limit
    if book.quantity > 0:
        low = book.stop if book.stop > low else low
        high = book.take_profit if book.take_profit < high else high
    elif book.quantity < 0:
        low = book.take_profit if book.take_profit > low else low
        high = book.stop if book.stop < high else high
    return low, high


@inlined
def equity_that_matters(rules: np.record, state: State, low: float, high: float) -> tuple[float, float]:
    """Narrow two prices to those at which the margin is used up, a breaker goes off or the peak rises."""
    account, quantity = state.account[0], state.book[0].quantity
    low, high = narrowed(low, high, 0.0, account.cash, quantity - rules.maintenance_margin * abs(quantity), quantity)
    if rules.max_drawdown < np.inf:
        floor = account.peak * (1 - rules.max_drawdown)
        low, high = narrowed(low, high, floor, account.cash, quantity, quantity)
        low, high = narrowed(low, high, account.peak, account.cash, quantity, -quantity)
    if rules.max_daily_loss < np.inf:
        floor = account.day_start * (1 - rules.max_daily_loss)
        low, high = narrowed(low, high, floor, account.cash, quantity, quantity)
    return low, high


@inlined
def narrowed(low: float, high: float, level: float, cash: float, weight: float, side: float) -> tuple[float, float]:
    """Let the price at which ``cash + weight * price`` meets a level count, from above where the side is positive."""
    price = (level - cash) / weight
    if side > 0:
        return max(low, price + SLACK * abs(price)), high
    return low, min(high, price - SLACK * abs(price))


@inlined
def quiet_until(tape: Tape, rules: np.record, state: State) -> int:
    """Open time after which an order arrives, or another day begins that a rule asks about."""
    book = state.book[0]
    until = NEVER
    if book.head >= 0:
        row = state.orders[book.head].row + rules.latency
        until = tape.time[row] + rules.latency_ms if row < tape.first[1] else NEVER
    if rules.max_daily_loss < np.inf:
        until = min(until, (state.account[0].day + 1) * DAY_MS - tape.interval)
    return until


@inlined
def next_event(tape: Tape, book: np.record, start: int, end: int, low: float, high: float) -> int:
    """First row that decides on another target, reaches one of the prices, or has funding for a position.

    Rows without a sign spare numba the question whether they count from the end.
    """
    target, held = book.target, book.quantity != 0
    if low == -np.inf and high == np.inf and not held:
        for row in range(np.uintp(start), np.uintp(end)):
            if tape.target[row] != target and not np.isnan(tape.target[row]):
                return int(np.int64(row))
        return end
    for row in range(np.uintp(start), np.uintp(end)):
        if tape.target[row] != target and not np.isnan(tape.target[row]):
            return int(np.int64(row))
        if tape.low[row] <= low or tape.high[row] >= high or (held and tape.has_funding[row]):
            return int(np.int64(row))
    return end
