"""Bars that an account of one symbol passes over, against the walk from bar to bar that an account of two takes."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.kernel.quiet import list_decisions
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.tape import frozen

LENGTH = 700
COSTS = [
    Costs(funding_rate=0.0),
    Costs(funding_rate=0.001, latency_bars=2),
    Costs(funding_rate=-0.001, latency_ms=400_000, volatility_slippage=0.1),
]
LIMITS = [
    RiskLimits(),
    RiskLimits(instrument="perpetual", max_gross=3, max_position=2, maintenance_margin=0.05),
    RiskLimits(
        instrument="perpetual",
        drawdown_breaker={"limit": 0.06, "cooldown": 7},
        daily_loss_limit={"limit": 0.04},
    ),
]
PARTS = ("equity", "fills", "trades", "rejected", "triggers", "open_orders", "funding")


def market(rng: np.random.Generator) -> pl.DataFrame:
    """Quiet bars of half an hour with a wild one now and then, some without volume, and a hole."""
    wild = rng.binomial(1, 0.05, LENGTH)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.002 + 0.03 * wild)))
    opens = np.roll(close, 1)
    opens[0] = close[0]
    start, step = datetime(2024, 1, 1, 7, tzinfo=UTC), timedelta(minutes=30)
    return pl.DataFrame(
        {
            "symbol": "AUSDT",
            "open_time": [start + step * (row + 60 * (row > LENGTH // 2)) for row in range(LENGTH)],
            "open": opens,
            "high": np.maximum(opens, close) * 1.001,
            "low": np.minimum(opens, close) / 1.001,
            "close": close,
            "volume": rng.choice([0.0, 9.0], LENGTH, p=[0.05, 0.95]),
        }
    ).with_columns(pl.col("open_time").cast(pl.Datetime("ms", "UTC")))


def decided(rng: np.random.Generator, bars: pl.DataFrame, with_brackets: bool) -> pl.DataFrame:
    """Targets held for some bars: said once, now and then, or at every bar; on both sides of a stop and a target."""
    held = np.repeat(rng.choice([-1.5, -0.6, 0.0, 0.6, 1.5], LENGTH), rng.integers(1, 60, LENGTH))[:LENGTH]
    is_new = np.diff(held, prepend=np.nan) != 0
    said = (is_new, is_new | (rng.random(LENGTH) < 0.1), np.ones(LENGTH, dtype=np.bool_))[rng.integers(3)]
    close, away = bars["close"].to_numpy(), np.where(held < 0, -0.02, 0.02)
    none = np.full(LENGTH, np.nan)
    return bars.select(
        "symbol",
        "open_time",
        target=np.where(said, held, np.nan),
        stop=close * (1 - away) if with_brackets else none,
        take_profit=close * (1 + 2 * away) if with_brackets else none,
    )


@pytest.mark.parametrize("costs", COSTS)
@pytest.mark.parametrize("limits", LIMITS)
def test_bars_passed_over_are_those_in_which_nothing_happens(costs: Costs, limits: RiskLimits) -> None:
    triggers = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        bars = market(rng)
        idle = bars.with_columns(symbol=pl.lit("BUSDT"))
        targets = decided(rng, bars, with_brackets=seed % 2 == 0)
        passing = simulate(bars, targets, costs, limits)
        walking = simulate(pl.concat([bars, idle]), targets, costs, limits)
        for part in PARTS:
            assert_frame_equal(getattr(passing, part), getattr(walking, part), check_exact=True)
        triggers += passing.triggers.height
    assert triggers > 0 or limits.drawdown_breaker is None


@pytest.mark.parametrize("seed", range(5))
def test_decisions_are_listed_where_a_target_is_not_that_of_the_row_before(seed: int) -> None:
    target = np.random.default_rng(seed).choice([np.nan, np.nan, 0.0, 0.5], 200)
    rows = np.empty(200, dtype=np.int64)
    before = [np.nan, *target[:-1]]
    expected = [row for row in range(200) if target[row] in (0.0, 0.5) and target[row] != before[row]]
    assert rows[: list_decisions(frozen(target), rows)].tolist() == expected


@pytest.mark.parametrize("place", [0, 100, 199])
def test_an_infinite_target_is_no_decision(place: int) -> None:
    target = np.full(200, np.nan)
    target[place] = -np.inf
    assert list_decisions(frozen(target), np.empty(200, dtype=np.int64)) == -1
