"""Simulate many policies over the same bars, keeping what each was worth and nothing else."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import empty_log, empty_state, prepare, rules_of
from nightfold.backtest.kernel import record
from nightfold.backtest.kernel.record import DAY_MS, Floats, Marks, Tape
from nightfold.backtest.kernel.run import run
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.tape import frozen
from nightfold.errors import ConfigError, SchemaError


@dataclass(frozen=True, slots=True)
class Batch:
    """What each policy came to, one element a policy, in their order.

    Attributes
    ----------
    capital
        Equity at the start, in quote currency.
    equity
        At the end.
    drawdown
        Deepest fall of equity at a close from the peak before it, as a fraction (<= 0).
    trades
        Rows of `nightfold.backtest.result.Backtest.trades`: one open at the end counts.
    daily
        Equity at the end of each UTC day, one row a policy; a day in a hole repeats the one before, and so do the days
        after an account that was used up.
    days
        Day of each column.
    """

    capital: float
    equity: Floats
    drawdown: Floats
    trades: record.Integers
    daily: Floats
    days: pl.Series

    @property
    def daily_returns(self) -> Floats:
        """Simple returns of each day, one row a policy, as `nightfold.backtest.result.daily_returns` has them."""
        before = np.concatenate((np.full((len(self.daily), 1), self.capital), self.daily[:, :-1]), axis=1)
        returns: Floats = self.daily / before - 1
        return returns


def simulate_many(
    bars: pl.DataFrame,
    targets: Iterable[Floats],
    costs: Costs,
    limits: RiskLimits,
    capital: float = 10_000.0,
    funding: pl.DataFrame | None = None,
    threads: int = 1,
) -> Batch:
    """Trade many columns of targets, each in an account of its own.

    Each gives exactly what `nightfold.backtest.engine.simulate` gives for it. Bars are checked and laid out once; no
    tables are made, so that memory does not grow with the number of fills.

    Parameters
    ----------
    bars, costs, limits, capital, funding
        As for `simulate`.
    targets
        Arrays of signed fractions of equity, one element a bar in the order of symbol and time; NaN: no decision. They
        are asked for one at a time, so a generator keeps memory small. There are no brackets and no limit prices.
    threads
        Policies worked on at the same time; the result does not depend on it.

    Raises
    ------
    SchemaError
        If an array has another length than the bars, or holds an infinity; else as `simulate`.
    ConfigError
        If `threads` is under 1; else as `simulate`.
    """
    if threads < 1:
        raise ConfigError(f"`threads` is {threads}; it must be 1 or more.")
    tape, rows = prepare(bars, None, costs, limits, capital, funding)
    pool = _Pool(tape, rows.names, costs, limits, capital, targets)
    with ThreadPoolExecutor(threads) as executor:
        for worker in [executor.submit(pool.work) for _ in range(threads)]:
            worker.result()
    return pool.result()


class _Pool:
    """Hands targets out to workers and collects what comes of them."""

    def __init__(
        self,
        tape: Tape,
        symbols: Sequence[str],
        costs: Costs,
        limits: RiskLimits,
        capital: float,
        targets: Iterable[Floats],
    ) -> None:
        self._tape, self._symbols, self._costs, self._capital = tape, symbols, costs, capital
        self._rules = rules_of(costs, limits, tape)
        self._targets = enumerate(targets)
        self._lock = Lock()
        closes = (int(tape.time.min()) + tape.interval - 1, int(tape.time.max()) + tape.interval - 1)
        self._days = np.arange(closes[0] // DAY_MS, closes[1] // DAY_MS + 1)
        self._places: dict[int, record.Integers] = {}
        self._found: dict[int, tuple[np.record, Floats]] = {}

    def work(self) -> None:
        """Take one column after the other, until there are no more."""
        log, start = empty_log(1), empty_state(self._tape, self._costs, self._symbols, self._capital)
        state, one, days = (
            start._replace(account=start.account.copy(), book=start.book.copy()),
            np.empty(1),
            len(self._days),
        )
        while True:
            with self._lock:
                number, target = next(self._targets, (-1, one))
            if number < 0:
                return
            tape = self._tape._replace(target=self._checked(target, number))
            state.account[:], state.book[:] = start.account, start.book
            marks = Marks(False, one, one, one, one, np.empty(days), np.empty(days, dtype=np.int64))
            run(tape, self._rules, state, log, marks)
            done = state.account[0].copy()
            self._found[number] = done, self._every_day(marks, int(done["score_days"]))

    def result(self) -> Batch:
        """Everything that was found, in the order of the targets."""
        found = [self._found[number] for number in sorted(self._found)]
        account = np.array([done for done, _ in found], dtype=record.ACCOUNT)
        return Batch(
            self._capital,
            account["worth"],
            account["drawdown"],
            account["trades"],
            np.array([daily for _, daily in found]).reshape(-1, len(self._days)),
            pl.Series("day", self._days.astype(np.int32)).cast(pl.Date),
        )

    def _checked(self, target: Floats, number: int) -> Floats:
        target = np.asarray(target, dtype=np.float64)
        if target.shape != self._tape.time.shape or np.isinf(target).any():
            raise SchemaError(
                f"array {number} of `targets` has shape {target.shape}; it must have one finite number or NaN for each "
                f"of the {len(self._tape.time)} bars."
            )
        return frozen(target)

    def _every_day(self, marks: Marks, count: int) -> Floats:
        """Equity at the end of each calendar day; accounts that lived as long have marks on the same days."""
        if count not in self._places:
            self._places[count] = np.searchsorted(marks.day[:count], self._days, side="right") - 1
        return marks.daily[:count][self._places[count]]
