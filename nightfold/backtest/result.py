"""What a simulated account did, as tables, down to each fill."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.kernel.record import Integers, Marks, Tape
from nightfold.backtest.risk.catalog import RISK_RULES
from nightfold.schema import TIME

REASONS = ("order", "stop", "target", "liquidation", "limit")
CAUSES = (
    *("no short on spot", "max_position", "max_gross", "short of cash"),
    *("max_net", "correlated_exposure", "minimum_order"),
)
RULES = tuple(RISK_RULES)


@dataclass(frozen=True, slots=True)
class Backtest:
    """A simulated run; amounts are in quote currency, quantities in units of the symbol.

    Attributes
    ----------
    capital
        Equity at the start.
    equity
        One row a bar time, at the close: ``close_time``, ``equity``, ``cash``, ``gross_exposure`` (sum of absolute
        positions at the last closes that traded) and ``net_exposure``; ``equity = cash + net_exposure``.
    fills
        In order: ``symbol``, ``time`` (the open, or for what is met within the bar its close), ``open_time`` of the
        bar, ``reason`` (order, limit, stop, target, liquidation), signed ``quantity``, ``price``,
        ``reference_price`` (before spread, slippage and rounding to the tick), ``fee``, ``spread_cost``,
        ``slippage_cost`` (with the rounding).
    trades
        Flat to flat, by entry: ``symbol``, ``side`` (1, -1), ``entry_time``, ``exit_time`` (null while open),
        ``quantity`` entered, mean ``entry_price`` and ``exit_price`` (null where nothing was sold), ``fees``,
        ``funding`` paid, ``profit`` net of both, ``return_`` (profit by value entered), ``bars`` (rows from entry
        to exit), ``is_open``, ``exit_reason``.
    rejected
        What was wanted and not had: ``symbol``, ``time``, ``open_time``, ``reason``, the ``wanted`` position and
        the part of it that was ``dropped``.
    triggers
        Every time a rule of risk stepped in: ``time`` of the close, ``rule``, ``symbol`` (null: the whole account),
        the ``figure`` it looks at and its ``limit``, both fractions of equity.
    open_orders
        Decided, but not done before the end: ``symbol``, ``open_time`` of the decision, ``wanted`` position.
    funding
        Payments: ``symbol``, ``time``, ``open_time`` of the bar that books it (the one behind, for stamps in a
        hole), position ``quantity``, mark ``price``, ``rate``, ``amount`` paid.
    is_ruined
        Whether equity was used up; the run ended there.
    """

    capital: float
    equity: pl.DataFrame
    fills: pl.DataFrame
    trades: pl.DataFrame
    rejected: pl.DataFrame
    open_orders: pl.DataFrame
    funding: pl.DataFrame
    is_ruined: bool
    triggers: pl.DataFrame


def daily_returns(backtest: Backtest) -> pl.DataFrame:
    """Measure simple returns of equity from UTC day to UTC day.

    The day of a bar is the UTC day of its close, where 00:00 still belongs to the day before. Days in a hole, like
    flat ones, return 0; the first day counts from the capital, and a partial last day counts.

    Returns
    -------
    DataFrame
        ``day`` (Date) and ``daily_return``, one row for each day from the first to the last.
    """
    last = (
        backtest.equity.group_by(day=(pl.col("close_time") - pl.duration(milliseconds=1)).dt.date())
        .agg(pl.col("equity").last())
        .sort("day")
    )
    return (
        last.upsample("day", every="1d")
        .select("day", pl.col("equity").forward_fill())
        .select("day", daily_return=pl.col("equity") / pl.col("equity").shift(fill_value=backtest.capital) - 1)
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """Symbol, open time and interval behind the row numbers of the kernel's records."""

    names: Sequence[str]
    first: Integers
    time: Integers
    interval: int

    def symbols(self, rows: Integers) -> pl.Series:
        """Symbol of each row."""
        return named(np.searchsorted(self.first, rows, side="right") - 1, self.names)

    def opens(self, rows: Integers) -> pl.Series:
        """Open time of each row."""
        return pl.Series(self.time[rows]).cast(TIME)

    def times(self, rows: Integers, at_open: Integers) -> pl.Series:
        """When something happened: at the bar's open, or else known at its close."""
        return pl.Series(self.time[rows] + (1 - at_open) * self.interval).cast(TIME)


def named(codes: Integers, names: Sequence[str]) -> pl.Series:
    """Spell out codes; -1 becomes null."""
    return pl.Series([None, *names], dtype=pl.String)[codes + 1]


def frame(columns: Mapping[str, pl.Series | npt.NDArray[Any]]) -> pl.DataFrame:
    """Make a frame of series and of strided views of records."""
    return pl.DataFrame(
        [
            values.rename(name) if isinstance(values, pl.Series) else pl.Series(name, np.ascontiguousarray(values))
            for name, values in columns.items()
        ]
    )


def table(
    make: Callable[[npt.NDArray[np.void], Rows], pl.DataFrame], records: npt.NDArray[np.void], rows: Rows
) -> pl.DataFrame:
    """Make a table of records; there is one empty table of each kind."""
    return make(records, rows) if len(records) else _empty(make, records.dtype)


@cache
def _empty(make: Callable[[npt.NDArray[np.void], Rows], pl.DataFrame], kind: np.dtype[np.void]) -> pl.DataFrame:
    nowhere = np.zeros(0, dtype=np.int64)
    return make(np.zeros(0, kind), Rows((), nowhere, nowhere, 0))


def equity_frame(tape: Tape, marks: Marks, points: int) -> pl.DataFrame:
    """Account value at each close."""
    times = tape.time if len(tape.first) == 2 else np.unique(tape.time)
    return frame(
        {
            "close_time": pl.Series(times[:points] + tape.interval).cast(TIME),
            "equity": marks.equity[:points],
            "cash": marks.cash[:points],
            "gross_exposure": marks.gross[:points],
            "net_exposure": marks.net[:points],
        }
    )


def fills_frame(fills: npt.NDArray[np.void], rows: Rows) -> pl.DataFrame:
    """Every fill, in order."""
    where = fills["row"]
    numbers = ("quantity", "price", "reference_price", "fee", "spread_cost", "slippage_cost")
    return frame(
        {
            "symbol": rows.symbols(where),
            "time": rows.times(where, fills["at_open"]),
            "open_time": rows.opens(where),
            "reason": named(fills["reason"], REASONS),
            **{name: fills[name] for name in numbers},
        }
    )


def trades_frame(trades: npt.NDArray[np.void], rows: Rows) -> pl.DataFrame:
    """Every trade, by entry."""
    entry, leave = trades["entry_row"], trades["exit_row"]
    is_open = trades["is_open"].astype(np.bool_)
    is_whole = trades["exited"] == 0
    made = frame(
        {
            "symbol": rows.symbols(entry),
            "side": trades["side"].astype(np.int8),
            "entry_time": rows.opens(entry),
            "exit_time": rows.times(leave, trades["at_open"]).set(pl.Series(is_open), None),
            "quantity": trades["quantity"],
            "entry_price": trades["entry_value"] / trades["quantity"],
            "exit_price": pl.Series(trades["exit_value"] / (trades["exited"] + is_whole)).set(
                pl.Series(is_whole), None
            ),
            "fees": trades["fees"],
            "funding": trades["funding"],
            "profit": trades["profit"],
            "return_": trades["profit"] / trades["entry_value"],
            "bars": leave - entry,
            "is_open": is_open,
            "exit_reason": named(trades["reason"], REASONS),
        }
    )
    return made.sort("entry_time", "symbol", maintain_order=True) if len(rows.names) > 1 else made


def rejected_frame(rejected: npt.NDArray[np.void], rows: Rows) -> pl.DataFrame:
    """Whatever was wanted and not had."""
    where = rejected["row"]
    return frame(
        {
            "symbol": rows.symbols(where),
            "time": rows.times(where, rejected["at_open"]),
            "open_time": rows.opens(where),
            "reason": named(rejected["reason"], CAUSES),
            "wanted": rejected["wanted"],
            "dropped": rejected["dropped"],
        }
    )


def triggers_frame(triggers: npt.NDArray[np.void], rows: Rows) -> pl.DataFrame:
    """Every time a rule stepped in."""
    return frame(
        {
            "time": pl.Series(triggers["time"] + rows.interval).cast(TIME),
            "rule": named(triggers["rule"], RULES),
            "symbol": named(triggers["symbol"], rows.names),
            "figure": triggers["figure"],
            "limit": triggers["limit"],
        }
    )


def orders_frame(orders: npt.NDArray[np.void], rows: Rows) -> pl.DataFrame:
    """Orders that were not done when the run ended."""
    where = orders["row"]
    return frame({"symbol": rows.symbols(where), "open_time": rows.opens(where), "wanted": orders["wanted"]})


def payments_frame(payments: npt.NDArray[np.void], rows: Rows) -> pl.DataFrame:
    """Funding paid (received where the amount is negative)."""
    where = payments["row"]
    return frame(
        {
            "symbol": rows.symbols(where),
            "time": rows.times(where, payments["at_open"]),
            "open_time": rows.opens(where),
            "quantity": payments["quantity"],
            "price": payments["price"],
            "rate": payments["rate"],
            "amount": payments["quantity"] * payments["price"] * payments["rate"],
        }
    )
