"""Orders: wanted positions on their way, and what they trade when they are due."""

import numpy as np

from nightfold.backtest.kernel.compiled import compiled, inlined
from nightfold.backtest.kernel.fill import cut, fee_of, fill, price_of, slice_of
from nightfold.backtest.kernel.note import reject
from nightfold.backtest.kernel.record import (
    AT_OPEN,
    CASH,
    DUST,
    LATE,
    LIMIT,
    MAKER,
    MARKET,
    NO_COUNTERPART,
    ORDER,
    SMALL_ORDER,
    TAKEN,
    WITHIN,
    Log,
    State,
)

BISECTIONS = 100

# Part of a tick that is enough to have traded through by one: prices are decimal numbers.
TICK_SLACK = 1e-6


@inlined
def send(state: State, symbol: int, wanted: float, limit: float, keeps: bool) -> None:
    """Put an order decided at the symbol's bar on its way, behind those before."""
    book = state.book[symbol]
    places = len(state.orders) // len(state.book)
    number = symbol * places + book.sent % places
    book.sent += 1
    order = state.orders[number]
    order.row, order.wanted, order.limit, order.keeps = book.row, wanted, limit, keeps
    order.stop, order.take_profit = book.stop_here, book.take_profit_here
    order.time, order.after, order.begun = book.time, -1, 0
    if book.tail >= 0:
        state.orders[book.tail].after = number
    else:
        book.head = number
    book.tail = number


@inlined
def committed(state: State, symbol: int) -> float:
    """Position once every order under way has been filled."""
    book = state.book[symbol]
    newest = book.tail if book.tail >= 0 else book.due
    return float(state.orders[newest].wanted) if newest >= 0 else float(book.quantity)


@inlined
def is_arriving(rules: np.record, state: State, book: np.record, moment: int) -> bool:
    """Whether the oldest order under way arrives by the open of the bar, or before its close."""
    if book.head < 0:
        return False
    order = state.orders[book.head]
    if book.row <= order.row + rules.latency:
        return False
    arrival = order.time + rules.interval + rules.latency_ms
    return bool(arrival <= book.time if moment == AT_OPEN else arrival < book.time + rules.interval)


@inlined
def take_due(rules: np.record, state: State, symbol: int, moment: int) -> bool:
    """Let what arrives replace what was due; whether there was any."""
    book = state.book[symbol]
    taken = False
    while is_arriving(rules, state, book, moment):
        book.due = book.head
        book.head = state.orders[book.head].after
        book.fresh, book.leaving = 1, 0
        taken = True
    if book.head < 0:
        book.tail = -1
    return taken


@inlined
def trade_due(rules: np.record, state: State, log: Log, moment: int) -> None:
    """Trade the difference to each due wanted position: sells, then what buys the cash allows."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        book.change = 0.0
        if book.row < 0:
            continue
        if moment == LATE:
            if not take_due(rules, state, symbol, moment):
                continue
            book.late = 1
        elif moment == AT_OPEN:
            take_due(rules, state, symbol, moment)
        if book.due >= 0 and book.fillable:
            book.change = due_change(rules, state, log, symbol, moment)
    for side in (-1.0, 1.0):
        share = affordable_share(rules, state) if rules.is_spot and side > 0 else 1.0
        for symbol in range(len(state.book)):
            if 1 - share > DUST and state.book[symbol].change > 0:
                cut_to_cash(state, log, symbol, share, moment)
            if side * state.book[symbol].change > 0:
                trade(rules, state, log, symbol, state.book[symbol].change, moment)


@inlined
def due_change(rules: np.record, state: State, log: Log, symbol: int, moment: int) -> float:
    """Quantity that the due order trades at this moment, near ``reference``; 0 where it waits or is done with."""
    book = state.book[symbol]
    order = state.orders[book.due]
    fresh, book.fresh = book.fresh, 0
    change = order.wanted - book.quantity
    if is_dust(change, order.wanted, book.quantity):
        book.due = -1
        return 0.0
    market = market_price(rules, order, book, change, moment)
    if fresh and (book.step > 0 or book.minimum_order > 0):
        price = market if np.isnan(order.limit) else order.limit
        if not is_admitted(state, log, symbol, change, price, moment):
            book.due = -1
            return 0.0
        change = order.wanted - book.quantity
    liquidity = counterpart(rules, state, symbol, change, market, fresh, moment)
    if liquidity == NO_COUNTERPART:
        return 0.0
    book.liquidity = liquidity
    book.reference = market if liquidity == MARKET else order.limit
    return float(np.sign(change) * slice_of(rules, book, abs(change)))


@inlined
def is_dust(change: float, wanted: float, held: float) -> bool:
    """Whether a change is no more than what rounding leaves."""
    return bool(abs(change) <= DUST * max(abs(wanted), abs(held)))


@inlined
def market_price(rules: np.record, order: np.record, book: np.record, change: float, moment: int) -> float:
    """Market's price: the open, or for an order that arrives late on the line to the close, never better."""
    start = book.open
    if moment != LATE:
        return float(start)
    late = order.time + rules.interval + rules.latency_ms - book.time
    price = start + (book.close - start) * (late / rules.interval)
    return float(max(price, start) if change > 0 else min(price, start))


@inlined
def counterpart(
    rules: np.record, state: State, symbol: int, change: float, market: float, fresh: int, moment: int
) -> int:
    """How the due order meets its counterpart now: at the market, at its limit as taker or maker; or not now."""
    book = state.book[symbol]
    limit = state.orders[book.due].limit
    if np.isnan(limit):
        return MARKET if moment != WITHIN else NO_COUNTERPART
    side, tick = np.sign(change), book.tick
    if moment == WITHIN:
        best = book.low if side > 0 else book.high
        stopped = book.quantity != 0 and meets_stop(book)
        return MAKER if not book.late and not stopped and is_through(-side, best, limit, tick) else NO_COUNTERPART
    if fresh and side * (limit - market) >= 0:
        return TAKEN
    return MAKER if moment == AT_OPEN and is_through(-side, market, limit, tick) else NO_COUNTERPART


@inlined
def is_through(side: float, price: float, limit: float, tick: float) -> bool:
    """Whether a price has passed a limit that side by a tick, or at all where none is set."""
    return bool(side * (price - limit) >= tick * (1 - TICK_SLACK) if tick > 0 else side * (price - limit) > 0)


@inlined
def meets_stop(book: np.record) -> bool:
    """Whether the bar touches the stop."""
    return bool(book.low <= book.stop if book.quantity > 0 else book.high >= book.stop)


@compiled
def is_admitted(state: State, log: Log, symbol: int, change: float, price: float, moment: int) -> bool:
    """Cut a new order to whole steps; refuse it where nothing is left, or less than the minimum. Closing is exempt."""
    book = state.book[symbol]
    order = state.orders[book.due]
    step, minimum = book.step, book.minimum_order
    if order.wanted == 0:
        return True
    size = cut(abs(change), step)
    if size == 0 and book.quantity != 0:
        return False
    if size == 0 or size * price < minimum * (1 - DUST):
        reject(state, log, book.row, SMALL_ORDER, order.wanted, change, moment)
        book.aim = np.nan
        return False
    order.wanted = book.quantity + np.sign(change) * size
    return True


@compiled
def cut_to_cash(state: State, log: Log, symbol: int, share: float, moment: int) -> None:
    """Cut a buy to its share of the cash; the rest is dropped."""
    book = state.book[symbol]
    order = state.orders[book.due]
    bought = cut(book.change * share, book.step) if share > DUST else 0.0
    dropped = order.wanted - book.quantity - bought
    reject(state, log, book.row, CASH, order.wanted, dropped, moment)
    book.aim *= 1 - dropped / order.wanted
    book.change = bought
    order.wanted = book.quantity + bought
    if bought == 0:
        book.due = -1


@compiled
def affordable_share(rules: np.record, state: State) -> float:
    """Largest share of all buys that the cash pays for, with their fees; 1 where nothing is cut."""
    cash = state.account[0].cash
    if cost_of_buys(rules, state, 1.0) <= cash:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if cost_of_buys(rules, state, middle) <= cash:
            low = middle
        else:
            high = middle
    return low


@compiled
def cost_of_buys(rules: np.record, state: State, share: float) -> float:
    """Cash that a share of the buys needs."""
    total = 0.0
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if book.change > 0:
            size = share * book.change
            value = size * price_of(rules, book, book.reference, size, book.liquidity)[0]
            total += value + fee_of(rules, value, book.liquidity)
    return total


@inlined
def trade(rules: np.record, state: State, log: Log, symbol: int, quantity: float, moment: int) -> None:
    """Fill a due order, or a part of it, and install the brackets of the row that decided it."""
    book = state.book[symbol]
    order, liquidity = state.orders[book.due], book.liquidity
    reason = ORDER if liquidity == MARKET else LIMIT
    fill(rules, state, log, symbol, quantity, book.reference, reason, liquidity, moment)
    if book.quantity * order.wanted > 0 and not order.keeps:
        book.stop, book.take_profit = order.stop, order.take_profit
        book.changed = not order.begun
    book.stop_only = book.stop_only or moment != AT_OPEN or liquidity != MARKET
    order.begun = 1
    if is_dust(order.wanted - book.quantity, order.wanted, book.quantity):
        book.due = -1
