"""The simulated account: one compiled pass over the bars of all symbols, in the order in which things happen.

Within a bar: funding of the stamps in the hole before it, orders due at the open (sells before buys), stops and
liquidation, targets, funding at the close, mark, decision. Rows are bars, sorted by symbol and time; an order is
a wanted position and is kept in the row that decided it.

All compiled functions live in this one file, since numba's cache does not notice a change in another one.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

# Codes of fills and of rejections; `result` spells them out.
ORDER, STOP, TARGET, LIQUIDATION = range(4)
SHORT_ON_SPOT, POSITION_LIMIT, GROSS_LIMIT, CASH = range(4)

DUST = 1e-12
VOLATILITY_BARS = 100
NEVER = np.iinfo(np.int64).max
BISECTIONS = 100

BOOK = np.dtype(
    [
        *((name, "f8") for name in ("quantity", "mark", "stop", "take_profit", "target")),
        *((name, "f8") for name in ("entered", "entry_value", "exited", "exit_value", "fees", "funding")),
        *((name, "i8") for name in ("next", "row", "due", "newest", "entry_row", "side", "changed")),
    ]
)
FILL = np.dtype(
    [
        *((name, "i8") for name in ("row", "reason", "at_open")),
        *((name, "f8") for name in ("quantity", "price", "reference_price", "fee", "spread_cost", "slippage_cost")),
    ]
)
TRADE = np.dtype(
    [
        *((name, "i8") for name in ("entry_row", "exit_row", "side", "reason", "at_open", "is_open")),
        *((name, "f8") for name in ("quantity", "entry_value", "exited", "exit_value", "fees", "funding", "profit")),
    ]
)
REJECTED = np.dtype([*((name, "i8") for name in ("row", "reason", "at_open")), ("wanted", "f8"), ("dropped", "f8")])
PAYMENT = np.dtype(
    [*((name, "i8") for name in ("row", "at_open")), *((name, "f8") for name in ("quantity", "price", "rate"))]
)
EQUITY = np.dtype([("time", "i8"), *((name, "f8") for name in ("equity", "cash", "gross", "net"))])
COUNTS = np.dtype([(name, "i8") for name in ("equity", "fills", "trades", "rejected", "payments")])

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., object])


class Tape(NamedTuple):
    """Bars and what belongs to them, one element a row; ``first[s]`` is the first row of symbol s, then the end."""

    first: Integers
    time: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    fillable: npt.NDArray[np.bool_]
    follows: npt.NDArray[np.bool_]
    target: Floats
    stop: Floats
    take_profit: Floats
    funding_before: Floats
    funding_at_close: Floats


class Rules(NamedTuple):
    """Costs as fractions, delay in bars, and limits."""

    taker_fee: float
    maker_fee: float
    minimum_fee: float
    half_spread: float
    slippage: float
    volatility_slippage: float
    latency: int
    is_spot: bool
    max_position: float
    max_gross: float
    maintenance_margin: float


class State(NamedTuple):
    """What the account knows: ``cash`` of one element, a ``book`` record a symbol, a wanted position a row."""

    cash: Floats
    book: np.recarray
    wanted: Floats
    change: Floats
    added: Floats


class Log(NamedTuple):
    """Everything that happened; ``counts[0]`` says how many records of each are filled."""

    equity: np.recarray
    fills: np.recarray
    trades: np.recarray
    rejected: np.recarray
    payments: np.recarray
    counts: np.recarray


def compiled(function: F) -> F:
    """Compile a function, keeping the result on disk.

    Nothing here allocates, so numba need not count references: it would do so for each array of each tuple at each
    call, which takes ten times as long as the work. The option may go once numba prunes these counts itself.
    """
    options = {"cache": True, "error_model": "numpy", "_nrt": False}
    return cast("F", njit(**options)(function))  # type: ignore[call-overload]  # numba's stubs lack `_nrt`


def inlined(function: F) -> F:
    """Compile a function that is asked about every bar into its callers; a call passes all those tuples."""
    options = {"cache": True, "error_model": "numpy", "_nrt": False, "forceinline": True}
    return cast("F", njit(**options)(function))  # type: ignore[call-overload]  # numba's stubs lack `_nrt`


@compiled
def run(tape: Tape, rules: Rules, state: State, log: Log) -> None:
    """Walk through all bars; fills ``state`` and ``log``. Ends early where equity is used up."""
    equity = 1.0
    while equity > 0:
        now = step(tape, state.book)
        if now == NEVER:
            break
        eventful = is_eventful(tape, rules, state)
        if eventful:
            charge_funding(tape, state, log, True)
            fill_due_orders(tape, rules, state, log)
            leave_at_open(tape, rules, state, log)
            leave_at_stops(tape, rules, state, log)
            leave_at_targets(tape, rules, state, log)
            charge_funding(tape, state, log, False)
        equity = mark(tape, state, log, now)
        if eventful and equity > 0:
            decide(tape, rules, state, log, equity)
    for symbol in range(len(state.book)):
        if state.book[symbol].quantity != 0:
            write_trade(state.book[symbol], log, state.book[symbol].next - 1, -1, False)


@inlined
def step(tape: Tape, book: np.recarray) -> int:
    """Move every symbol that has a bar at the next moment to it; the others get row -1."""
    now = NEVER
    for symbol in range(len(book)):
        if book[symbol].next < tape.first[symbol + 1]:
            now = min(now, tape.time[book[symbol].next])
    for symbol in range(len(book)):
        row = book[symbol].next
        here = row < tape.first[symbol + 1] and tape.time[row] == now
        book[symbol].row = row if here else -1
        book[symbol].next = row + here
        book[symbol].changed = 0
    return now


@inlined
def is_eventful(tape: Tape, rules: Rules, state: State) -> bool:
    """Whether anything but the marks can change now; most bars are quiet, and the rest is not asked about them."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        row = book.row
        if row < 0:
            continue
        if is_due(tape, rules, state, symbol) or is_decision(tape, book):
            return True
        if book.quantity != 0 and (tape.funding_before[row] != 0 or tape.funding_at_close[row] != 0):
            return True
        if exposed(tape, book) and (meets_stop(tape, book) or meets_target(tape, book)):
            return True
    return not rules.is_spot and liquidation_point(tape, rules, state) <= 1


@inlined
def is_due(tape: Tape, rules: Rules, state: State, symbol: int) -> bool:
    """Whether an order is due now, or was and could not be filled yet."""
    origin = state.book[symbol].row - 1 - rules.latency
    return bool(state.book[symbol].due >= 0 or (origin >= tape.first[symbol] and not np.isnan(state.wanted[origin])))


@inlined
def is_decision(tape: Tape, book: np.record) -> bool:
    """Whether the bar decides on another target than the last."""
    target = tape.target[book.row]
    return bool(not np.isnan(target) and target != book.target)


@inlined
def meets_stop(tape: Tape, book: np.record) -> bool:
    """Whether the bar touches the stop."""
    return bool(tape.low[book.row] <= book.stop if book.quantity > 0 else tape.high[book.row] >= book.stop)


@inlined
def meets_target(tape: Tape, book: np.record) -> bool:
    """Whether the bar trades through the target."""
    return bool(tape.high[book.row] > book.take_profit if book.quantity > 0 else tape.low[book.row] < book.take_profit)


@compiled
def charge_funding(tape: Tape, state: State, log: Log, before: bool) -> None:
    """Let longs pay shorts: for stamps in the hole before the bar at the last mark, for those in it at its close."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if book.row < 0 or book.quantity == 0:
            continue
        rate = tape.funding_before[book.row] if before else tape.funding_at_close[book.row]
        if rate == 0:
            continue
        price = book.mark if before else tape.close[book.row]
        state.cash[0] -= book.quantity * price * rate
        book.funding += book.quantity * price * rate
        payment = log.payments[log.counts[0].payments]
        log.counts[0].payments += 1
        payment.row, payment.at_open = book.row, before
        payment.quantity, payment.price, payment.rate = book.quantity, price, rate


@compiled
def fill_due_orders(tape: Tape, rules: Rules, state: State, log: Log) -> None:
    """Trade the difference to each due wanted position at the open: sells, then what buys the cash allows."""
    for symbol in range(len(state.book)):
        state.change[symbol] = due_change(tape, rules, state, symbol)
    for symbol in range(len(state.book)):
        if state.change[symbol] < 0:
            fill_order(tape, rules, state, log, symbol, state.change[symbol])
    share = affordable_share(tape, rules, state) if rules.is_spot else 1.0
    for symbol in range(len(state.book)):
        change = state.change[symbol]
        if change > 0:
            if 1 - share > DUST:
                wanted = state.wanted[state.book[symbol].due]
                reject(log, state.book[symbol].row, CASH, wanted, change * (1 - share), True)
            if share > DUST:
                fill_order(tape, rules, state, log, symbol, change * share)
        if state.book[symbol].row >= 0 and tape.fillable[state.book[symbol].row]:
            clear_due(state.book[symbol])


@compiled
def due_change(tape: Tape, rules: Rules, state: State, symbol: int) -> float:
    """Quantity that the order due at this open has to trade; 0 for none, or where the bar cannot fill."""
    book = state.book[symbol]
    if book.row < 0 or not is_due(tape, rules, state, symbol):
        return 0.0
    origin = book.row - 1 - rules.latency
    if origin >= tape.first[symbol] and not np.isnan(state.wanted[origin]):
        book.due = origin
    if not tape.fillable[book.row]:
        return 0.0
    wanted = state.wanted[book.due]
    change = wanted - book.quantity
    return change if abs(change) > DUST * max(abs(wanted), abs(book.quantity)) else 0.0


@compiled
def clear_due(book: np.record) -> None:
    """Forget the order that was due: it is done."""
    if book.newest == book.due:
        book.newest = -1
    book.due = -1


@compiled
def affordable_share(tape: Tape, rules: Rules, state: State) -> float:
    """Largest share of all buys that the cash pays for, with their fees; 1 where nothing is cut."""
    cash = state.cash[0]
    if cost_of_buys(tape, rules, state, 1.0) <= cash:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if cost_of_buys(tape, rules, state, middle) <= cash:
            low = middle
        else:
            high = middle
    return low


@compiled
def cost_of_buys(tape: Tape, rules: Rules, state: State, share: float) -> float:
    """Cash that a share of this bar's buys needs."""
    total = 0.0
    for symbol in range(len(state.book)):
        if state.change[symbol] > 0:
            row = state.book[symbol].row
            price = tape.open[row] * (1 + rules.half_spread + slippage(tape, rules, state, symbol))
            value = share * state.change[symbol] * price
            total += value + max(rules.taker_fee * value, rules.minimum_fee)
    return total


@compiled
def fill_order(tape: Tape, rules: Rules, state: State, log: Log, symbol: int, quantity: float) -> None:
    """Fill a due order at the open and install the brackets of the row that decided it."""
    book = state.book[symbol]
    fill(tape, rules, state, log, symbol, quantity, tape.open[book.row], ORDER, True)
    book.stop = tape.stop[book.due] if book.quantity != 0 else np.nan
    book.take_profit = tape.take_profit[book.due] if book.quantity != 0 else np.nan
    book.changed = 1


@compiled
def leave_at_open(tape: Tape, rules: Rules, state: State, log: Log) -> None:
    """Close positions whose bar opens beyond their stop or target.

    A stop fills at the open. A target fills at its limit, never better; but one that the entry itself opened
    beyond was never waiting there, so the entry leaves at that open.
    """
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if not exposed(tape, book):
            continue
        side, price = np.sign(book.quantity), tape.open[book.row]
        if side * price <= side * book.stop:
            fill(tape, rules, state, log, symbol, -book.quantity, price, STOP, True)
        elif side * price > side * book.take_profit:
            limit = price if book.changed else book.take_profit
            fill(tape, rules, state, log, symbol, -book.quantity, limit, TARGET, True)


@compiled
def leave_at_stops(tape: Tape, rules: Rules, state: State, log: Log) -> None:
    """Walk from all opens to all adverse extremes: stops in the order they are met, until the margin is used up."""
    walked = 0.0
    while True:
        nearest, symbol = nearest_stop(tape, state)
        margin = 2.0 if rules.is_spot else max(liquidation_point(tape, rules, state), walked)
        if symbol < 0 and margin > 1:
            break
        if nearest <= margin:
            book = state.book[symbol]
            fill(tape, rules, state, log, symbol, -book.quantity, book.stop, STOP, False)
            walked = nearest
        else:
            liquidate(tape, rules, state, log, margin)
            break


@compiled
def nearest_stop(tape: Tape, state: State) -> tuple[float, int]:
    """Share of the way to the adverse extremes at which the first stop is met, and whose; 2 and -1 for none."""
    nearest, owner = 2.0, -1
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if exposed(tape, book) and meets_stop(tape, book):
            start = tape.open[book.row]
            way = (start - book.stop) / (start - adverse_extreme(tape, book))
            if way < nearest:
                nearest, owner = way, symbol
    return nearest, owner


@inlined
def liquidation_point(tape: Tape, rules: Rules, state: State) -> float:
    """Share of the way to the adverse extremes at which equity meets the maintenance margin; 2 for never."""
    start = end = state.cash[0]
    reachable = False
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        weight = book.quantity - rules.maintenance_margin * abs(book.quantity)
        if exposed(tape, book):
            reachable = True
            start += weight * tape.open[book.row]
            end += weight * adverse_extreme(tape, book)
        elif book.quantity != 0:
            start += weight * book.mark
            end += weight * book.mark
    if not reachable or (start > 0 and end > 0):
        return 2.0
    return start / (start - end) if start > 0 else 0.0


@compiled
def liquidate(tape: Tape, rules: Rules, state: State, log: Log, way: float) -> None:
    """Close whatever can be closed at its price that share of the way to the adverse extreme."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if exposed(tape, book):
            start = tape.open[book.row]
            price = start + way * (adverse_extreme(tape, book) - start)
            fill(tape, rules, state, log, symbol, -book.quantity, price, LIQUIDATION, way == 0)


@compiled
def leave_at_targets(tape: Tape, rules: Rules, state: State, log: Log) -> None:
    """Close positions whose target was traded through."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if exposed(tape, book) and meets_target(tape, book):
            fill(tape, rules, state, log, symbol, -book.quantity, book.take_profit, TARGET, False)


@inlined
def exposed(tape: Tape, book: np.record) -> bool:
    """Whether there is a position and a bar that can fill."""
    return bool(book.quantity != 0 and book.row >= 0 and tape.fillable[book.row])


@inlined
def adverse_extreme(tape: Tape, book: np.record) -> float:
    """Worst price of the bar for the position."""
    return float(tape.low[book.row] if book.quantity > 0 else tape.high[book.row])


@inlined
def mark(tape: Tape, state: State, log: Log, now: int) -> float:
    """Value the account at the last closes that traded, write it down, return equity."""
    gross = net = 0.0
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if book.row >= 0 and (tape.fillable[book.row] or np.isnan(book.mark)):
            book.mark = tape.close[book.row]
        if book.quantity != 0:
            gross += abs(book.quantity) * book.mark
            net += book.quantity * book.mark
    point = log.equity[log.counts[0].equity]
    log.counts[0].equity += 1
    point.time, point.cash, point.gross, point.net = now, state.cash[0], gross, net
    point.equity = state.cash[0] + net
    return float(point.equity)


@compiled
def decide(tape: Tape, rules: Rules, state: State, log: Log, equity: float) -> None:
    """Turn changed targets into wanted positions, within the limits."""
    kept = added = 0.0
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        committed = state.wanted[book.newest] if book.newest >= 0 else book.quantity
        state.added[symbol] = 0.0
        if book.row < 0 or not is_decision(tape, book):
            kept += abs(committed) * book.mark if committed != 0 else 0.0
            continue
        book.target = tape.target[book.row]
        wanted = allowed_target(rules, log, book, equity, tape.close[book.row]) * equity / tape.close[book.row]
        state.wanted[book.row] = wanted
        book.newest = book.row
        old = min(abs(wanted), abs(committed)) if wanted * committed > 0 else 0.0
        state.added[symbol] = abs(wanted) - old
        kept += old * tape.close[book.row]
        added += state.added[symbol] * tape.close[book.row]
    room = rules.max_gross * equity - kept
    room = room if room > DUST * equity else 0.0
    if added > room + DUST * equity:
        shrink(state, log, room / added)


@compiled
def allowed_target(rules: Rules, log: Log, book: np.record, equity: float, close: float) -> float:
    """Cut a target to what one position may be; what is cut is listed."""
    target = float(book.target)
    if rules.is_spot and target < 0:
        reject(log, book.row, SHORT_ON_SPOT, target * equity / close, target * equity / close, False)
        return 0.0
    if abs(target) > rules.max_position:
        allowed = math.copysign(rules.max_position, target)
        reject(log, book.row, POSITION_LIMIT, target * equity / close, (target - allowed) * equity / close, False)
        return allowed
    return target


@compiled
def shrink(state: State, log: Log, share: float) -> None:
    """Leave this bar's orders only a share of what they add."""
    for symbol in range(len(state.book)):
        if state.added[symbol] > 0:
            row = state.book[symbol].row
            wanted = state.wanted[row]
            dropped = np.sign(wanted) * state.added[symbol] * (1 - share)
            reject(log, row, GROSS_LIMIT, wanted, dropped, False)
            state.wanted[row] = wanted - dropped


@compiled
def fill(
    tape: Tape,
    rules: Rules,
    state: State,
    log: Log,
    symbol: int,
    quantity: float,
    reference: float,
    reason: int,
    at_open: bool,
) -> None:
    """Trade a signed quantity near a reference price: cash, position, and the trade it belongs to."""
    book = state.book[symbol]
    spread = slip = 0.0
    rate = rules.maker_fee
    if reason != TARGET:
        spread, slip = rules.half_spread * reference, slippage(tape, rules, state, symbol) * reference
        rate = rules.taker_fee
    size = abs(quantity)
    price = reference + np.sign(quantity) * (spread + slip)
    fee = max(rate * size * price, rules.minimum_fee)
    record = log.fills[log.counts[0].fills]
    log.counts[0].fills += 1
    record.row, record.reason, record.at_open = book.row, reason, at_open
    record.quantity, record.price, record.reference_price = quantity, price, reference
    record.fee, record.spread_cost, record.slippage_cost = fee, spread * size, slip * size
    state.cash[0] -= quantity * price + fee
    closing = min(size, abs(book.quantity)) if quantity * book.quantity < 0 else 0.0
    book.quantity += quantity
    if closing > 0:
        book.exited += closing
        book.exit_value += closing * price
        book.fees += fee * (closing / size)
        if book.quantity == 0 or closing < size:
            write_trade(book, log, book.row, reason, at_open)
    if closing < size:
        if book.entered == 0:
            book.entry_row = book.row
            book.side = 1 if quantity > 0 else -1
        book.entered += size - closing
        book.entry_value += (size - closing) * price
        book.fees += fee * (1 - closing / size)
    if book.quantity == 0:
        book.stop = book.take_profit = np.nan


@compiled
def slippage(tape: Tape, rules: Rules, state: State, symbol: int) -> float:
    """Slippage as a fraction: the fixed part, and the part that grows with the volatility before the fill's bar."""
    if rules.volatility_slippage == 0:
        return rules.slippage
    row = state.book[symbol].row - 1
    total, count = 0.0, 0
    while row > tape.first[symbol] and count < VOLATILITY_BARS:
        if tape.follows[row]:
            total += np.log(tape.close[row] / tape.close[row - 1]) ** 2
            count += 1
        row -= 1
    return rules.slippage + rules.volatility_slippage * (np.sqrt(total / count) if count else 0.0)


@compiled
def write_trade(book: np.record, log: Log, row: int, reason: int, at_open: bool) -> None:
    """Write down a trade, ended by the fill just made (or still open where the reason is -1), and start afresh."""
    trade = log.trades[log.counts[0].trades]
    log.counts[0].trades += 1
    trade.entry_row, trade.exit_row, trade.side = book.entry_row, row, book.side
    trade.reason, trade.at_open, trade.is_open = reason, at_open, reason < 0
    trade.quantity, trade.entry_value = book.entered, book.entry_value
    trade.exited, trade.exit_value = book.exited, book.exit_value
    trade.fees, trade.funding = book.fees, book.funding
    held = book.quantity * book.mark if reason < 0 else 0.0
    trade.profit = book.side * (book.exit_value - book.entry_value) + held - book.fees - book.funding
    book.entered = book.entry_value = book.exited = book.exit_value = book.fees = book.funding = 0.0


@compiled
def reject(log: Log, row: int, reason: int, wanted: float, dropped: float, at_open: bool) -> None:
    """Write down what was wanted and will not be had."""
    record = log.rejected[log.counts[0].rejected]
    log.counts[0].rejected += 1
    record.row, record.reason, record.at_open = row, reason, at_open
    record.wanted, record.dropped = wanted, dropped
