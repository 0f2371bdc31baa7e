"""Buy and hold, RSI reversal and the moving-average cross: against slow twins, and blind to what comes later."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.baseline import buy_and_hold, moving_average_cross, rsi_reversal
from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.errors import ConfigError

FREE = Costs(taker_fee_bps=0, maker_fee_bps=0, half_spread_bps=0, slippage_bps=0, funding_rate=0)
RSI_LOOKBACK = 240
DECIDERS = [
    rsi_reversal,
    moving_average_cross,
    lambda bars: rsi_reversal(bars, shorts=True),
    lambda bars: moving_average_cross(bars, shorts=True, fast=3, slow=11),
]


def walk(seed: int, length: int = 900, symbol: str = "BTCUSDT") -> pl.DataFrame:
    """Make up five-minute bars; a hole of 12 hours after bar 500."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, length)))
    opens = np.concatenate(([100.0], close[:-1]))
    start = datetime(2024, 1, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=5 * row, hours=12 * (row > 500)) for row in range(length)]
    prices = {"open": opens, "high": np.maximum(opens, close), "low": np.minimum(opens, close), "close": close}
    return pl.DataFrame({"symbol": symbol, "open_time": times, **prices, "volume": 5.0}).with_columns(
        pl.col("open_time").cast(pl.Datetime("ms", "UTC"))
    )


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


def test_at_an_exposure_of_its_own_only_that_part_is_bought(candles: Callable[..., pl.DataFrame]) -> None:
    """A fifth of 10,000 at 100, which doubles: 12,000."""
    bars = candles([(100, 100, 100, 100), (100, 200, 100, 200), (200, 200, 200, 200)])
    result = simulate(bars, buy_and_hold(bars, exposure=0.2), FREE, RiskLimits())
    assert result.equity["equity"].to_list() == pytest.approx([10_000, 12_000, 12_000])


def slow_rsi(close: list[float]) -> list[float | None]:
    """Wilder's index by his own recursion, from the first close on."""
    changes = [new - old for old, new in pairwise(close)]
    gain = sum(max(change, 0) for change in changes[:14]) / 14
    loss = sum(max(-change, 0) for change in changes[:14]) / 14
    found: list[float | None] = [None] * 14
    for change in [None, *changes[14:]]:
        if change is not None:
            gain, loss = (13 * gain + max(change, 0)) / 14, (13 * loss + max(-change, 0)) / 14
        found.append(100 * gain / (gain + loss))
    return found


@pytest.mark.parametrize(("shorts", "sold"), [(False, 0.0), (True, -0.5)])
def test_reversal_is_long_under_thirty_and_out_or_short_above_seventy(shorts: bool, sold: float) -> None:
    bars = walk(1)
    found = rsi_reversal(bars, 0.5, shorts=shorts)["target"].to_list()
    held, expected = None, []
    for first, last in ((0, 501), (501, 900)):
        index = slow_rsi(bars["close"][first:last].to_list())
        for row, value in enumerate(index):
            if value is not None and row >= RSI_LOOKBACK:
                held = 0.5 if value < 30 else sold if value > 70 else held
            expected.append(held)
    assert found == expected
    assert {None, 0.5, sold} == set(found)


@pytest.mark.parametrize(("shorts", "out"), [(False, 0.0), (True, -1.0)])
def test_the_cross_is_long_while_the_fast_average_is_above(shorts: bool, out: float) -> None:
    bars = walk(2)
    found = moving_average_cross(bars, shorts=shorts, fast=5, slow=30)["target"].to_list()
    held, expected = None, []
    for row in range(900):
        begin = 501 if row > 500 else 0
        close = bars["close"][begin : row + 1].to_list()
        if len(close) >= 30:
            held = 1.0 if sum(close[-5:]) / 5 > sum(close[-30:]) / 30 else out
        expected.append(held)
    assert found == expected


@pytest.mark.parametrize("price", [0.1, 0.7, 3.3, 97.31, 30_123.45])
@pytest.mark.parametrize(("fast", "slow"), [(3, 11), (7, 30), (50, 200)])
def test_a_market_that_stands_still_crosses_nothing(price: float, fast: int, slow: int) -> None:
    """Sums of such prices do not come out even, but the averages are equal."""
    bars = walk(3, 400).with_columns(pl.lit(price).alias(name) for name in ("open", "high", "low", "close"))
    assert moving_average_cross(bars, fast=fast, slow=slow)["target"].null_count() == 400


def test_symbols_share_the_exposure_and_do_not_touch_each_other() -> None:
    one, two = walk(4), walk(5, symbol="ETHUSDT")
    for decide in (rsi_reversal, moving_average_cross):
        both = decide(pl.concat([two, one]).sample(fraction=1, shuffle=True, seed=1), 0.8)
        alone = pl.concat([decide(one, 0.4), decide(two, 0.4)])
        assert both.equals(alone)


@pytest.mark.parametrize("decide", DECIDERS)
def test_later_bars_never_move_an_earlier_target(decide: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    bars, other = walk(6), walk(7)
    whole = decide(bars)
    assert whole["target"].n_unique() == 3
    for cut in (1, 300, 501, 899):
        changed = pl.concat([bars[:cut], other[cut:]])
        assert decide(bars[:cut])["target"].equals(whole["target"][:cut])
        assert decide(changed)["target"][:cut].equals(whole["target"][:cut])


@pytest.mark.parametrize("decide", DECIDERS)
def test_what_is_decided_at_a_close_is_traded_at_the_next_open(decide: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    bars = walk(8)
    fills = simulate(bars, decide(bars), FREE, RiskLimits(instrument="perpetual")).fills
    change = decide(bars).filter(pl.col("target").fill_null(0).diff().fill_null(0) != 0)
    after = bars.with_columns(decided=pl.col("open_time").shift()).join(change, left_on="decided", right_on="open_time")
    assert fills["open_time"].to_list() == after["open_time"].to_list()
    assert fills["price"].to_list() == after["open"].to_list()


def test_on_real_bars_they_trade(market_data: Path) -> None:
    bars = pl.read_parquet(market_data / "bars_1h/binance_spot_BTCUSDT_1h.parquet").with_columns(
        symbol=pl.lit("BTCUSDT")
    )
    for decide in (rsi_reversal, moving_average_cross):
        assert simulate(bars, decide(bars), Costs(), RiskLimits()).trades.height > 20


@pytest.mark.parametrize(
    ("decide", "wrong"),
    [
        (rsi_reversal, {"low": 70, "high": 30}),
        (rsi_reversal, {"high": 100}),
        (rsi_reversal, {"window": 13}),
        (moving_average_cross, {"fast": 200}),
        (moving_average_cross, {"fast": 0}),
    ],
)
def test_settings_out_of_range_are_refused(decide: Callable[..., pl.DataFrame], wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        decide(walk(1), **wrong)
