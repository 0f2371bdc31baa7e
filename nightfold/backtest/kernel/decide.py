"""Decisions: from targets at a close to wanted positions."""

import math

import numpy as np

from nightfold.backtest.kernel.compiled import inlined
from nightfold.backtest.kernel.limit import keep_within_limits
from nightfold.backtest.kernel.note import reject, trigger
from nightfold.backtest.kernel.order import committed, send
from nightfold.backtest.kernel.record import POSITION_LIMIT, POSITION_RULE, SHORT_ON_SPOT, WITHIN, Log, State, Tape


@inlined
def decide(tape: Tape, rules: np.record, state: State, log: Log, equity: float, halted: bool) -> None:
    """Turn changed targets into orders, within the limits; while halted every target is 0."""
    adds = False
    for symbol in range(len(state.book)):
        book = state.book[symbol]
        before = committed(state, symbol)
        book.added = 0.0
        book.base = before * book.mark if before != 0 else 0.0
        if book.row < 0:
            continue
        close = book.close
        decides = is_decision(book, halted)
        if decides:
            book.target = 0.0 if halted else book.target_here
            book.aim = allowed_target(rules, state, log, symbol, equity)
        elif not is_adrift(rules, book, before * close / equity):
            continue
        wanted = book.aim * equity / close
        send(state, symbol, wanted, book.limit_here if decides and not halted else np.nan, not decides)
        old = min(abs(wanted), abs(before)) if wanted * before > 0 else 0.0
        book.added = np.sign(wanted) * (abs(wanted) - old)
        book.base = np.sign(wanted) * old * close
        adds = adds or book.added != 0
    if adds:
        keep_within_limits(tape, rules, state, log, equity)


@inlined
def is_decision(book: np.record, halted: bool) -> bool:
    """Whether the bar decides on another target than the last."""
    target = 0.0 if halted else book.target_here
    return bool(not np.isnan(target) and target != book.target)


@inlined
def is_adrift(rules: np.record, book: np.record, held: float) -> bool:
    """Whether a position has drifted out of its band; one that was left stays left, and a rest still has its turn."""
    if rules.rebalance_band == np.inf or held == 0 or book.leaving or book.due >= 0:
        return False
    return bool(abs(held - book.aim) > rules.rebalance_band)


@inlined
def allowed_target(rules: np.record, state: State, log: Log, symbol: int, equity: float) -> float:
    """Cut a target to what one position may be; what is cut is listed."""
    book = state.book[symbol]
    target, close = float(book.target), book.close
    if rules.is_spot and target < 0:
        reject(state, log, book.row, SHORT_ON_SPOT, target * equity / close, target * equity / close, WITHIN)
        return 0.0
    if abs(target) > rules.max_position:
        allowed = math.copysign(rules.max_position, target)
        reject(
            state, log, book.row, POSITION_LIMIT, target * equity / close, (target - allowed) * equity / close, False
        )
        trigger(state, log, book.time, POSITION_RULE, symbol, abs(target), rules.max_position)
        return allowed
    return target
