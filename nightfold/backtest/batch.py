"""Simulate many policies over the same bars, keeping what each was worth and nothing else."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import empty_log, empty_state, prepare, rules_of
from nightfold.backtest.kernel.mark import deepest_fall
from nightfold.backtest.kernel.quiet import list_decisions
from nightfold.backtest.kernel.record import DAY_MS, Floats, Integers, Marks, Tape
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
    trades: Integers
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
        closing_days = (np.unique(tape.time) + tape.interval - 1) // DAY_MS
        self._days = np.arange(closing_days[0], closing_days[-1] + 1)
        self._last_points = np.searchsorted(closing_days, self._days, side="right") - 1
        self._found: dict[int, tuple[float, int, Floats]] = {}

    def work(self) -> None:
        """Take one column after the other, until there are no more."""
        log, start = empty_log(1), empty_state(self._tape, self._costs, self._symbols, self._capital)
        state = start._replace(account=start.account.copy(), book=start.book.copy())
        account, book = state.account.view(np.uint8), state.book.view(np.uint8)
        rows, one, equity = np.empty_like(self._tape.time), np.empty(1), np.empty(len(self._tape.time))
        while True:
            with self._lock:
                number, target = next(self._targets, (-1, one))
            if number < 0:
                return
            tape = self._with(target, number, rows)
            account[:], book[:] = start.account.view(np.uint8), start.book.view(np.uint8)
            run(tape, self._rules, state, log, Marks(False, equity, one, one, one))
            done = state.account[0]
            lived = equity[: done.points]
            daily = lived[np.minimum(self._last_points, len(lived) - 1)]
            self._found[number] = deepest_fall(lived, self._capital), int(done.trades), daily

    def result(self) -> Batch:
        """Everything that was found, in the order of the targets."""
        found = [self._found[number] for number in sorted(self._found)]
        daily = np.array([daily for _, _, daily in found]).reshape(-1, len(self._days))
        return Batch(
            self._capital,
            daily[:, -1],
            np.array([drawdown for drawdown, _, _ in found], dtype=np.float64),
            np.array([trades for _, trades, _ in found], dtype=np.int64),
            daily,
            pl.Series("day", self._days.astype(np.int32)).cast(pl.Date),
        )

    def _with(self, target: Floats, number: int, rows: Integers) -> Tape:
        """Lay a column of targets over the bars; the rows that decide are listed in the room given for them."""
        target = frozen(np.asarray(target, dtype=np.float64))
        count = list_decisions(target, rows) if target.shape == rows.shape else -1
        if count < 0:
            raise SchemaError(
                f"array {number} of `targets` has shape {target.shape}; it must have one finite number or NaN for each "
                f"of the {len(rows)} bars."
            )
        return self._tape._replace(target=target, decisions=frozen(rows[:count]))
