"""Limits that all symbols share: where one binds, what this bar's orders add shrinks in proportion.

``base`` of a book is what stays of its position in quote currency, ``added`` what its order adds in units, signed.
"""

import numpy as np

from nightfold.backtest.kernel.compiled import compiled, inlined
from nightfold.backtest.kernel.note import reject, trigger
from nightfold.backtest.kernel.record import (
    CORRELATED_LIMIT,
    CORRELATED_RULE,
    DUST,
    GROSS_LIMIT,
    GROSS_RULE,
    NET_LIMIT,
    NET_RULE,
    WITHIN,
    Log,
    State,
    Tape,
)

LEAST_SHARE = 1e-9


@inlined
def keep_within_limits(tape: Tape, rules: np.record, state: State, log: Log, equity: float) -> None:
    """Test the orders just decided against net, correlated and gross exposure, in this order."""
    if rules.max_net < np.inf:
        limit_net(rules, state, log, equity)
    if rules.max_correlated < np.inf:
        limit_correlated(tape, rules, state, log, equity)
    limit_gross(rules, state, log, equity)


@inlined
def limit_gross(rules: np.record, state: State, log: Log, equity: float) -> None:
    """Hold the sum of absolute positions."""
    kept = added = 0.0
    for symbol in range(len(state.book)):
        kept += abs(state.book[symbol].base)
        added += abs(added_value(state, symbol))
    room = max(rules.max_gross * equity - kept, 0.0)
    if added > room + DUST * equity:
        trigger(state, log, now_of(state), GROSS_RULE, -1, (kept + added) / equity, rules.max_gross)
        shrink(state, log, room / added, GROSS_LIMIT, 0.0)


@compiled
def limit_net(rules: np.record, state: State, log: Log, equity: float) -> None:
    """Hold the sum of signed positions: what adds to its side shrinks."""
    base = added = 0.0
    for symbol in range(len(state.book)):
        base += state.book[symbol].base
        added += added_value(state, symbol)
    side = np.sign(base + added)
    if side * (base + added) <= (rules.max_net + DUST) * equity:
        return
    adding = 0.0
    for symbol in range(len(state.book)):
        adding += max(side * added_value(state, symbol), 0.0)
    room = rules.max_net * equity - (side * (base + added) - adding)
    if adding > 0:
        trigger(state, log, now_of(state), NET_RULE, -1, side * (base + added) / equity, rules.max_net)
        shrink(state, log, max(room, 0.0) / adding, NET_LIMIT, side)


@compiled
def limit_correlated(tape: Tape, rules: np.record, state: State, log: Log, equity: float) -> None:
    """Hold the root of the sum of products of all pairs of positions and their correlation.

    As a function of the share of the orders it is the root of a parabola, whose three coefficients are summed here.
    """
    square = cross = constant = 0.0
    for one in range(len(state.book)):
        for two in range(one + 1):
            together = shared_movement(tape, rules, state, one, two) * (1.0 if one == two else 2.0)
            if together == 0:
                continue
            more, other = added_value(state, one), added_value(state, two)
            square += together * more * other
            cross += together * (more * state.book[two].base + other * state.book[one].base) / 2
            constant += together * state.book[one].base * state.book[two].base
    most = (rules.max_correlated * equity) ** 2
    whole = square + 2 * cross + constant
    if whole <= most * (1 + DUST) or whole <= constant * (1 + DUST):
        return
    trigger(state, log, now_of(state), CORRELATED_RULE, -1, np.sqrt(whole) / equity, rules.max_correlated)
    shrink(state, log, share_within(square, cross, constant - most), CORRELATED_LIMIT, 0.0)


@inlined
def share_within(square: float, cross: float, excess: float) -> float:
    """Largest share x of 1 with ``square x^2 + 2 cross x + excess <= 0``; 0 where there is none."""
    inside = cross * cross - square * excess
    if inside < 0 or (excess >= 0 and square <= 0):
        return 0.0
    if abs(square) <= DUST * abs(cross):
        return float(max(-excess / (2 * cross), 0.0))
    return float(min(max((np.sqrt(inside) - cross) / square, 0.0), 1.0))


@compiled
def shared_movement(tape: Tape, rules: np.record, state: State, one: int, two: int) -> float:
    """Correlation of two symbols; 0 where one has no position, and the worse sign of 1 while it is not known."""
    first = state.book[one].base + added_value(state, one)
    second = state.book[two].base + added_value(state, two)
    if (first == 0 and state.book[one].base == 0) or (second == 0 and state.book[two].base == 0):
        return 0.0
    if one == two:
        return 1.0
    known = correlation(tape, state, one, two, rules.correlation_bars)
    return float(known) if not np.isnan(known) else float(np.sign(first * second))


@compiled
def correlation(tape: Tape, state: State, one: int, two: int, bars: int) -> float:
    """Correlation of the last one-bar returns that two symbols have in common; NaN for fewer than asked for."""
    row, other = state.book[one].next - 1, state.book[two].next - 1
    x_sum = y_sum = xx = yy = xy = 0.0
    count = 0
    while row > tape.first[one] and other > tape.first[two] and count < bars:
        if tape.time[row] != tape.time[other]:
            if tape.time[row] > tape.time[other]:
                row -= 1
            else:
                other -= 1
            continue
        if tape.follows[row] and tape.follows[other]:
            x = tape.close[row] / tape.close[row - 1] - 1
            y = tape.close[other] / tape.close[other - 1] - 1
            x_sum, y_sum = x_sum + x, y_sum + y
            xx, yy, xy = xx + x * x, yy + y * y, xy + x * y
            count += 1
        row -= 1
        other -= 1
    varied = (count * xx - x_sum * x_sum) * (count * yy - y_sum * y_sum)
    if count < bars or varied <= 0:
        return np.nan
    return float((count * xy - x_sum * y_sum) / np.sqrt(varied))


@inlined
def added_value(state: State, symbol: int) -> float:
    """Value what an order adds, in quote currency."""
    book = state.book[symbol]
    return float(book.added * book.close) if book.added != 0 else 0.0


@inlined
def now_of(state: State) -> int:
    """Open time of the bar at whose close is decided."""
    for symbol in range(len(state.book)):
        if state.book[symbol].row >= 0:
            return int(state.book[symbol].time)
    return -1


@compiled
def shrink(state: State, log: Log, share: float, reason: int, side: float) -> None:
    """Leave this bar's orders, or those of one side, only a share of what they add; next to nothing is nothing."""
    share = share if share > LEAST_SHARE else 0.0
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        added = book.added
        if added == 0 or side * added < 0:
            continue
        order = state.orders[book.tail]
        dropped = added * (1 - share)
        reject(state, log, book.row, reason, order.wanted, dropped, WITHIN)
        book.aim *= 1 - dropped / order.wanted
        order.wanted -= dropped
        book.added = added - dropped
