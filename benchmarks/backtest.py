"""One signal through the simulated account, at seed scale."""

import numpy as np
import polars as pl

from benchmarks.market import Market
from benchmarks.measure import measure
from benchmarks.peer import beside
from benchmarks.row import Row
from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import prepare, run, simulate
from nightfold.backtest.limit import RiskLimits

_PEERS = ("vectorbt_backtest", "backtesting_backtest")
_HELD_BARS = 20
_COSTS = Costs(taker_fee_bps=10.0, slippage_bps=2.0, funding_rate=0.0)
_LIMITS = RiskLimits(instrument="perpetual")


def one_signal(market: Market) -> Row:
    """From bars and targets to equity, fills and trades as frames."""
    bars, targets = market.seed_scale, _targets(market)
    seconds = measure(lambda: simulate(bars, targets, _COSTS, _LIMITS))
    return Row(
        f"a backtest, {bars.height:,} bars, {targets['target'].rle().len():,} decisions",
        seconds,
        beside=tuple(each for peer in _PEERS for each in beside(peer, bars, target=targets["target"].to_numpy())),
    )


def prepared_signal(market: Market) -> Row:
    """Run the same with bars and targets checked and aligned before."""
    tape, rows = prepare(market.seed_scale, _targets(market), _COSTS, _LIMITS, 10_000.0, None)
    seconds = measure(lambda: run(tape, rows, _COSTS, _LIMITS, 10_000.0))
    return Row(f"a backtest, {bars.height:,} bars, on a prepared tape", seconds, promise=0.002)


def _targets(market: Market) -> pl.DataFrame:
    """Positions drawn at random, each held for twenty bars."""
    bars = market.seed_scale
    drawn = np.random.default_rng(0).choice([-0.3, 0.0, 0.3], bars.height // _HELD_BARS + 1)
    return bars.select("symbol", "open_time", target=pl.Series(np.repeat(drawn, _HELD_BARS)[: bars.height]))
