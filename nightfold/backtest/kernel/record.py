"""What the kernel reads, remembers and writes: records, and the tuples of arrays that hold them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


def _codes(start: int, stop: int) -> Iterator[int]:
    """Count in numbers of numpy: numba compiles a function anew for each plain one that it is called with."""
    return iter(np.arange(start, stop))


# Codes of fills, rejections and rules, which `result` spells out; of how a fill met its counterpart; moments of a bar.
STILL_OPEN, ORDER, STOP, TARGET, LIQUIDATION, LIMIT = _codes(-1, 5)
SHORT_ON_SPOT, POSITION_LIMIT, GROSS_LIMIT, CASH, NET_LIMIT, CORRELATED_LIMIT, SMALL_ORDER = _codes(0, 7)
POSITION_RULE, GROSS_RULE, NET_RULE, CORRELATED_RULE, DRAWDOWN_RULE, DAILY_LOSS_RULE = _codes(0, 6)
NO_COUNTERPART, MARKET, TAKEN, MAKER = _codes(-1, 3)
AT_OPEN, LATE, WITHIN = _codes(0, 3)

DUST = 1e-12
VOLATILITY_BARS = 100
NEVER = np.iinfo(np.int64).max
DAY_MS = 86_400_000

BLOCK = 16
"""Rows whose lows and highs are summed up, to be looked at one by one only where it matters."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def _record(floats: str, integers: str) -> np.dtype:
    return np.dtype([*((name, "f8") for name in floats.split()), *((name, "i8") for name in integers.split())])


RULES = _record(
    "taker_fee maker_fee minimum_fee half_spread slippage volatility_slippage impact participation maintenance_margin "
    "rebalance_band max_position max_gross max_net max_correlated max_drawdown max_daily_loss",
    "is_spot latency latency_ms correlation_bars cooldown has_brackets has_limits has_funding interval",
)
"""Costs as fractions, delays, and limits, which are infinite where there is none; the interval is in milliseconds."""

ACCOUNT = _record(
    "cash worth before peak day_start",
    "cooldown day day_over points fills trades rejected triggers payments",
)
"""Cash; what breakers remember; and how many records there are."""

BOOK = _record(
    "open high low close volume target_here stop_here take_profit_here limit_here funding_before funding_at_close "
    "volatility tick step minimum_order "
    "quantity mark stop take_profit target aim used entered entry_value exited exit_value fees funding "
    "change reference base added sought",
    "time fillable next row sent head tail due fresh late changed stop_only leaving entry_row side liquidity "
    "decision place",
)
"""A symbol: its bar, with what is decided there; its market's steps; its position and orders; and scratch space."""

QUEUED = _record("wanted limit stop take_profit", "row time after keeps begun")
FILL = _record("quantity price reference_price fee spread_cost slippage_cost", "row reason at_open")
TRADE = _record(
    "quantity entry_value exited exit_value fees funding profit", "entry_row exit_row side reason at_open is_open"
)
REJECTED = _record("wanted dropped", "row reason at_open")
TRIGGER = _record("figure limit", "time rule symbol")
PAYMENT = _record("quantity price rate", "row at_open")


class Tape(NamedTuple):
    """Bars and what belongs to them, one element a row; ``first[s]`` is the first row of symbol s, then the end.

    ``mark`` is the last close that traded; ``interval`` is in milliseconds. ``decisions`` are the rows whose target is
    not that of the row before; ``floor`` and ``ceiling`` are the lowest low and the highest high of each block of rows,
    infinite where one of them has funding.
    """

    first: Integers
    time: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    mark: Floats
    fillable: Flags
    follows: Flags
    target: Floats
    decisions: Integers
    stop: Floats
    take_profit: Floats
    limit: Floats
    funding_before: Floats
    funding_at_close: Floats
    has_funding: Flags
    floor: Floats
    ceiling: Floats
    interval: int
    has_brackets: bool
    has_limits: bool


class State(NamedTuple):
    """What is known on the way: one account, a book a symbol, and the orders not yet done.

    Each symbol has an equal part of ``orders``, whose places are taken in turn: few are under way at the same time.
    """

    account: np.recarray
    book: np.recarray
    orders: np.recarray


class Log(NamedTuple):
    """Everything that happened; tables of one row keep only the last record."""

    fills: np.recarray
    trades: np.recarray
    rejected: np.recarray
    triggers: np.recarray
    payments: np.recarray


class Marks(NamedTuple):
    """What the account was worth at each close; where ``full`` is off, only the equity."""

    full: bool
    equity: Floats
    cash: Floats
    gross: Floats
    net: Floats
