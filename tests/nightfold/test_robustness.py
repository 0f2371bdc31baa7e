"""A result beside what anyone could have done, under other costs, and under shocks."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.baseline_random import random_returns
from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import Backtest, daily_returns
from nightfold.robustness import (
    Account,
    baselines,
    luck,
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
    assert luck(ours, run) == NONE


PERPETUAL = {"instrument": "perpetual", "max_gross": 3}


@pytest.mark.parametrize(("size", "is_there"), [(0.9, True), (1.3, False)])
def test_nobody_holds_as_much_as_who_borrowed(size, is_there) -> None:
    """A spot account that holds all of its equity would be another thing under that name."""
    bars = market()
    wanted = bars.select("symbol", "open_time", target=pl.lit(size))
    limits = RiskLimits.model_validate({**PERPETUAL, "max_position": 2})
    ours = Account(bars, lambda _: wanted, COSTS.model_copy(update={"funding_rate": 0.0}), limits, 10_000.0)
    found = baselines(ours, ours.trade())
    assert ("Buy and hold, same exposure" in found) == is_there
    assert "Buy and hold" in found


SHARED = {
    "max_gross": {"max_gross": 0.6},
    "max_net": {**PERPETUAL, "max_net": 0.6},
    "correlated_exposure": {**PERPETUAL, "correlated_exposure": {"limit": 0.6, "bars": 10}},
}


def pair(limits, *, by_turns: bool, size: float = 0.45) -> Account:
    """Two symbols of one price, held for a day of every two: both on the same, or each on its own."""
    bars = pl.concat([market(), market().with_columns(symbol=pl.lit("BBBUSDT"))])
    turn = pl.int_range(pl.len()).over("symbol") % 48 < 24
    held = turn.xor(pl.lit(by_turns) & (pl.col("symbol") == "BBBUSDT"))
    wanted = bars.select("symbol", "open_time", target=pl.when(held).then(size).otherwise(0.0))
    costs = COSTS.model_copy(update={"funding_rate": 0.0})
    return Account(bars, lambda _: wanted, costs, RiskLimits.model_validate(limits), 10_000.0)


NONE = {"percentile": None, "median": None, "best": None}
BY_TURNS = [({}, 0.45), ({}, 1.0), *((limits, 0.45) for limits in SHARED.values())]


@pytest.mark.parametrize(("limits", "size"), BY_TURNS)
def test_what_was_held_by_turns_has_a_place_though_both_at_once_would_be_cut(limits, size) -> None:
    """Random traders hold by turns as well; knowing nothing, it stands anywhere but at an end."""
    ours = pair(limits, by_turns=True, size=size)
    run = ours.trade()
    assert not run.rejected["reason"].is_in(list(SHARED)).any()
    assert 0.01 < luck(ours, run)["percentile"] < 0.99


@pytest.mark.parametrize(("limits", "size"), BY_TURNS)
def test_where_symbols_of_other_ranges_fall_together_and_limits_would_cut_them_no_place_is_told(limits, size) -> None:
    """One begins in the middle, so each is moved on its own; .45 twice fit under 1."""
    both = pair(limits, by_turns=True, size=size)
    is_there = (pl.col("symbol") == "AAAUSDT") | (pl.col("open_time").cast(pl.Int64) >= HOUR * 12 * DAYS)
    wanted = both.wanted(1.0).filter(is_there)
    ours = replace(both, bars=both.bars.filter(is_there), wanted=lambda _: wanted)
    run = ours.trade()
    assert not run.rejected["reason"].is_in(list(SHARED)).any()
    assert (luck(ours, run) == NONE) == (limits != {} or size > 0.5)


@pytest.mark.parametrize("symbols", [1, 2])
def test_who_holds_throughout_has_no_place_since_no_other_times_are_left(symbols) -> None:
    bars = pl.concat([market(n).with_columns(symbol=pl.lit(f"{n}USDT")) for n in range(symbols)])
    throughout = bars.select("symbol", "open_time", target=pl.lit(0.4))
    ours = Account(bars, lambda _: throughout, COSTS, RiskLimits(), 10_000.0)
    run = ours.trade()
    assert run.trades.height == symbols
    assert luck(ours, run) == NONE


@pytest.mark.parametrize("binds", SHARED)
def test_who_was_cut_himself_has_a_place_among_those_who_made_what_was_left_of_his_trades(binds) -> None:
    """Both at once are cut to .3 each, which fit wherever they fall."""
    ours = pair(SHARED[binds], by_turns=False)
    run = ours.trade()
    assert set(run.rejected["reason"]) == {binds}
    assert None not in luck(ours, run).values()


@pytest.mark.parametrize(
    ("size", "limits", "binds"),
    [
        (1.0, {}, "short of cash"),  # by its fee
        (0.5, {"max_gross": 0.3}, "max_gross"),
        (0.5, {**PERPETUAL, "max_net": 0.3}, "max_net"),
        (0.5, {**PERPETUAL, "correlated_exposure": {"limit": 0.3, "bars": 10}}, "correlated_exposure"),
    ],
)
def test_one_symbol_has_a_place_among_random_traders_whatever_cuts_its_orders(size, limits, binds) -> None:
    """Nothing is shared: a limit cuts random traders as it cuts the strategy, and as one on the position would.

    Each bar opens five hundredths above the close before, so that a position is larger than it was decided.
    """
    bars = market().with_columns(pl.col("open") * 1.05, pl.col("high") * 1.06)
    wanted = knowing(bars).with_columns(target=pl.col("target") * size / 0.5)
    costs = COSTS.model_copy(update={"funding_rate": 0.0})
    ours = Account(bars, lambda _: wanted, costs, RiskLimits.model_validate(limits), 10_000.0)
    run = ours.trade()
    assert binds in set(run.rejected["reason"])
    assert luck(ours, run)["percentile"] == 1.0
    if size < 1:
        alike = replace(ours, limits=RiskLimits(max_position=0.3))
        assert luck(ours, run) == pytest.approx(luck(alike, alike.trade()), rel=1e-3)


def test_symbols_that_share_all_of_the_cash_have_a_place_though_fees_and_drift_cut_a_little() -> None:
    """Two symbols of half the account each: fees make them short of cash, and what has risen leaves less than half."""
    bars = pl.concat([market(1), market(2).with_columns(symbol=pl.lit("BBBUSDT"))])
    wanted = pl.concat([knowing(market(1)), knowing(market(2)).with_columns(symbol=pl.lit("BBBUSDT"))])
    ours = Account(bars, lambda _: wanted, COSTS, RiskLimits(), 10_000.0)
    run = ours.trade()
    assert set(run.rejected["reason"]) == {"max_gross", "short of cash"}
    assert luck(ours, run)["percentile"] == 1.0


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
    row = found.filter(edge=1.0, cost_scale=2.0, added_bars=3).row(0, named=True)
    costs = scale_costs(COSTS, 2.0).model_copy(update={"latency_bars": 3})
    run = simulate(ours.bars, knowing(ours.bars), costs, RiskLimits())
    assert row["total_return"] == pytest.approx(total(run))
    assert row["sharpe_ratio"] == pytest.approx(measures.sharpe_ratio(daily_returns(run)["daily_return"]))
    at_once = found.filter(edge=1.0, added_bars=0).sort("cost_scale")["total_return"].to_list()
    assert at_once == sorted(at_once, reverse=True)
    by_delay = found.filter(edge=1.0, cost_scale=1.0).sort("added_bars")["total_return"].to_list()
    assert by_delay[0] > by_delay[-1]


@pytest.mark.parametrize("delay", [{"latency_bars": 2}, {"latency_ms": 2 * HOUR}])
def test_columns_add_bars_to_the_delay_there_is_whichever_unit_it_is_given_in(delay) -> None:
    """An order two hours late arrives at the open that one two bars late fills at: the two surfaces are one."""
    ours = account(costs=COSTS.model_copy(update=delay))
    found = sensitivity(ours).filter(edge=1.0, cost_scale=1.0)
    assert found["added_bars"].to_list() == [0, 1, 3]
    runs = [
        simulate(ours.bars, knowing(ours.bars), COSTS.model_copy(update={"latency_bars": n}), RiskLimits())
        for n in (2, 3, 5)
    ]
    assert found["total_return"].to_list() == pytest.approx([total(run) for run in runs])
    assert found["total_return"].n_unique() == 3


def test_the_edge_asked_changes_the_decisions_not_the_costs() -> None:
    bars = market()

    def wanted(edge: float) -> pl.DataFrame:
        return knowing(bars).with_columns(target=pl.col("target") * (edge < 1.5))

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


def test_a_gap_up_costs_who_was_short_and_strikes_when_most_was_short() -> None:
    """Long 10 days, then short 10 of unequal size: prices fall when most was held long, rise when most was short."""
    bars = market()
    day = pl.int_range(pl.len()) // 24
    size = pl.when(day < 10).then(0.5).when(day < 20).then(-0.3).when(day < 30).then(-0.6).otherwise(0.0)
    wanted = bars.select("symbol", "open_time", target=size)
    free = Costs(taker_fee_bps=0, half_spread_bps=0, slippage_bps=0, funding_rate=0)
    ours = Account(bars, lambda _: wanted, free, RiskLimits.model_validate(PERPETUAL), 10_000.0)
    run = ours.trade()
    found = {row["shock"]: row for row in shocks(ours, run).iter_rows(named=True)}
    assert list(found) == ["none", "gap down 20 %", "gap up 20 %", "spread x10", "exchange down 2 hours"]
    started, moment = run.fills["time"][-2], found["gap up 20 %"]["moment"]
    ended = run.fills["time"][-1]
    assert started < moment <= ended
    net = dict(run.equity.select("close_time", "net_exposure").iter_rows())
    assert net[moment] == min(net.values())
    assert net[found["gap down 20 %"]["moment"]] == max(net.values())
    short = run.fills["quantity"][:-1].sum()  # what was bought and sold before the way out
    lost = 0.2 * -short * run.fills["price"][-1]
    assert short < 0
    assert (found["none"]["total_return"] - found["gap up 20 %"]["total_return"]) * 10_000 == pytest.approx(lost)


OPENS = (100.0, 100.0, 102.0, 104.0, 108.0, 90.0, 80.0, 70.0, 60.0, 50.0)
"""By the hour; each bar closes at its open, but the bar 3 at 109, where most is held."""
FREE = Costs(taker_fee_bps=0, half_spread_bps=0, slippage_bps=0, funding_rate=0)


def hourly(opens, closes) -> pl.DataFrame:
    bars = market().head(len(opens)).with_columns(open=pl.Series(opens), close=pl.Series(closes))
    return bars.with_columns(high=pl.max_horizontal("open", "close"), low=pl.min_horizontal("open", "close"))


@pytest.mark.parametrize(
    ("leaves", "sold", "down", "sold_late"),
    [
        (2, 104.0, 3, 90.0),  # due as the exchange goes down: it is up again two hours later
        (3, 108.0, 4, 80.0),
        (4, 90.0, 4, 80.0),  # due in the second hour, since more was held an hour before
        (5, 80.0, 5, 70.0),  # most was held at 4, but nothing was due within two hours
        (6, 70.0, 6, 60.0),
    ],
)
def test_nothing_fills_while_the_exchange_is_down_and_it_is_when_something_was_due(
    leaves, sold, down, sold_late
) -> None:
    """50 units, bought at 100 for half of the account without costs, are sold at the first open that fills."""
    bars = hourly(OPENS, (*OPENS[:3], 109.0, *OPENS[4:]))
    number = pl.int_range(pl.len())
    wanted = bars.select("symbol", "open_time", target=pl.when(number < leaves).then(0.5).otherwise(0.0))
    ours = Account(bars, lambda _: wanted, FREE.model_copy(update={"funding_rate": None}), RiskLimits(), 10_000.0)
    run = ours.trade()
    assert run.fills.select("quantity", "price").rows() == [(50.0, 100.0), (-50.0, sold)]
    found = {row["shock"]: row for row in shocks(ours, run).iter_rows(named=True)}
    struck = found["exchange down 2 hours"]
    assert struck["moment"] == bars["open_time"][down]
    assert struck["trades"] == 1
    assert found["none"]["total_return"] == pytest.approx(50 * (sold - 100) / 10_000)
    assert struck["total_return"] == pytest.approx(50 * (sold_late - 100) / 10_000)


def test_who_only_ever_bought_buys_late_and_who_never_did_anything_is_spared() -> None:
    """Bought at 100 for 50 units, or when the exchange is up again at 104, and kept to the last close at 50."""
    bars = hourly(OPENS, OPENS)
    first = bars.head(1).select("symbol", "open_time", target=pl.lit(0.5))
    ours = Account(bars, lambda _: first, FREE.model_copy(update={"funding_rate": None}), RiskLimits(), 10_000.0)
    found = {row["shock"]: row for row in shocks(ours, ours.trade()).iter_rows(named=True)}
    assert found["exchange down 2 hours"]["moment"] == bars["open_time"][1]
    assert found["none"]["total_return"] == pytest.approx(-50 * 50 / 10_000)
    assert found["exchange down 2 hours"]["total_return"] == pytest.approx(-50 * 54 / 10_000)
    idle = flat(bars)
    assert set(shocks(idle, idle.trade())["total_return"]) == {0.0}


def test_most_is_held_where_it_is_most_of_the_equity_not_where_it_is_most_money() -> None:
    """Of 10,000 first .8 long, then .9 short; a rise from 100 to 300 doubles it; then three quarters of 20,000.

    A fifth of .8 is 1,600, of .9 1,800: what is left is doubled by the rise as well, whatever the level of prices.
    """
    closes = (*[100.0] * 10, *[300.0] * 8)
    bars = hourly((100.0, *closes[:-1]), closes)
    decided = {0: 0.8, 2: 0.0, 4: -0.9, 6: 0.0, 8: 0.5, 11: 0.0, 13: -0.75, 15: 0.0}
    wanted = bars.select("symbol", "open_time", target=pl.Series([decided.get(row) for row in range(len(closes))]))
    ours = Account(bars, lambda _: wanted, FREE, RiskLimits.model_validate(PERPETUAL), 10_000.0)
    run = ours.trade()
    assert sorted(run.equity["net_exposure"].round(6).unique().to_list()) == [-15_000, -9_000, 0, 5_000, 8_000, 15_000]
    found = {row["shock"]: row for row in shocks(ours, run).iter_rows(named=True)}
    assert found["none"]["total_return"] == pytest.approx(1.0)
    for shock, row in {"gap down 20 %": 2, "gap up 20 %": 6, "exchange down 2 hours": 6}.items():
        assert found[shock]["moment"] == bars["open_time"][row], shock
    assert found["gap down 20 %"]["total_return"] == pytest.approx(0.68)
    assert found["gap up 20 %"]["total_return"] == pytest.approx(0.64)
    assert found["exchange down 2 hours"]["total_return"] == pytest.approx(1.0)  # put off, at the same price


def test_baselines_are_the_reversal_at_30_and_70_and_the_cross_of_50_and_200() -> None:
    """Against Wilder's recursion, 240 bars after which its start no longer matters, and plain moving averages."""
    ours = account(market(4))
    close, change = pl.col("close"), pl.col("close").diff()
    gain, loss = (
        moved.clip(lower_bound=0).ewm_mean(alpha=1 / 14, adjust=False, ignore_nulls=True) for moved in (change, -change)
    )
    index = pl.when(pl.int_range(pl.len()) >= 240).then(100 * gain / (gain + loss))
    ahead = close.rolling_mean(50) - close.rolling_mean(200)
    decided = {
        "RSI 14 reversal": pl.when(index < 30).then(1.0).when(index > 70).then(0.0),
        "Moving averages 50/200": pl.when(ahead > 0).then(1.0).when(ahead < 0).then(0.0),
    }
    found = baselines(ours, ours.trade())
    for name, target in decided.items():
        run = simulate(ours.bars, ours.bars.select("symbol", "open_time", target=target), COSTS, RiskLimits())
        assert run.trades.height > 1, name
        expected = daily_returns(run)["daily_return"].to_list()
        assert found[name]["daily_return"].to_list() == pytest.approx(expected, abs=1e-9), name


def test_luck_is_measured_on_two_hundred_traders() -> None:
    ours = account()
    run = ours.trade()
    theirs = random_returns(ours.bars, run, COSTS, RiskLimits(), traders=200)
    assert theirs.size == 200
    assert luck(ours, run) == {
        "percentile": (theirs < total(run)).mean(),
        "median": np.median(theirs),
        "best": theirs.max(),
    }
