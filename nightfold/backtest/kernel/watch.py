"""Breakers: rules that watch the equity at each close, and for a while let nothing be held."""

import numpy as np

from nightfold.backtest.kernel.compiled import inlined
from nightfold.backtest.kernel.note import trigger
from nightfold.backtest.kernel.record import DAILY_LOSS_RULE, DAY_MS, DRAWDOWN_RULE, Log, State


@inlined
def has_breakers(rules: np.record) -> bool:
    """Whether any breaker is set."""
    return bool(rules.max_drawdown < np.inf or rules.max_daily_loss < np.inf)


@inlined
def watch(rules: np.record, state: State, log: Log, now: int, equity: float) -> bool:
    """Whether every target counts as 0 at this close."""
    drawn = watch_drawdown(rules, state, log, now, equity)
    lost = watch_day(rules, state, log, now, equity)
    return drawn or lost


@inlined
def watch_drawdown(rules: np.record, state: State, log: Log, now: int, equity: float) -> bool:
    """Stop for some decisions where equity has fallen too far from its peak; then the peak starts anew."""
    account = state.account[0]
    if account.cooldown == 0:
        account.peak = max(account.peak, equity)
        if equity > account.peak * (1 - rules.max_drawdown):
            return False
        trigger(state, log, now, DRAWDOWN_RULE, -1, 1 - equity / account.peak, rules.max_drawdown)
        account.cooldown = rules.cooldown
    account.cooldown -= 1
    if account.cooldown == 0:
        account.peak = 0.0
    return True


@inlined
def watch_day(rules: np.record, state: State, log: Log, now: int, equity: float) -> bool:
    """Stop for the rest of the UTC day where equity has fallen too far since the close of the day before."""
    account = state.account[0]
    day = (now + rules.interval - 1) // DAY_MS
    if day != account.day:
        account.day, account.day_start, account.day_over = day, account.before, 0
    if not account.day_over and equity <= account.day_start * (1 - rules.max_daily_loss):
        trigger(state, log, now, DAILY_LOSS_RULE, -1, 1 - equity / account.day_start, rules.max_daily_loss)
        account.day_over = 1
    return bool(account.day_over)
