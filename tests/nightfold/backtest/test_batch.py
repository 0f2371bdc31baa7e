"""Many policies at once against each of them alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import repeat

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.batch import simulate_many
from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import daily_returns
from nightfold.errors import ConfigError, SchemaError

COSTS = Costs(funding_rate=0.0003, minimum_fee=0.5, volatility_slippage=0.1, latency_bars=1)
LIMITS = RiskLimits(
    instrument="perpetual",
    max_gross=3,
    max_position=2,
    drawdown_breaker={"limit": 0.2, "cooldown": 5},
    daily_loss_limit={"limit": 0.08},
)
LENGTH = 300


def market(symbols: int) -> pl.DataFrame:
    """Hourly bars with bars that nobody trades in, and a hole of two days."""
    rng = np.random.default_rng(symbols)
    frames = []
    for number in range(symbols):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, LENGTH)))
        opens = np.concatenate(([100.0], close[:-1]))
        hours = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=h + 48 * (h > 200)) for h in range(LENGTH)]
        frames.append(
            pl.DataFrame(
                {
                    "symbol": f"S{number}",
                    "open_time": pl.Series(hours).cast(pl.Datetime("ms", "UTC")),
                    "open": opens,
                    "high": np.maximum(opens, close) * 1.01,
                    "low": np.minimum(opens, close) / 1.01,
                    "close": close,
                    "volume": rng.choice([0.0, 5.0], LENGTH, p=[0.1, 0.9]),
                }
            )
        )
    return pl.concat(frames)


def policies(rows: int, count: int) -> Iterator[np.ndarray]:
    """Targets at random rows, NaN elsewhere; the first never decides."""
    yield np.full(rows, np.nan)
    for seed in range(1, count):
        rng = np.random.default_rng(seed)
        yield np.where(rng.random(rows) < 0.2, rng.choice([-1.5, -0.4, 0, 0.5, 2.0], rows), np.nan)


@pytest.mark.parametrize("symbols", [1, 2])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("limits", [LIMITS, RiskLimits()], ids=["perpetual", "spot"])
def test_each_policy_is_exactly_what_it_is_alone(symbols: int, threads: int, limits: RiskLimits) -> None:
    bars = market(symbols)
    batch = simulate_many(bars, policies(bars.height, 12), COSTS, limits, 5_000.0, threads=threads)
    assert len(batch.equity) == 12
    for number, target in enumerate(policies(bars.height, 12)):
        targets = bars.select("symbol", "open_time", target=pl.Series(target))
        alone = simulate(bars, targets, COSTS, limits, 5_000.0)
        equity = alone.equity["equity"].to_numpy()
        peak = np.maximum.accumulate(np.concatenate(([5_000.0], equity)))[1:]
        assert batch.equity[number] == equity[-1]
        assert batch.trades[number] == alone.trades.height
        assert batch.drawdown[number] == (equity / peak - 1).min()
        daily = daily_returns(alone)
        assert batch.days[: daily.height].to_list() == daily["day"].to_list()
        np.testing.assert_array_equal(batch.daily_returns[number][: daily.height], daily["daily_return"])
        assert not batch.daily_returns[number][daily.height :].any()


def test_an_account_that_is_used_up_stays_where_it_ended() -> None:
    bars = market(1)
    crash = bars.with_columns(
        pl.when(pl.int_range(pl.len()) > 50).then(pl.col(name) / 3).otherwise(name).alias(name)
        for name in ("open", "high", "low", "close")
    )
    target = np.full(LENGTH, np.nan)
    target[10] = 2.0
    batch = simulate_many(crash, [target], COSTS, RiskLimits(instrument="perpetual", max_gross=2, max_position=2))
    assert batch.equity[0] <= 0
    assert (batch.daily[0, 5:] == batch.equity[0]).all()


def test_no_policies_are_no_rows() -> None:
    batch = simulate_many(market(1), [], COSTS, LIMITS)
    assert batch.equity.shape == (0,)
    assert batch.daily_returns.shape == (0, len(batch.days))


def test_targets_of_another_length_and_infinite_ones_are_refused() -> None:
    bars = market(1)
    with pytest.raises(SchemaError, match=r"array 1 of `targets` has shape \(3,\)"):
        simulate_many(bars, [np.zeros(LENGTH), np.zeros(3)], COSTS, LIMITS)
    with pytest.raises(SchemaError, match="array 0"):
        simulate_many(bars, [np.full(LENGTH, np.inf)], COSTS, LIMITS)


def test_no_threads_are_refused() -> None:
    with pytest.raises(ConfigError, match="`threads` is 0"):
        simulate_many(market(1), repeat(np.zeros(LENGTH), 1), COSTS, LIMITS, threads=0)
