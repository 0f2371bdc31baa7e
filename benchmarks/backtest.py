"""One signal through the simulated account, at seed scale."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.market import Market
from benchmarks.measure import measure
from benchmarks.peer import beside
from benchmarks.row import Row
from nightfold.backtest.batch import simulate_many
from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import prepare, run, simulate
from nightfold.backtest.limit import RiskLimits

_PEERS = ("vectorbt_backtest", "backtesting_backtest")
_HELD_BARS = 20
_POLICIES = 1_000
_COSTS = Costs(taker_fee_bps=10.0, slippage_bps=2.0, funding_rate=0.0)
_LIMITS = RiskLimits(instrument="perpetual")
_SLOW = _COSTS.model_copy(update={"latency_ms": 400})
_STRICT = RiskLimits(
    instrument="perpetual",
    max_net=1.0,
    drawdown_breaker={"limit": 0.9, "cooldown": 288},
    daily_loss_limit={"limit": 0.2},
)


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
    """Run the same under latency, limits and breakers, with bars and targets checked and aligned before."""
    tape, rows = prepare(market.seed_scale, _targets(market), _SLOW, _STRICT, 10_000.0, None)
    seconds = measure(lambda: run(tape, rows, _SLOW, _STRICT, 10_000.0))
    return Row(f"a backtest with latency and breakers, {tape.time.size:,} bars, prepared", seconds, promise=0.002)


def many_policies(market: Market) -> Row:
    """Value, drawdown, daily returns and trades of a thousand policies: thresholds on one forecast."""
    bars = market.seed_scale
    forecast = np.random.default_rng(0).normal(size=-(-bars.height // _HELD_BARS))
    side, strength = 0.3 * np.sign(forecast), np.abs(forecast)

    target = np.full(bars.height, np.nan)

    def policies() -> Iterator[NDArray[np.float64]]:
        for threshold in np.linspace(0.2, 1.2, _POLICIES):
            target[::_HELD_BARS] = side * (strength > threshold)
            yield target

    seconds = measure(lambda: simulate_many(bars, policies(), _COSTS, _LIMITS), runs=3)
    return Row(f"{_POLICIES:,} policies, {bars.height:,} bars", seconds, promise=0.5)


def _targets(market: Market) -> pl.DataFrame:
    """Positions drawn at random, each held for twenty bars."""
    bars = market.seed_scale
    drawn = np.random.default_rng(0).choice([-0.3, 0.0, 0.3], bars.height // _HELD_BARS + 1)
    return bars.select("symbol", "open_time", target=pl.Series(np.repeat(drawn, _HELD_BARS)[: bars.height]))
