"""A result beside what anyone could have done, under other costs, and under shocks."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import Backtest, daily_returns
from nightfold.robustness import (
    Account,
    baselines,
    luck,
    overfitting,
    scale_costs,
    sensitivity,
    shocks,
)
from nightfold.schema import TIME
from nightfold.tearsheet import measures

HOUR, DAYS = 3_600_000, 40
COSTS = Costs(taker_fee_bps=5, half_spread_bps=1, slippage_bps=2)


def market(seed: int = 1, days: int = DAYS) -> pl.DataFrame:
    size = 24 * days
    moves = np.random.default_rng(seed).normal(0, 0.004, size)
    close = 100 * np.exp(moves.cumsum())
    opened = np.concatenate(([100.0], close[:-1]))
    return pl.DataFrame(
        {
            "symbol": "AAAUSDT",
            "open_time": pl.Series(HOUR * np.arange(size)).cast(TIME),
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
            "volume": 1_000.0,
        }
    )


def knowing(bars: pl.DataFrame) -> pl.DataFrame:
    """Targets of someone who knows the next six hours."""
    ahead = bars["close"].log().diff().shift(-6).rolling_sum(6)
    return bars.select("symbol", "open_time", target=pl.when(ahead.fill_null(0) > 0.01).then(0.5).otherwise(0.0))


def account(bars: pl.DataFrame | None = None, costs: Costs = COSTS) -> Account:
    found = market() if bars is None else bars
    return Account(found, lambda _: knowing(found), costs, RiskLimits(), 10_000.0)


def flat(bars: pl.DataFrame) -> Account:
    nothing = bars.select("symbol", "open_time", target=pl.lit(0.0))
    return Account(bars, lambda _: nothing, COSTS, RiskLimits(), 10_000.0)


def total(run: Backtest) -> float:
    return float(run.equity["equity"][-1] / run.capital - 1)


def test_baselines_trade_the_same_market_with_the_same_costs() -> None:
    ours = account()
    run = ours.trade()
    found = baselines(ours, run)
    assert list(found) == ["Buy and hold", "Buy and hold, same exposure", "RSI 14 reversal", "Moving averages 50/200"]
    bars = ours.bars
    bought = bars["open"][1] * (1 + 3e-4)
    expected = bars["close"][-1] / bars["close"][0] * (1 - 5e-4)  # sized at the close that decides, then paid for
    held = (1 + found["Buy and hold"]["daily_return"]).product()
    assert held == pytest.approx(expected * bars["close"][0] / bought, rel=2e-3)
    exposure = (run.equity["gross_exposure"] / run.equity["equity"]).mean()
    smaller = (1 + found["Buy and hold, same exposure"]["daily_return"]).product() - 1
    assert smaller == pytest.approx(exposure * (held - 1), rel=0.1)
    assert all(frame["day"].equals(found["Buy and hold"]["day"]) for frame in found.values())


def test_a_strategy_that_never_trades_has_no_exposure_to_compare_and_no_luck() -> None:
    ours = flat(market())
    run = ours.trade()
    assert "Buy and hold, same exposure" not in baselines(ours, run)
    assert luck(ours, run) == {"percentile": None, "median": None, "best": None}


def test_who_knows_the_future_beats_random_timing_and_random_timing_does_not() -> None:
    ours = account()
    assert luck(ours, ours.trade())["percentile"] == 1.0
    random = np.random.default_rng(3)
    places = []
    for seed in range(6):
        bars = market(seed)
        blocks = np.repeat(random.random(len(bars) // 8 + 1) < 0.3, 8)[: len(bars)]
        guess = bars.select("symbol", "open_time", target=pl.Series(0.5 * blocks))
        theirs = Account(bars, lambda _, guess=guess: guess, COSTS, RiskLimits(), 10_000.0)
        places.append(luck(theirs, theirs.trade())["percentile"])
    assert 0.1 < np.mean([place for place in places if place is not None]) < 0.9


def test_every_point_of_the_surface_is_a_run_of_its_own() -> None:
    ours = account()
    found = sensitivity(ours)
    assert found.height == 36
    row = found.filter(edge=1.0, cost_scale=2.0, latency_bars=3).row(0, named=True)
    costs = scale_costs(COSTS, 2.0).model_copy(update={"latency_bars": 3})
    run = simulate(ours.bars, knowing(ours.bars), costs, RiskLimits())
    assert row["total_return"] == pytest.approx(total(run))
    assert row["sharpe_ratio"] == pytest.approx(measures.sharpe_ratio(daily_returns(run)["daily_return"]))
    at_once = found.filter(edge=1.0, latency_bars=0).sort("cost_scale")["total_return"].to_list()
    assert at_once == sorted(at_once, reverse=True)
    by_delay = found.filter(edge=1.0, cost_scale=1.0).sort("latency_bars")["total_return"].to_list()
    assert by_delay[0] > by_delay[-1]


def test_the_edge_asked_changes_the_decisions_not_the_costs() -> None:
    bars = market()

    def wanted(costs: Costs) -> pl.DataFrame:
        return knowing(bars).with_columns(target=pl.col("target") * (costs.taker_fee_bps < 8))

    found = sensitivity(Account(bars, wanted, COSTS, RiskLimits(), 10_000.0))
    assert found.filter(edge=2.0)["trades"].max() == 0
    assert found.filter(pl.col("edge") < 2)["trades"].min() > 0


def test_a_gap_down_costs_what_was_held() -> None:
    bars = market()
    always = bars.head(1).select("symbol", "open_time", target=pl.lit(0.5))
    ours = Account(bars, lambda _: always, COSTS, RiskLimits(), 10_000.0)
    run = ours.trade()
    found = {row["shock"]: row for row in shocks(ours, run).iter_rows(named=True)}
    assert set(found) == {"none", "gap down 20 %", "spread x10", "exchange down 2 hours"}
    held = run.equity.sort("gross_exposure", descending=True)["gross_exposure"][0]
    assert found["none"]["total_return"] == pytest.approx(total(run))
    last = run.fills["quantity"][0] * bars["close"][-1]
    assert (found["none"]["total_return"] - found["gap down 20 %"]["total_return"]) * 10_000 == pytest.approx(
        0.2 * last
    )
    assert held > 5_000
    spread = 9e-4 * COSTS.half_spread_bps * run.fills["quantity"][0] * run.fills["reference_price"][0] / 10_000
    assert found["none"]["total_return"] - found["spread x10"]["total_return"] == pytest.approx(spread, rel=0.02)


def test_nothing_fills_while_the_exchange_is_down() -> None:
    bars = market()
    moment = bars["open_time"][100]
    leaves = bars.select("symbol", "open_time", target=(pl.col("open_time") < moment).cast(pl.Float64) * 0.5)
    ours = Account(bars, lambda _: leaves, COSTS, RiskLimits(), 10_000.0)
    struck = shocks(ours, ours.trade()).filter(shock="exchange down 2 hours")["moment"][0]
    assert bars["open_time"][0] < struck <= moment + timedelta(hours=1)


def test_overfitting_needs_days_and_variants() -> None:
    bars = market(days=170)
    ours = flat(bars)
    random = np.random.default_rng(1)
    noise = [
        bars.select("symbol", "open_time", target=pl.Series(random.random(len(bars)) < 0.1) * 0.5) for _ in range(10)
    ]
    assert overfitting(ours, noise, days=159) is None
    assert overfitting(ours, noise[:9], days=170) is None
    found = overfitting(ours, noise, days=170)
    assert found is not None
    assert 0 < found < 1
    better = [*noise, knowing(bars)]
    assert overfitting(ours, better, days=170) == 0
