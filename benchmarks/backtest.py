"""One signal through the simulated account, at seed scale."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.market import Market
from benchmarks.measure import measure
from benchmarks.measure import run as measured
from benchmarks.peer import beside
from benchmarks.row import Row
from nightfold.backtest.batch import simulate_many
from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import prepare, run, simulate
from nightfold.backtest.limit import RiskLimits

_PEERS = ("vectorbt_backtest", "backtesting_backtest")
_HELD_BARS = 20
_POLICIES = 1_000
_THRESHOLDS = (0.2, 1.2)
_COSTS = Costs(taker_fee_bps=10.0, slippage_bps=2.0, funding_rate=0.0)
_LIMITS = RiskLimits(instrument="perpetual")
_SLOW = _COSTS.model_copy(update={"latency_ms": 400})
_STRICT = RiskLimits(
    instrument="perpetual",
    max_net=0.29,
    drawdown_breaker={"limit": 0.3, "cooldown": 288},
    daily_loss_limit={"limit": 0.02},
)
_MEMORY = """
from benchmarks.backtest import policies
from benchmarks.market import Market
market = Market.find()
trade = policies(market)
"""


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
    """Run the same under latency, a limit that cuts each order and breakers that go off; checked and aligned before.

    Raises
    ------
    AssertionError
        If a rule did nothing: then its cost was not measured.
    """
    tape, rows = prepare(market.seed_scale, _targets(market), _SLOW, _STRICT, 10_000.0, None)
    done = run(tape, rows, _SLOW, _STRICT, 10_000.0)
    assert set(done.triggers["rule"]) == {"max_net", "drawdown_breaker", "daily_loss_limit"}
    seconds = measure(lambda: run(tape, rows, _SLOW, _STRICT, 10_000.0))
    what = f"a backtest with latency and {done.triggers.height:,} triggers of rules, {tape.time.size:,} bars, prepared"
    return Row(what, seconds, promise=0.002)


def many_policies(market: Market) -> Row:
    """Value, drawdown, Sharpe ratio and trades of a thousand policies: thresholds on one forecast."""
    seconds = measure(policies(market), runs=3)
    beside_it = beside("vectorbt_policies", market.seed_scale, **_forecast(market.seed_scale))
    memory = measured(["-c", f"{_MEMORY}trade()"]).memory - measured(["-c", _MEMORY]).memory
    what = f"{_POLICIES:,} policies, {market.seed_scale.height:,} bars"
    return Row(what, seconds, promise=0.5, beside=beside_it, memory=memory)


def policies(market: Market) -> Callable[[], NDArray[np.float64]]:
    """Lay out what trades them all, and gives a row a policy."""
    bars = market.seed_scale
    forecast = _forecast(bars)
    target = np.full(bars.height, np.nan)

    def targets() -> Iterator[NDArray[np.float64]]:
        for threshold in np.linspace(*_THRESHOLDS, _POLICIES):
            target[::_HELD_BARS] = forecast["side"] * (forecast["strength"] > threshold)
            yield target

    def trade() -> NDArray[np.float64]:
        found = simulate_many(bars, targets(), _COSTS, _LIMITS)
        daily = found.daily_returns
        sharpe = daily.mean(axis=1) / daily.std(axis=1, ddof=1) * np.sqrt(365)
        return np.column_stack([found.equity, found.drawdown, sharpe, found.trades])

    return trade


def _forecast(bars: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    """One forecast for every twenty bars: the side it would take, and how strong it is."""
    forecast = np.random.default_rng(0).normal(size=-(-bars.height // _HELD_BARS))
    return {"side": 0.3 * np.sign(forecast), "strength": np.abs(forecast)}


def _targets(market: Market) -> pl.DataFrame:
    """Positions drawn at random, each held for twenty bars."""
    bars = market.seed_scale
    drawn = np.random.default_rng(0).choice([-0.3, 0.0, 0.3], bars.height // _HELD_BARS + 1)
    return bars.select("symbol", "open_time", target=pl.Series(np.repeat(drawn, _HELD_BARS)[: bars.height]))
