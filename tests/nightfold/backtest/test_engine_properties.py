"""What must hold on any market, with any targets."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import Backtest

STEP = timedelta(minutes=5)
LENGTH = 40

seeds = st.integers(0, 2**32 - 1)
rates = st.floats(0, 100)
LEVERAGE = {"instrument": "perpetual", "max_gross": 3, "max_position": 2, "maintenance_margin": 0.05}
BREAKERS = {"drawdown_breaker": {"limit": 0.05, "cooldown": 3}, "daily_loss_limit": {"limit": 0.04}}
SHARED = {"max_net": 0.6, "correlated_exposure": {"limit": 0.7, "bars": 10}, "rebalance_band": 0.05}
accounts = st.sampled_from(
    [
        RiskLimits(),
        RiskLimits(**LEVERAGE),
        RiskLimits(**BREAKERS),
        RiskLimits(**LEVERAGE, **BREAKERS, **SHARED),
        RiskLimits(**SHARED),
    ]
)
prices = st.builds(
    Costs,
    taker_fee_bps=rates,
    maker_fee_bps=rates,
    half_spread_bps=rates,
    slippage_bps=rates,
    volatility_slippage=st.floats(0, 1),
    minimum_fee=st.sampled_from([0.0, 1.0]),
    latency_bars=st.integers(0, 3),
    funding_rate=st.floats(-0.01, 0.01),
)
markets = st.builds(
    lambda costs, delay, **more: Costs(**{**costs.model_dump(), "latency_bars": 0, "latency_ms": delay, **more}),
    prices,
    delay=st.sampled_from([0, 1, 100_000, 300_000, 500_000]),
    impact_slippage=st.floats(0, 2),
    max_participation=st.sampled_from([None, 0.5, 1.0]),
    tick_size=st.sampled_from([0.0, 0.05]),
    quantity_step=st.sampled_from([0.0, 0.01, 3.0]),
    minimum_order=st.sampled_from([0.0, 100.0, 4_000.0]),
)
"""Costs with all that breaks their proportion to capital: impact, shares of volume, ticks, steps and minima."""
any_costs = prices | markets
CHARGED_SLIPPAGE_ONLY = Costs(
    taker_fee_bps=0,
    maker_fee_bps=0,
    half_spread_bps=1,
    slippage_bps=50,
    volatility_slippage=1,
    latency_bars=1,
    funding_rate=0,
)
given_few = settings(max_examples=60)


def market(seed: int, symbols: int = 2) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars with holes and zero volume across a funding stamp, and targets with brackets."""
    rng = np.random.default_rng(seed)
    bars = []
    for number in range(symbols):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, LENGTH)))
        opens = np.roll(close, 1) * np.exp(rng.normal(0, 0.005, LENGTH))
        frame = pl.DataFrame(
            {
                "symbol": [f"S{number}USDT"] * LENGTH,
                "open_time": [datetime(2024, 1, 1, 6, tzinfo=UTC) + row * STEP for row in range(LENGTH)],
                "open": opens,
                "high": np.maximum(opens, close) * np.exp(rng.exponential(0.01, LENGTH)),
                "low": np.minimum(opens, close) / np.exp(rng.exponential(0.01, LENGTH)),
                "close": close,
                "volume": rng.choice([0.0, 70.0, 700.0], LENGTH, p=[0.1, 0.4, 0.5]),
            }
        )
        bars.append(frame.filter(pl.Series(rng.random(LENGTH) < 0.95)))
    frame = pl.concat(bars).with_columns(pl.col("open_time").cast(pl.Datetime("ms", "UTC")))
    n = frame.height
    target = rng.choice([-1.5, -0.4, 0, 0.4, 0.7, 1.5], n)
    away = frame["close"].to_numpy() * rng.uniform(0.005, 0.05, n) * np.where(target < 0, -1, 1)
    decided, guarded = pl.Series(rng.random(n) < 0.3), pl.Series(rng.random(n) < 0.6)
    targets = frame.select(
        "symbol",
        "open_time",
        target=pl.when(decided).then(pl.Series(target)),
        stop=pl.when(guarded).then(pl.col("close") - pl.Series(away)),
        take_profit=pl.when(guarded).then(pl.col("close") + pl.Series(away)),
        limit=pl.when(pl.Series(rng.random(n) < 0.2)).then(
            pl.col("close") - pl.Series(away * rng.uniform(-0.2, 0.6, n))
        ),
    )
    return frame, targets


def rebuilt(bars: pl.DataFrame, result: Backtest, with_costs: bool = True) -> np.ndarray:
    """Equity at each bar from nothing but the table of fills, the funding paid and the last traded closes."""
    times = result.equity.select(time="close_time")
    equity = np.full(times.height, result.capital)
    price, fee = (pl.col("price"), pl.col("fee")) if with_costs else (pl.col("reference_price"), pl.lit(0.0))
    for (symbol,), fills in result.fills.group_by("symbol"):
        closes = bars.filter(pl.col("symbol") == symbol, pl.col("volume") > 0)
        sums = fills.select(
            time=pl.col("open_time") + STEP,
            held=pl.col("quantity").cum_sum(),
            spent=(pl.col("quantity") * price + fee).cum_sum(),
        )
        marks = closes.select(time=pl.col("open_time") + STEP, mark="close")
        known = times.join_asof(sums, on="time").join_asof(marks, on="time").fill_null(0)
        equity += (known["held"] * known["mark"] - known["spent"]).to_numpy()
    paid = result.funding.select(time=pl.col("open_time") + STEP, paid=pl.col("amount").cum_sum())
    return equity - times.join_asof(paid, on="time")["paid"].fill_null(0).to_numpy()


@given_few
@given(seeds, any_costs, accounts)
def test_cash_and_positions_make_equity_at_every_bar(seed: int, costs: Costs, limits: RiskLimits) -> None:
    bars, targets = market(seed)
    result = simulate(bars, targets, costs, limits)
    equity = result.equity
    np.testing.assert_allclose(equity["equity"], equity["cash"] + equity["net_exposure"], rtol=1e-12)
    np.testing.assert_allclose(equity["equity"], rebuilt(bars, result), rtol=1e-9, atol=1e-9 * result.capital)


@given_few
@given(seeds, any_costs, accounts)
def test_trades_share_out_all_profit_fees_and_funding(seed: int, costs: Costs, limits: RiskLimits) -> None:
    bars, targets = market(seed)
    result = simulate(bars, targets, costs, limits)
    trades = result.trades
    assert trades["profit"].sum() == pytest.approx(result.equity["equity"][-1] - result.capital, abs=1e-6)
    assert trades["fees"].sum() == pytest.approx(result.fills["fee"].sum())
    assert trades["funding"].sum() == pytest.approx(result.funding["amount"].sum())
    assert (trades["quantity"] > 0).all()


@given_few
@given(seeds, any_costs, accounts)
def test_costs_only_ever_take_from_the_same_fills(seed: int, costs: Costs, limits: RiskLimits) -> None:
    bars, targets = market(seed)
    result = simulate(bars, targets, costs, limits)
    parts = result.fills.select("fee", "spread_cost", "slippage_cost")
    assert parts.select(pl.all_horizontal(pl.all() >= 0).all()).item()
    lost = result.fills["quantity"] * (result.fills["price"] - result.fills["reference_price"])
    np.testing.assert_allclose(lost, parts["spread_cost"] + parts["slippage_cost"], atol=1e-8)
    free = rebuilt(bars, result, with_costs=False)
    assert (result.equity["equity"].to_numpy() <= free + 1e-8 * result.capital).all()


@given_few
@given(seeds, rates, rates, st.sampled_from(["taker_fee_bps", "half_spread_bps", "slippage_bps", "minimum_fee"]))
def test_a_higher_cost_never_raises_equity_for_the_same_fills(seed: int, low: float, high: float, cost: str) -> None:
    """One entry and one exit, whose quantities are fixed before any cost is paid."""
    bars, _ = market(seed, symbols=1)
    ends = bars.select("symbol", "open_time")[[3, 20]].with_columns(target=pl.Series([0.5, 0.0]))
    base = {"taker_fee_bps": 5, "half_spread_bps": 1, "slippage_bps": 1, "funding_rate": 0}
    limits = RiskLimits(instrument="perpetual")
    cheap, dear = (
        simulate(bars, ends, Costs(**{**base, cost: rate}), limits) for rate in (min(low, high), max(low, high))
    )
    assert cheap.fills["quantity"].to_list() == dear.fills["quantity"].to_list()
    assert (dear.equity["equity"] <= cheap.equity["equity"] + 1e-9).all()


@given_few
@given(seeds, prices, accounts, st.sampled_from([0.001, 0.5, 1_000.0]))
@example(905, Costs(taker_fee_bps=0.5, half_spread_bps=0, slippage_bps=0.5), RiskLimits(), 0.001)
def test_capital_scales_results(seed: int, costs: Costs, limits: RiskLimits, factor: float) -> None:
    bars, targets = market(seed)
    costs = costs.model_copy(update={"minimum_fee": 0.0})
    one, many = (simulate(bars, targets, costs, limits, capital) for capital in (10_000.0, 10_000.0 * factor))
    np.testing.assert_allclose(many.equity["equity"], one.equity["equity"] * factor, rtol=1e-9)
    assert (
        many.fills.drop("quantity", "fee", "spread_cost", "slippage_cost")
        .select("symbol", "time", "reason")
        .equals(one.fills.select("symbol", "time", "reason"))
    )
    np.testing.assert_allclose(many.trades["return_"], one.trades["return_"], rtol=1e-6, atol=1e-9)


@given_few
@given(seeds, any_costs, accounts)
@example(143306, CHARGED_SLIPPAGE_ONLY, RiskLimits())
def test_the_order_of_symbols_changes_nothing(seed: int, costs: Costs, limits: RiskLimits) -> None:
    bars, targets = market(seed, symbols=3)
    first = simulate(bars, targets, costs, limits)
    shuffled = simulate(bars.sample(fraction=1, shuffle=True, seed=1), targets.reverse(), costs, limits)
    assert shuffled.equity.equals(first.equity)
    assert shuffled.fills.equals(first.fills)

    def renamed(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("symbol").replace({"S0USDT": "S9USDT"}))

    other = simulate(renamed(bars), renamed(targets), costs, limits)
    np.testing.assert_allclose(other.equity["equity"], first.equity["equity"], rtol=1e-9)
    assert other.fills.height == first.fills.height


@given_few
@given(seeds, any_costs, accounts)
def test_no_signal_no_trade_no_cost(seed: int, costs: Costs, limits: RiskLimits) -> None:
    bars, targets = market(seed)
    for silent in (targets.with_columns(target=None), targets.with_columns(target=0.0), targets.clear()):
        result = simulate(bars, silent, costs, limits)
        assert result.fills.is_empty()
        assert result.trades.is_empty()
        assert (result.equity["equity"] == result.capital).all()


@given_few
@given(seeds, any_costs, accounts, st.integers(5, LENGTH - 5))
def test_the_future_changes_nothing_before_it(seed: int, costs: Costs, limits: RiskLimits, row: int) -> None:
    bars, targets = market(seed)
    now = bars["open_time"].min() + row * STEP
    future = pl.col("open_time") >= now
    noisy = bars.with_columns(
        pl.when(future).then(pl.col(name) * 1.7).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    others = targets.with_columns(
        target=pl.when(future).then(0.1).otherwise("target"), stop=None, take_profit=None, limit=None
    )
    kept = ("stop", "take_profit", "limit")
    others = others.with_columns(pl.when(~future).then(targets[name]).alias(name) for name in kept)
    one, two = simulate(bars, targets, costs, limits), simulate(noisy, others, costs, limits)
    past = pl.col("close_time") <= now
    assert one.equity.filter(past).equals(two.equity.filter(past))
    before = pl.col("open_time") < now
    assert one.fills.filter(before).equals(two.fills.filter(before))


@given_few
@given(seeds, st.integers(0, 3))
def test_an_order_fills_at_a_price_from_after_its_decision(seed: int, latency: int) -> None:
    """Where all prices after the decision double, so does the price of the fill, and the quantity stays."""
    bars, _ = market(seed, symbols=1)
    row = 10
    decision = bars.select("symbol", "open_time")[[row]].with_columns(target=pl.lit(0.3))
    after = pl.col("open_time") > bars["open_time"][row]
    moved = bars.with_columns(
        pl.when(after).then(pl.col(name) * 2).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    costs = Costs(latency_bars=latency)
    one, two = (simulate(frame, decision, costs, RiskLimits()).fills.row(0, named=True) for frame in (bars, moved))
    assert two["price"] == pytest.approx(2 * one["price"])
    assert two["quantity"] == one["quantity"]
    assert one["open_time"] >= bars["open_time"][row + 1 + latency]
    fill = bars.filter(pl.col("open_time") == one["open_time"])
    assert one["reference_price"] == fill["open"][0]
    assert fill["volume"][0] > 0


@given_few
@given(seeds, any_costs)
def test_a_spot_account_never_borrows_and_never_goes_short(seed: int, costs: Costs) -> None:
    bars, targets = market(seed, symbols=3)
    result = simulate(bars, targets, costs.model_copy(update={"minimum_fee": 0.0}), RiskLimits())
    assert (result.equity["cash"] >= -1e-9).all()
    positions = result.fills.with_columns(held=pl.col("quantity").cum_sum().over("symbol"))
    assert (positions["held"] >= -1e-9).all()
    assert (result.trades["side"] == 1).all()


def test_inputs_come_back_unchanged_and_a_run_repeats_itself() -> None:
    bars, targets = market(3)
    copies = bars.clone(), targets.clone()
    one, two = (simulate(bars, targets, Costs(), RiskLimits()) for _ in range(2))
    assert bars.equals(copies[0])
    assert targets.equals(copies[1])
    assert one.equity.equals(two.equity)
    assert one.fills.equals(two.fills)
    assert one.trades.equals(two.trades)
