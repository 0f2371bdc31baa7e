"""What luck alone would have made of the same trades: random traders, who differ from the strategy in their timing."""

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.random_timing import random_targets
from nightfold.backtest.result import Backtest
from nightfold.errors import ConfigError

TRADERS = 200
SHARED = ("max_gross", "max_net", "correlated_exposure")
"""Limits on all symbols together."""
_SAME = 0.01
"""Quantities are the same within this part of them, which fees and steps make a difference of."""

Floats = npt.NDArray[np.float64]


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
    fractions of equity; what it held together is held together, at times that `random_targets` draws. Costs, limits and
    account are the same; of stops and take-profits only the holding time they led to remains.

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
    wanted = random_targets(bars, entries_of(strategy, limits), costs.latency_bars, traders, seed)
    done = simulate_many(bars, wanted, costs, limits, strategy.capital, funding)
    return np.maximum(done.equity / strategy.capital, 0.0) - 1.0


def entries_of(strategy: Backtest, limits: RiskLimits) -> pl.DataFrame:
    """Read from a run how long and how large its trades were.

    Returns
    -------
    DataFrame
        One row a trade, by entry: ``symbol``, ``entry_time``, ``bars`` held (one left within its first bar counts as
        one bar), ``entered`` (signed value over equity at the last close before) and ``target``: the same as it was
        wanted, before limits on all symbols together cut it; they cut a random trader's as well. What costs and a gap
        at the open made of a full position is cut back to the limit.
    """
    worth = strategy.equity.select("close_time", "equity")
    trades = strategy.trades.sort("entry_time", "symbol").join_asof(worth, left_on="entry_time", right_on="close_time")
    entered = pl.col("side") * pl.col("quantity") * pl.col("entry_price") / pl.col("equity")
    most = limits.max_position
    return trades.join(_left(strategy), on=["symbol", "entry_time"], how="left", maintain_order="left").select(
        "symbol",
        "entry_time",
        pl.col("bars").clip(lower_bound=1),
        entered=entered.clip(-most, most),
        target=(entered / pl.col("left").fill_null(1.0)).clip(-most, most),
    )


def _left(strategy: Backtest) -> pl.DataFrame:
    """Tell what limits on all symbols together left of trades they cut: ``symbol``, ``entry_time``, ``left`` of 1.

    An order that was cut is that of the next trade where it was cut to the quantity which that trade entered.
    """
    orders = strategy.rejected.filter(pl.col("reason").is_in(SHARED)).group_by("symbol", "open_time")
    cut = orders.agg(pl.col("wanted").first(), kept=pl.col("wanted").first() - pl.col("dropped").sum())
    trades = strategy.trades.select("symbol", "entry_time", entered=pl.col("side") * pl.col("quantity")).sort(
        "entry_time"
    )
    found = cut.sort("open_time").join_asof(
        trades, left_on="open_time", right_on="entry_time", by="symbol", strategy="forward", check_sortedness=False
    )
    same = (pl.col("kept") / pl.col("entered")).is_between(1 - _SAME, 1 + _SAME)
    return (
        found.filter(same)
        .select("symbol", "entry_time", left=pl.col("kept") / pl.col("wanted"))
        .unique(["symbol", "entry_time"])
    )
