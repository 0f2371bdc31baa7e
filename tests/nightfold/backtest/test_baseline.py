"""Buy and hold."""

from collections.abc import Callable

import polars as pl
import pytest

from nightfold.backtest.baseline import buy_and_hold
from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits

FREE = Costs(taker_fee_bps=0, maker_fee_bps=0, half_spread_bps=0, slippage_bps=0)


def test_each_symbol_is_bought_once_in_equal_parts(candles: Callable[..., pl.DataFrame]) -> None:
    """5,000 each at 100: one doubles, the other halves: 12,500."""
    still = (100, 100, 100, 100)
    bars = pl.concat(
        [
            candles([still, (100, 200, 100, 200), (200, 200, 200, 200)], "AUSDT"),
            candles([still, (100, 100, 50, 50), (50, 50, 50, 50)], "BUSDT"),
        ]
    )
    assert buy_and_hold(bars)["target"].to_list() == [0.5, 0.5]
    result = simulate(bars, buy_and_hold(bars), FREE, RiskLimits())
    assert result.fills["quantity"].to_list() == [50, 50]
    assert result.equity["equity"].to_list() == pytest.approx([10_000, 12_500, 12_500])
