"""Bars in which nothing can happen, and how an account of one symbol gets over them."""

import numpy as np

from nightfold.backtest.kernel.compiled import compiled, inlined
from nightfold.backtest.kernel.mark import mark_stretch
from nightfold.backtest.kernel.record import BLOCK, DAY_MS, NEVER, Floats, Integers, Marks, State, Tape

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
def next_event(tape: Tape, book: np.record, start: int, end: int, low: float, high: float) -> int:
    """First row that decides on another target, reaches one of the prices, or has funding for a position."""
    stop = min(next_decision(tape, book, start), end)
    held = book.quantity != 0
    if held or low > -np.inf or high < np.inf:
        return first_touch(tape, start, stop, low, high, held)
    return stop


@inlined
def next_decision(tape: Tape, book: np.record, start: int) -> int:
    """First row that decides on another target than the last, or the end of the tape.

    It is one whose target is not that of the row before, since no row before the start has another than the last
    without deciding: a halt, which would, is never quiet. What was found is good while the last target stays.
    """
    target, place, count = book.target, book.place, len(tape.decisions)
    if book.sought != target or book.decision < start:
        while place < count and tape.decisions[place] < start:
            place += 1
        book.place = place
        while place < count and tape.target[tape.decisions[place]] == target:
            place += 1
        book.sought, book.decision = target, tape.decisions[place] if place < count else tape.first[1]
    return int(book.decision)


@inlined
def first_touch(tape: Tape, start: int, stop: int, low: float, high: float, held: bool) -> int:
    """First row that reaches one of the prices, or has funding for a position; most blocks need no closer look."""
    row = np.uintp(start)
    while row < np.uintp(stop):
        block = row // np.uintp(BLOCK)
        end = min((block + np.uintp(1)) * np.uintp(BLOCK), np.uintp(stop))
        if tape.floor[block] <= low or tape.ceiling[block] >= high:
            for number in range(row, end):
                if tape.low[number] <= low or tape.high[number] >= high or (held and tape.has_funding[number]):
                    return int(np.int64(number))
        row = end
    return stop


@compiled
def list_decisions(target: Floats, rows: Integers) -> int:
    """List the rows whose target is not that of the row before, and count them; -1 where one is infinite."""
    count, last = 0, np.nan
    for row in range(np.uintp(0), np.uintp(len(target))):
        if target[row] == target[row] and target[row] != last:
            if np.isinf(target[row]):
                return -1
            rows[count] = row
            count += 1
        last = target[row]
    return count
