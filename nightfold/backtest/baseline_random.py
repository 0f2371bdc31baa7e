"""What luck alone would have made of the same trades: random traders, who differ from the strategy in their timing."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import Backtest
from nightfold.errors import ConfigError
from nightfold.schema import KEY

TRADERS = 200

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entries:
    """Trades to be placed in one symbol: how long each is held, in bars, and which signed fraction of equity."""

    bars: Places
    target: Floats


def percentile(value: float, of: npt.ArrayLike) -> float | None:
    """Share of some values that one is above, those equal to it counted half; None where there are none.

    Examples
    --------
    >>> percentile(2.0, [1.0, 2.0, 3.0, 4.0])
    0.375
    """
    values = np.asarray(of, dtype=np.float64)
    return float((values < value).mean() + (values == value).mean() / 2) if values.size else None


def random_returns(
    bars: pl.DataFrame,
    strategy: Backtest,
    costs: Costs,
    limits: RiskLimits,
    funding: pl.DataFrame | None = None,
    *,
    traders: int = TRADERS,
    seed: int = 0,
) -> Floats:
    """Total returns of traders who made the strategy's trades at random times.

    Each trades every symbol as often as the strategy, on the same sides, for the same numbers of bars and with the same
    fractions of equity, in random order and with entries drawn from all of its bars: every placement is equally likely.
    Costs, limits and account are the same; of stops and take-profits only the holding time they led to remains.

    Parameters
    ----------
    bars
        As given to `nightfold.backtest.engine.simulate`.
    strategy
        The simulated run on them; its capital is theirs, and trades open at the end count with the bars they were held.
    costs, limits, funding
        As in the strategy's run.
    traders
        How many; each has a seed of its own, drawn from ``seed``.

    Returns
    -------
    ndarray
        One total return a trader, -1 for one who lost all; empty where the strategy never traded.

    Raises
    ------
    ConfigError
        If ``traders`` is under 1.

    Notes
    -----
    The strategy's place is ``percentile(total_return, random_returns(...))``; near .5 the timing was worth nothing.
    """
    from nightfold.backtest.batch import simulate_many  # loads numba, which specs must not

    if traders < 1:
        raise ConfigError(f"`traders` is {traders}; it must be 1 or more.")
    if strategy.trades.is_empty():
        return np.empty(0)
    symbols = bars.sort(KEY)["symbol"].cast(pl.String)
    wanted = random_targets(symbols, entries_of(strategy, limits), costs.latency_bars, traders, seed)
    done = simulate_many(bars, wanted, costs, limits, strategy.capital, funding)
    return np.maximum(done.equity / strategy.capital, 0.0) - 1.0


def entries_of(strategy: Backtest, limits: RiskLimits) -> dict[str, Entries]:
    """Read from a run how long and how large its trades were, by symbol; one left within its first bar counts as one.

    The size is the value entered over equity at the last close before; what costs and a gap at the open made of a full
    position is cut back to the limit.
    """
    worth = strategy.equity.select("close_time", "equity")
    trades = strategy.trades.sort("entry_time").join_asof(worth, left_on="entry_time", right_on="close_time")
    size = (pl.col("quantity") * pl.col("entry_price") / pl.col("equity")).clip(upper_bound=limits.max_position)
    sized = trades.select("symbol", pl.col("bars").clip(lower_bound=1), target=pl.col("side") * size).sort("symbol")
    return {
        str(symbol): Entries(part["bars"].to_numpy(), part["target"].to_numpy())
        for (symbol,), part in sized.partition_by("symbol", as_dict=True, maintain_order=True).items()
    }


def random_targets(
    symbols: pl.Series, entries: dict[str, Entries], latency: int, traders: int, seed: int
) -> Iterator[Floats]:
    """Place every symbol's trades at random, once a trader; nothing of prices is looked at.

    Parameters
    ----------
    symbols
        Symbol of each bar, symbols one after another, each by time.
    entries
        What is to be placed, by symbol.
    latency
        Further bars that a fill takes; the last exit still fills.
    traders, seed
        How many, and of what their own seeds are made.

    Yields
    ------
    ndarray
        Target decided at each bar; NaN for no decision.
    """
    places = np.flatnonzero(np.diff(symbols.rle_id().to_numpy(), prepend=-1))
    ranges = [(symbols[int(first)], first, last) for first, last in pairwise([*places, len(symbols)])]
    for child in np.random.SeedSequence(seed).spawn(traders):
        rng = np.random.default_rng(child)
        target = np.full(len(symbols), np.nan)
        for symbol, first, last in ranges:
            if symbol in entries:
                _place(entries[symbol], target[first : last - 1 - latency], rng)
        yield target


def _place(entries: Entries, target: Floats, rng: np.random.Generator) -> None:
    """Lay trades one after another in random order, with random gaps between.

    A flat bar parts two trades, unless the strategy was in the market too long for that. All ways to deal the free bars
    to the gaps are equally likely.
    """
    order = rng.permutation(len(entries.bars))
    lengths, sides = entries.bars[order], entries.target[order]
    apart = int(lengths.sum()) + len(order) <= len(target)
    blocks = lengths + apart
    free = max(len(target) - int(blocks.sum()), 0)
    gaps = np.sort(rng.choice(free + len(order), len(order), replace=False)) - np.arange(len(order))
    entry = gaps + np.cumsum(blocks) - blocks
    leave = entry + lengths
    target[leave[leave < len(target)]] = 0.0
    target[entry[entry < len(target)]] = sides[entry < len(target)]
