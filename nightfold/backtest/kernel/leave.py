"""Ways out of a position within a bar: stops, liquidation, targets."""

import numpy as np

from nightfold.backtest.kernel.compiled import compiled, inlined
from nightfold.backtest.kernel.fill import fill, slice_of
from nightfold.backtest.kernel.order import is_through, meets_stop
from nightfold.backtest.kernel.record import AT_OPEN, LATE, LIQUIDATION, MAKER, MARKET, STOP, TARGET, WITHIN, Log, State


@compiled
def leave(rules: np.record, state: State, log: Log, symbol: int, price: float, reason: int, moment: int) -> None:
    """Close a position, or what the volume takes of it, and give up what was left of its entry.

    The rest of a stop goes at the next opens, that of a target waits at its limit; liquidation takes all.
    """
    book = state.book[symbol]
    size = abs(book.quantity)
    if reason != LIQUIDATION:
        size = slice_of(rules, book, size)
    book.due = -1
    book.leaving = reason == STOP
    if size > 0:
        liquidity = MAKER if reason == TARGET else MARKET
        quantity = -np.sign(book.quantity) * size
        fill(rules, state, log, symbol, quantity, price, reason, liquidity, moment)


@inlined
def leave_at_open(rules: np.record, state: State, log: Log) -> None:
    """Close positions whose bar opens beyond their stop or target, and what a stop could not sell before.

    A stop fills at the open. A target fills at its limit, never better; but one that the entry itself opened
    beyond was never waiting there, so the entry leaves at that open.
    """
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if not exposed(book):
            continue
        side, price = np.sign(book.quantity), book.open
        if book.leaving or side * price <= side * book.stop:
            leave(rules, state, log, symbol, price, STOP, AT_OPEN)
        elif not book.stop_only and is_through(side, price, book.take_profit, book.tick):
            limit = price if book.changed else book.take_profit
            leave(rules, state, log, symbol, limit, TARGET, AT_OPEN)


@inlined
def leave_late(rules: np.record, state: State, log: Log) -> None:
    """Close what entered late within the bar at a price beyond its own stop, at that price."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if book.late and book.change != 0 and exposed(book):
            side, price = np.sign(book.quantity), book.reference
            if side * price <= side * book.stop:
                leave(rules, state, log, symbol, price, STOP, LATE)


@inlined
def is_in_danger(rules: np.record, state: State) -> bool:
    """Whether a stop is met or the margin used up on the way to the adverse extremes."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if exposed(book) and not book.leaving and meets_stop(book):
            return True
    return not rules.is_spot and liquidation_point(rules, state) <= 1


@compiled
def leave_at_stops(rules: np.record, state: State, log: Log) -> None:
    """Walk from all opens to all adverse extremes: stops in the order they are met, until the margin is used up."""
    walked = 0.0
    while True:
        nearest, symbol = nearest_stop(state)
        margin = 2.0 if rules.is_spot else max(liquidation_point(rules, state), walked)
        if symbol < 0 and margin > 1:
            break
        if nearest <= margin:
            leave(rules, state, log, symbol, state.book[symbol].stop, STOP, WITHIN)
            walked = nearest
        else:
            liquidate(rules, state, log, margin)
            break


@inlined
def nearest_stop(state: State) -> tuple[float, int]:
    """Share of the way to the adverse extremes at which the first stop is met, and whose; 2 and -1 for none."""
    nearest, owner = 2.0, -1
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if exposed(book) and not book.leaving and meets_stop(book):
            start, end = book.open, adverse_extreme(book)
            way = (start - book.stop) / (start - end) if start != end else 0.0
            if way < nearest:
                nearest, owner = way, symbol
    return nearest, owner


@inlined
def liquidation_point(rules: np.record, state: State) -> float:
    """Share of the way to the adverse extremes at which equity meets the maintenance margin; 2 for never."""
    start = end = state.account[0].cash
    reachable = False
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        weight = book.quantity - rules.maintenance_margin * abs(book.quantity)
        if exposed(book):
            reachable = True
            start += weight * book.open
            end += weight * adverse_extreme(book)
        elif book.quantity != 0:
            start += weight * book.mark
            end += weight * book.mark
    if not reachable or (start > 0 and end > 0):
        return 2.0
    return start / (start - end) if start > 0 else 0.0


@compiled
def liquidate(rules: np.record, state: State, log: Log, way: float) -> None:
    """Close whatever can be closed at its price that share of the way to the adverse extreme."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if exposed(book):
            start = book.open
            price = start + way * (adverse_extreme(book) - start)
            leave(rules, state, log, symbol, price, LIQUIDATION, AT_OPEN if way == 0 else WITHIN)


@inlined
def leave_at_targets(rules: np.record, state: State, log: Log) -> None:
    """Close positions whose target was traded through, but for those that only entered within the bar."""
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        if exposed(book) and not book.stop_only and not book.leaving and meets_target(book):
            leave(rules, state, log, symbol, book.take_profit, TARGET, WITHIN)


@inlined
def meets_target(book: np.record) -> bool:
    """Whether the bar trades through the target."""
    side = np.sign(book.quantity)
    best = book.high if side > 0 else book.low
    return is_through(side, best, book.take_profit, book.tick)


@inlined
def exposed(book: np.record) -> bool:
    """Whether there is a position and a bar that can fill."""
    return bool(book.quantity != 0 and book.row >= 0 and book.fillable)


@inlined
def adverse_extreme(book: np.record) -> float:
    """Worst price of the bar for the position."""
    return float(book.low if book.quantity > 0 else book.high)
