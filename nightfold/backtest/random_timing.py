"""When random traders make a strategy's trades: at other times, and what was held together still is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.schema import KEY, TIME

MOST = 0.99
"""Part of the range from whose first bar to whose last a symbol is moved with the others."""
LONG, MANY = 0.1, 10
"""Part of the range and number of trades from which on a block has too few places to go to, and enough to be cut."""

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Group:
    """Trades that are moved together, over the moments at which orders of any of their symbols can fill.

    Attributes
    ----------
    decides
        Row that decides what fills at each moment, one row a symbol; the number of all rows where nothing fills any
        more, as at the moment after the last.
    symbol, entry, bars, target
        Of each trade, by entry: number of its symbol, its first moment, moments held, signed fraction of equity.
    block
        Number of the block that each trade belongs to.
    first, length
        First moment and moments of each block.
    turns
        Whether they are turned instead of dealt.
    """

    decides: Places
    symbol: Places
    entry: Places
    bars: Places
    target: Floats
    block: Places
    first: Places
    length: Places
    turns: bool


def random_targets(bars: pl.DataFrame, trades: pl.DataFrame, latency: int, traders: int, seed: int) -> Iterator[Floats]:
    """Place trades at random, once a trader; nothing of prices is looked at.

    Trades held at the same time are one block, whose inside stays as it was: a limit on all symbols together meets a
    random trader as it met the strategy. Blocks are laid one after another in random order with random gaps; of one
    symbol each trade is a block. Ten trades or more that make a block of over a tenth of the range, or blocks without
    a flat bar to part them, would stay nearly where they were, or become one where two of a symbol meet. They are
    turned around the range by a random time instead: what would end behind it goes on at its beginning, which costs an
    entry more, and what ended on its last bar is held to the end.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``; any order.
    trades
        ``symbol``, ``entry_time``, ``bars`` held (rows of the symbol; under 1 counts as 1) and ``target``.
    latency
        Further bars that a fill takes; the last exit still fills.
    traders, seed
        How many, and of what their own seeds are made.

    Yields
    ------
    ndarray
        Target decided at each bar, by symbol and time; NaN for no decision.

    Notes
    -----
    Time is counted in moments at which any of the symbols has a bar. What should fill where its symbol has none fills
    at its next one, entries as well as exits, so that holes shorten as many trades as they lengthen. A symbol whose
    bars begin late or end early is placed on its own.
    """
    groups = _groups(bars, trades, latency)
    for child in np.random.SeedSequence(seed).spawn(traders):
        rng = np.random.default_rng(child)
        target = np.full(bars.height + 1, np.nan)
        for group in groups:
            _write(group, _turned(group, rng) if group.turns else _dealt(group, rng), target)
        yield target[:-1]


def _groups(bars: pl.DataFrame, trades: pl.DataFrame, latency: int) -> list[Group]:
    """Divide trades into those moved together: of all symbols that have bars nearly throughout, and of each other."""
    rows = bars.select(pl.col("symbol").cast(pl.String), pl.col("open_time").cast(TIME).to_physical()).sort(KEY)
    traded = rows.with_row_index("row").filter(pl.col("symbol").is_in(trades["symbol"].unique().to_list()))
    times = {
        str(symbol): (int(part["row"][0]), part["open_time"].to_numpy())
        for (symbol,), part in traded.partition_by("symbol", as_dict=True, maintain_order=True).items()
    }
    every = traded["open_time"].unique().sort().to_numpy()
    spans = {symbol: np.searchsorted(every, time[[0, -1]]) for symbol, (_, time) in times.items()}
    most = [symbol for symbol, (first, last) in spans.items() if last + 1 - first >= MOST * len(every)]
    parts = [most, *([symbol] for symbol in times if symbol not in most)]
    return [_group({symbol: times[symbol] for symbol in part}, trades, latency, bars.height) for part in parts if part]


def _group(times: Mapping[str, tuple[int, Places]], trades: pl.DataFrame, latency: int, none: int) -> Group:
    """Lay out the trades of some symbols, of which the first row and the times of all rows are given."""
    moments = np.unique(np.concatenate([time for _, time in times.values()]))[1 + latency :]
    decides = np.full((len(times), len(moments) + 1), none)
    found = []
    for number, (symbol, (first, time)) in enumerate(times.items()):
        fills = np.maximum(np.searchsorted(time, moments), 1 + latency)
        decides[number, :-1] = np.where(fills < len(time), first + fills - 1 - latency, none)
        own = trades.filter(pl.col("symbol") == symbol)
        enters = np.searchsorted(time, own["entry_time"].to_physical().to_numpy())
        leaves = np.minimum(enters + own["bars"].to_numpy(), len(time) - 1)
        entry, leave = np.searchsorted(moments, time[enters]), np.searchsorted(moments, time[leaves])
        found.append((np.full(len(entry), number), entry, np.maximum(leave - entry, 1), own["target"].to_numpy()))
    numbers, entry, held, target = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(entry, kind="stable")
    return _blocks(decides, numbers[order], entry[order], held[order], target[order])


def _blocks(decides: Places, symbol: Places, entry: Places, bars: Places, target: Floats) -> Group:
    """Join trades that overlap; one that begins where all before it have ended begins a block."""
    over = np.maximum.accumulate(entry + bars)
    begins = np.concatenate(([True], entry[1:] >= over[:-1]))
    block, first = np.cumsum(begins) - 1, entry[begins]
    length = np.maximum.reduceat(entry + bars, np.flatnonzero(begins)) - first
    moments = decides.shape[1] - 1
    is_stuck = ((length > LONG * moments) & (np.bincount(block) >= MANY)).any()
    turns = bool(is_stuck or (len(entry) >= MANY and not _fit_apart(length, moments)))
    if turns:
        bars = np.where(entry + bars >= moments - 1, moments - entry, bars)
    return Group(decides, symbol, entry, bars, target, block, first, length, turns)


def _fit_apart(length: Places, moments: int) -> bool:
    """Whether a flat bar fits behind each block."""
    return int(length.sum()) + len(length) <= moments


def _dealt(group: Group, rng: np.random.Generator) -> Places:
    """Deal new entries: blocks one after another in random order, with random gaps between.

    A flat bar parts two blocks, unless the strategy was in the market too long for that. All ways to deal the free bars
    to the gaps are equally likely.
    """
    moments, count = group.decides.shape[1] - 1, len(group.length)
    order = rng.permutation(count)
    taken = group.length[order] + _fit_apart(group.length, moments)
    free = max(moments - int(taken.sum()), 0)
    gaps = np.sort(rng.choice(free + count, count, replace=False)) - np.arange(count)
    begin = np.empty(count, dtype=np.int64)
    begin[order] = gaps + np.cumsum(taken) - taken
    entry: Places = (begin - group.first)[group.block] + group.entry
    return entry


def _turned(group: Group, rng: np.random.Generator) -> Places:
    """Turn all entries around the range by the same random time."""
    moments = group.decides.shape[1] - 1
    entry: Places = (group.entry + rng.integers(moments)) % moments
    return entry


def _write(group: Group, entry: Places, target: Floats) -> None:
    """Write what is decided; the last element takes what has no row."""
    end, none = group.decides.shape[1] - 1, len(target) - 1
    leave, symbol, size = entry + group.bars, group.symbol, group.target
    if group.turns:
        past = np.flatnonzero(leave > end)
        entry, leave = np.append(entry, np.zeros_like(past)), np.append(leave, leave[past] - end)
        symbol, size = np.append(symbol, symbol[past]), np.append(size, size[past])
    begins = group.decides[symbol, np.minimum(entry, end)]
    ends = group.decides[symbol, np.minimum(leave, end)]
    target[ends] = 0.0
    target[np.where(begins < ends, begins, none)] = size
