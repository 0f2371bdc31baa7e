"""The same targets at the same costs in vectorbt, where its rules are ours; it is only compared with here.

vectorbt turns a target percentage into a quantity at ``val_price``, which is the close that decides, and fills it at
``price``, which is the next open. What it has no rules for (brackets as prices, limits, liquidation, breakers) is not
compared.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import Backtest

LENGTH = 600
COSTS = Costs(taker_fee_bps=10, half_spread_bps=1, slippage_bps=2, funding_rate=0)
LEVERAGE = RiskLimits(instrument="perpetual", max_gross=10, max_position=10)


@pytest.fixture(scope="module")
def vectorbt() -> Any:
    return pytest.importorskip("vectorbt", reason="vectorbt is not installed: it is only compared with here")


def market(seed: int, symbols: int, sizes: list[float]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars without holes, and a target at one bar in ten."""
    rng = np.random.default_rng(seed)
    times = [datetime(2024, 1, 1, tzinfo=UTC) + row * timedelta(minutes=5) for row in range(LENGTH)]
    bars, targets = [], []
    for number in range(symbols):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, LENGTH)))
        opens = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0, 0.002, LENGTH))
        key = {"symbol": f"S{number}", "open_time": pl.Series(times).cast(pl.Datetime("ms", "UTC"))}
        high, low = np.maximum(opens, close) * 1.001, np.minimum(opens, close) / 1.001
        bars.append(pl.DataFrame({**key, "open": opens, "high": high, "low": low, "close": close, "volume": 1.0}))
        wanted = np.where(rng.random(LENGTH) < 0.1, rng.choice(sizes, LENGTH), np.nan)
        targets.append(pl.DataFrame({**key, "target": wanted}))
    return pl.concat(bars), pl.concat(targets)


def theirs(vectorbt: Any, bars: pl.DataFrame, targets: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Orders as (row, column, signed quantity, price, fee), and equity at each close."""
    wide = {
        name: bars.pivot("symbol", index="open_time", values=name).drop("open_time").to_pandas()
        for name in ("open", "close")
    }
    target = targets.pivot("symbol", index="open_time", values="target").drop("open_time").to_pandas()
    changed = target.where(target.ne(target.ffill().fillna(0.0).shift(fill_value=0.0)))
    portfolio = vectorbt.Portfolio.from_orders(
        wide["close"],
        changed.shift(),
        size_type="targetpercent",
        direction="both",
        price=wide["open"],
        val_price=wide["close"].shift().fillna(wide["close"]),
        fees=0.001,
        slippage=0.0003,
        init_cash=10_000.0,
        cash_sharing=True,
        group_by=True,
        call_seq="auto",
    )
    orders = portfolio.orders.records
    signed = np.where(orders["side"] == 0, 1, -1) * orders["size"]
    table = np.column_stack((orders["idx"], orders["col"], signed, orders["price"], orders["fees"]))
    return table[np.lexsort((table[:, 1], table[:, 0]))], portfolio.value().to_numpy()


def ours(result: Backtest) -> np.ndarray:
    """Fills in the same shape."""
    start = result.equity["close_time"][0] - timedelta(minutes=5)
    rows = result.fills.select(
        (pl.col("open_time") - start).dt.total_minutes() // 5,
        pl.col("symbol").str.slice(1).cast(pl.Int64),
        "quantity",
        "price",
        "fee",
    )
    return rows.sort("open_time", "symbol").cast(pl.Float64).to_numpy()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("symbols", [1, 3])
def test_targets_long_and_short_fill_alike(vectorbt: Any, seed: int, symbols: int) -> None:
    bars, targets = market(seed, symbols, [-0.25, -0.1, 0, 0.1, 0.25])
    result = simulate(bars, targets, COSTS, LEVERAGE)
    orders, value = theirs(vectorbt, bars, targets)
    assert len(orders) > 20 * symbols
    np.testing.assert_allclose(ours(result), orders, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.equity["equity"], value, rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_a_spot_account_buys_what_its_cash_allows_alike(vectorbt: Any, seed: int) -> None:
    bars, targets = market(seed, 1, [0, 0.5, 1.0])
    result = simulate(bars, targets, COSTS, RiskLimits())
    orders, value = theirs(vectorbt, bars, targets)
    assert "short of cash" in result.rejected["reason"]
    np.testing.assert_allclose(ours(result), orders, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.equity["equity"], value, rtol=1e-9)
