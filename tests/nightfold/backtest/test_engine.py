"""The simulation against cases worked out by hand: a dozen candles, every expected fill written out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import Backtest
from nightfold.errors import ConfigError

Make = Callable[..., pl.DataFrame]

FREE = {"taker_fee_bps": 0, "maker_fee_bps": 0, "half_spread_bps": 0, "slippage_bps": 0, "funding_rate": 0}
PERPETUAL = {"instrument": "perpetual"}
STILL = (100, 100, 100, 100)
QUIET = (100, 100, 100, 100, 0)


@dataclass(frozen=True)
class Case:
    """Candles and targets by bar; fills as (bar, reason, quantity, price); final equity from 10,000."""

    candles: list[tuple[float, ...] | None]
    targets: dict[int, object]
    fills: list[tuple[int, str, float, float]]
    equity: float
    costs: dict[str, float] = field(default_factory=dict)
    limits: dict[str, object] = field(default_factory=dict)
    rejected: list[tuple[str, float]] = field(default_factory=list)


# 50 units are bought at 100 in most cases: half of 10,000 at a close of 100.
LONG = (0.5, 98, 103)
CASES = {
    "an order fills at the next open, with the quantity fixed at the decision": Case(
        [STILL, (101, 102, 101, 102)], {0: 0.5}, [(1, "order", 50, 101)], 10_050
    ),
    "one bar of latency fills one open later": Case(
        [STILL, STILL, (104, 104, 104, 104)], {0: 0.5}, [(2, "order", 50, 104)], 10_000, {"latency_bars": 1}
    ),
    "with latency two orders are under way and each fills in its turn": Case(
        [STILL, STILL, (101, 101, 101, 101), (102, 102, 102, 102)],
        {0: 0.5, 1: 0.0},
        [(2, "order", 50, 101), (3, "order", -50, 102)],
        10_050,
        {"latency_bars": 1},
    ),
    "an unchanged target is no order, although the price moved": Case(
        [STILL, (100, 200, 100, 200), (200, 200, 200, 200)], {0: 0.5, 1: 0.5, 2: 0.5}, [(1, "order", 50, 100)], 15_000
    ),
    "a null target is no decision": Case(
        [STILL, STILL, STILL, STILL], {0: 0.5, 1: None, 2: 0.5}, [(1, "order", 50, 100)], 10_000
    ),
    "NaN is no decision either": Case([STILL] * 3, {0: 0.5, 1: float("nan")}, [(1, "order", 50, 100)], 10_000),
    "a larger target buys the difference to its own quantity": Case(
        # equity 15,000 at close 200: .6 of it is 45 units
        [STILL, (100, 200, 100, 200), (200, 200, 200, 200)],
        {0: 0.5, 1: 0.6},
        [(1, "order", 50, 100), (2, "order", -5, 200)],
        15_000,
    ),
    "a reversal is one fill": Case(
        [STILL, STILL, (102, 102, 102, 102)],
        {0: 0.5, 1: -0.5},
        [(1, "order", 50, 100), (2, "order", -100, 102)],
        10_100,
        limits=PERPETUAL,
    ),
    "a fee is at least the minimum": Case([STILL, STILL], {0: 0.5}, [(1, "order", 50, 100)], 9_993, {"minimum_fee": 7}),
    "the minimum fee of a reversal is charged once": Case(
        # equity is 9,993 at the second decision: short 49.965
        [STILL, STILL, STILL],
        {0: 0.5, 1: -0.5},
        [(1, "order", 50, 100), (2, "order", -99.965, 100)],
        9_986,
        {"minimum_fee": 7},
        PERPETUAL,
    ),
    "spot buys no more than its cash, and lists the rest": Case(
        [STILL, (125, 125, 125, 125)],
        {0: 1.0},
        [(1, "order", 80, 125)],
        10_000,
        rejected=[("short of cash", 20)],
    ),
    "spot cash also has to pay the fee": Case(
        # 10,000 / (100 * 1.001)
        [STILL, STILL],
        {0: 1.0},
        [(1, "order", 99.9000999001, 100)],
        9_990.00999001,
        {"taker_fee_bps": 10},
        rejected=[("short of cash", 0.0999000999)],
    ),
    "a minimum fee above the cash leaves nothing to buy": Case(
        [STILL, STILL], {0: 1.0}, [], 10_000, {"minimum_fee": 10_001}, rejected=[("short of cash", 100)]
    ),
    "spot takes a negative target for zero, and lists it": Case(
        [STILL, STILL, (101, 101, 101, 101)],
        {0: 0.5, 1: -0.5},
        [(1, "order", 50, 100), (2, "order", -50, 101)],
        10_050,
        rejected=[("no short on spot", -50)],
    ),
    "a perpetual account buys on credit up to its limit": Case(
        [STILL, (100, 101, 100, 101)],
        {0: 3.0},
        [(1, "order", 200, 100)],
        10_200,
        limits={**PERPETUAL, "max_gross": 2, "max_position": 3},
        rejected=[("max_gross", 100)],
    ),
    "a target above the largest position is cut": Case(
        [STILL, STILL],
        {0: 0.5},
        [(1, "order", 20, 100)],
        10_000,
        limits={"max_position": 0.2},
        rejected=[("max_position", 30)],
    ),
    "a limit cuts what an order adds, not what it takes away": Case(
        # at the close of 1 equity is 11,000 and the short of 20 adds to 50 * 120 that go: room 11,000, 55 units wanted
        [STILL, (100, 120, 100, 120), (120, 120, 120, 120)],
        {0: 0.5, 1: -0.6},
        [(1, "order", 50, 100), (2, "order", -105, 120)],
        11_000,
        limits=PERPETUAL,
    ),
    "a stop fills at the stop; a touch is enough": Case(
        [STILL, (100, 101, 99, 100), (99, 99, 98, 99)], {0: LONG}, [(1, "order", 50, 100), (2, "stop", -50, 98)], 9_900
    ),
    "a bar that opens beyond the stop fills at the open": Case(
        [STILL, STILL, (97, 99, 96, 99)], {0: LONG}, [(1, "order", 50, 100), (2, "stop", -50, 97)], 9_850
    ),
    "a target fills at its limit": Case(
        [STILL, STILL, (101, 103.5, 101, 102)], {0: LONG}, [(1, "order", 50, 100), (2, "target", -50, 103)], 10_150
    ),
    "a target that is only touched does not fill": Case(
        [STILL, STILL, (101, 103, 101, 103)], {0: LONG}, [(1, "order", 50, 100)], 10_150
    ),
    "a bar that opens beyond the target fills at the limit, never better": Case(
        [STILL, STILL, (104, 105, 103.5, 104)], {0: LONG}, [(1, "order", 50, 100), (2, "target", -50, 103)], 10_150
    ),
    "stop and target in one bar: the stop": Case(
        [STILL, STILL, (99, 103.5, 97.9, 100)], {0: LONG}, [(1, "order", 50, 100), (2, "stop", -50, 98)], 9_900
    ),
    "a bar that opens beyond the target has it first, whatever follows": Case(
        [STILL, STILL, (104, 104, 97, 97)], {0: LONG}, [(1, "order", 50, 100), (2, "target", -50, 103)], 10_150
    ),
    "brackets are live in the entry bar": Case(
        [STILL, (100, 101, 97.9, 100)], {0: LONG}, [(1, "order", 50, 100), (1, "stop", -50, 98)], 9_900
    ),
    "an entry that opens beyond its stop leaves at that open": Case(
        [STILL, (97, 99, 96, 99)], {0: LONG}, [(1, "order", 50, 97), (1, "stop", -50, 97)], 10_000
    ),
    "an entry that opens beyond its target leaves at that open": Case(
        [STILL, (104, 105, 100, 101)], {0: LONG}, [(1, "order", 50, 104), (1, "target", -50, 104)], 10_000
    ),
    "a short has its stop above and its target below": Case(
        [STILL, STILL, (101, 102, 96, 97)],
        {0: (-0.5, 102, 97)},
        [(1, "order", -50, 100), (2, "stop", 50, 102)],
        9_900,
        limits=PERPETUAL,
    ),
    "a short's target fills once the bar trades below it": Case(
        [STILL, (100, 100, 97, 97), (97, 97, 96.9, 97)],
        {0: (-0.5, 102, 97)},
        [(1, "order", -50, 100), (2, "target", 50, 97)],
        10_150,
        limits=PERPETUAL,
    ),
    "after a stop the position stays flat until the target changes": Case(
        [STILL, (100, 100, 97, 98), STILL, STILL, STILL, STILL],
        {0: LONG, 1: 0.5, 2: 0.5, 3: 0.4},
        [(1, "order", 50, 100), (1, "stop", -50, 98), (4, "order", 39.6, 100)],  # .4 of 9,900
        9_900,
    ),
    "an order due at the open goes before the stop": Case(
        [STILL, STILL, (100, 100, 90, 90)], {0: LONG, 1: 0.0}, [(1, "order", 50, 100), (2, "order", -50, 100)], 10_000
    ),
    "an order that changes the position installs its own brackets, none removes them": Case(
        [STILL, STILL, (100, 100, 90, 100)],
        {0: LONG, 1: 0.4},
        [(1, "order", 50, 100), (2, "order", -10, 100)],
        10_000,
    ),
    "an unchanged target with another stop keeps the old one": Case(
        [STILL, STILL, (100, 100, 98.5, 100)], {0: LONG, 1: (0.5, 99, None)}, [(1, "order", 50, 100)], 10_000
    ),
    "an order waits for a bar with volume": Case(
        [STILL, QUIET, QUIET, (103, 103, 103, 103)], {0: 0.5}, [(3, "order", 50, 103)], 10_000
    ),
    "a newer due order replaces one that waits": Case(
        [STILL, QUIET, QUIET, (103, 103, 103, 103)], {0: 0.5, 1: 0.2}, [(3, "order", 20, 103)], 10_000
    ),
    "no stop fires on a bar without volume, and the mark is the last close that traded": Case(
        [STILL, STILL, (90, 90, 90, 90, 0)], {0: LONG}, [(1, "order", 50, 100)], 10_000
    ),
    "a hole delays the fill to the first bar behind it": Case(
        [STILL, None, None, (103, 104, 103, 104)], {0: 0.5}, [(3, "order", 50, 103)], 10_050
    ),
    "latency counts bars that exist": Case(
        [STILL, None, STILL, (103, 103, 103, 103)], {0: 0.5}, [(3, "order", 50, 103)], 10_000, {"latency_bars": 1}
    ),
    "stops pay spread, slippage and taker fee, like orders": Case(
        # bought at 100.03 for 5,001.50 and 5.0015; sold at 98 * .9997 = 97.9706 for 4,898.53 and 4.89853
        [STILL, (100, 101, 98, 100)],
        {0: LONG},
        [(1, "order", 50, 100.03), (1, "stop", -50, 97.9706)],
        10_000 - 5_001.5 - 5.0015 + 4_898.53 - 4.89853,
        {"taker_fee_bps": 10, "half_spread_bps": 1, "slippage_bps": 2, "maker_fee_bps": 5},
    ),
    "targets pay the maker fee only": Case(
        # sold at 103 for 5,150 and 2.575
        [STILL, (100, 104, 100, 100)],
        {0: LONG},
        [(1, "order", 50, 100.03), (1, "target", -50, 103)],
        10_000 - 5_001.5 - 5.0015 + 5_150 - 2.575,
        {"taker_fee_bps": 10, "half_spread_bps": 1, "slippage_bps": 2, "maker_fee_bps": 5},
    ),
    "volatility slippage is the root mean square of the returns before the fill's bar": Case(
        # returns of 3 % and 4 % up and down in logs: rms = sqrt((.03^2 + .04^2) / 2) = .0353553, of the open 100
        [
            STILL,
            (100, 103.0454534, 100, 103.0454534),
            (103.0454534, 103.0454534, 99.0049834, 99.0049834),
            (100, 100, 100, 100),
        ],
        {2: 0.5},
        [(3, "order", 50.5025083542, 103.5355339)],
        10_000 - 50.5025083542 * 3.5355339,
        {"volatility_slippage": 1},
    ),
    "a position is liquidated where equity meets the maintenance margin": Case(
        # 500 units, cash -40,000: 500 p - 40,000 = .01 * 500 p at p = 80.8081
        [STILL, (100, 100, 70, 75)],
        {0: 5},
        [(1, "order", 500, 100), (1, "liquidation", -500, 80.80808081)],
        404.0404,
        limits={**PERPETUAL, "max_gross": 5, "max_position": 5, "maintenance_margin": 0.01},
    ),
    "a nearer stop goes before liquidation": Case(
        [STILL, (100, 100, 70, 75)],
        {0: (5, 81, None)},
        [(1, "order", 500, 100), (1, "stop", -500, 81)],
        500,
        limits={**PERPETUAL, "max_gross": 5, "max_position": 5, "maintenance_margin": 0.01},
    ),
    "a farther stop goes after it": Case(
        [STILL, (100, 100, 70, 75)],
        {0: (5, 80.5, None)},
        [(1, "order", 500, 100), (1, "liquidation", -500, 80.80808081)],
        404.0404,
        limits={**PERPETUAL, "max_gross": 5, "max_position": 5, "maintenance_margin": 0.01},
    ),
    "a short is liquidated above": Case(
        # cash 60,000 - 500 p = .01 * 500 p at p = 118.8119
        [STILL, (100, 130, 100, 110)],
        {0: -5},
        [(1, "order", -500, 100), (1, "liquidation", 500, 118.8118812)],
        594.0594,
        limits={**PERPETUAL, "max_gross": 5, "max_position": 5, "maintenance_margin": 0.01},
    ),
    "no signal, no trade, no cost": Case([STILL] * 3, {}, [], 10_000, {"taker_fee_bps": 10, "minimum_fee": 3}),
    "a target of zero from the start is no order": Case([STILL] * 3, {0: 0.0}, [], 10_000, {"minimum_fee": 3}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_case_worked_out_by_hand(case: Case, candles: Make, wanted: Make, at: Callable[[int], datetime]) -> None:
    result = simulate(
        candles(case.candles), wanted(case.targets), Costs(**{**FREE, **case.costs}), RiskLimits(**case.limits)
    )
    expected = [(at(bar), reason) for bar, reason, _, _ in case.fills]
    assert result.fills.select("open_time", "reason").rows() == expected
    assert result.fills["quantity"].to_list() == pytest.approx([quantity for _, _, quantity, _ in case.fills])
    assert result.fills["price"].to_list() == pytest.approx([price for _, _, _, price in case.fills])
    assert result.equity["equity"][-1] == pytest.approx(case.equity)
    assert result.rejected["reason"].to_list() == [reason for reason, _ in case.rejected]
    assert result.rejected["dropped"].to_list() == pytest.approx([dropped for _, dropped in case.rejected])
    check_trades(result)


def check_trades(result: Backtest) -> None:
    """Trades share out all profit and all fees, whatever happened."""
    assert result.trades["profit"].sum() == pytest.approx(result.equity["equity"][-1] - result.capital, abs=1e-9)
    assert result.trades["fees"].sum() == pytest.approx(result.fills["fee"].sum())


def test_the_worked_example_of_a_fill(candles: Make, wanted: Make) -> None:
    costs = Costs(taker_fee_bps=10, half_spread_bps=1, slippage_bps=2)
    bars = candles([STILL, (101, 102, 101, 102), (102, 102, 102, 102)])
    result = simulate(bars, wanted({0: 0.5, 1: 0.5}), costs, RiskLimits(), 10_000)
    fill = result.fills.row(0, named=True)
    assert result.fills.height == 1
    assert (fill["quantity"], round(fill["price"], 4), round(fill["fee"], 4)) == (50, 101.0303, 5.0515)
    assert fill["spread_cost"] == pytest.approx(50 * 0.0101)
    assert fill["slippage_cost"] == pytest.approx(50 * 0.0202)
    assert round(result.equity["cash"][1], 4) == 4_943.4335
    assert round(result.equity["equity"][1], 4) == 10_043.4335


def test_the_worked_example_of_funding(candles: Make, wanted: Make, at: Callable[[int], datetime]) -> None:
    """Bars 94, 95, 96 open at 07:50, 07:55 and 08:00; the stamp belongs to the close of 95."""
    mark = (20_000, 20_000, 20_000, 20_000)
    bars = candles([mark] * 98)
    stamp = at(96).replace(microsecond=5_000)
    stamps = [at(0), stamp, at(192)]
    funding = pl.DataFrame({"symbol": "BTCUSDT", "funding_time": stamps, "funding_rate": 0.0001})
    costs, limits = (
        Costs(**{**FREE, "funding_rate": None}),
        RiskLimits(instrument="perpetual", max_gross=9, max_position=9),
    )
    held = {90: 4.0}  # of 10,000: two units

    def paid(decisions: dict[int, float]) -> list[float]:
        return simulate(bars, wanted(decisions), costs, limits, 10_000, funding).funding["amount"].to_list()

    assert paid(held) == pytest.approx([4.0])
    assert paid({**held, 95: 0.0}) == pytest.approx([4.0])  # sold at the open of 08:00
    assert paid({95: 4.0}) == []  # bought there
    assert paid({90: -4.0}) == pytest.approx([-4.0])
    result = simulate(bars, wanted(held), costs, limits, 10_000, funding)
    assert result.equity["equity"][-1] == pytest.approx(9_996)
    assert result.trades["funding"].to_list() == pytest.approx([4.0])
    assert result.funding["time"].to_list() == [at(96)]


def test_a_stamp_in_a_hole_is_charged_before_the_fill_behind_it(candles: Make, wanted: Make) -> None:
    mark = (20_000, 20_000, 20_000, 20_000)
    rows = [*[mark] * 95, None, None, None, *[(30_000, 30_000, 30_000, 30_000)] * 2]
    costs = Costs(**{**FREE, "funding_rate": 0.0001})
    limits = RiskLimits(instrument="perpetual", max_gross=9, max_position=9)
    result = simulate(candles(rows), wanted({90: 4.0, 94: 0.0}), costs, limits)
    assert result.funding.select("quantity", "price", "amount").rows() == [(2.0, 20_000.0, pytest.approx(4.0))]


def test_the_position_at_the_end_is_marked_and_its_orders_are_listed(
    candles: Make, wanted: Make, at: Callable[[int], datetime]
) -> None:
    bars = candles([STILL, (100, 101, 100, 101), (101, 110, 101, 110)])
    result = simulate(bars, wanted({0: 0.5, 2: 0.2}), Costs(**FREE), RiskLimits())
    trade = result.trades.row(0, named=True)
    assert result.trades.height == 1
    assert trade["is_open"]
    assert (trade["exit_time"], trade["exit_price"], trade["exit_reason"]) == (None, None, None)
    assert (trade["profit"], trade["return_"], trade["bars"]) == (500, 0.1, 1)
    assert result.open_orders.rows() == [("BTCUSDT", at(2), pytest.approx(0.2 * 10_500 / 110))]


def test_an_order_that_still_waits_for_volume_is_listed(
    candles: Make, wanted: Make, at: Callable[[int], datetime]
) -> None:
    result = simulate(candles([STILL, QUIET, QUIET]), wanted({0: 0.5}), Costs(**FREE), RiskLimits())
    assert result.open_orders.rows() == [("BTCUSDT", at(0), 50.0)]


def test_a_reversal_ends_one_trade_and_splits_its_fee_by_quantity(candles: Make, wanted: Make) -> None:
    bars = candles([STILL, STILL, (102, 102, 102, 102), STILL])
    costs = Costs(**{**FREE, "taker_fee_bps": 10})
    result = simulate(bars, wanted({0: 0.5, 1: -0.25}), costs, RiskLimits(instrument="perpetual"))
    sold = 50 + 0.25 * 9_995 / 100  # the first fill cost 5
    fee = sold * 102 * 0.001
    long, short = result.trades.rows(named=True)
    assert (long["side"], short["side"]) == (1, -1)
    assert long["profit"] == pytest.approx(100 - 5 - fee * 50 / sold)
    assert long["fees"] == pytest.approx(5 + fee * 50 / sold)
    assert short["fees"] == pytest.approx(fee * (sold - 50) / sold)
    assert long["exit_time"] == short["entry_time"]
    assert short["is_open"]


def test_a_trade_says_what_it_was(candles: Make, wanted: Make, at: Callable[[int], datetime]) -> None:
    bars = candles([STILL, STILL, (101, 101, 101, 101), (104, 104, 104, 104), (104, 104, 97, 97)])
    result = simulate(bars, wanted({0: (0.5, 90, None), 1: (0.6, 98, None)}), Costs(**FREE), RiskLimits())
    assert result.trades.rows(named=True) == [
        {
            "symbol": "BTCUSDT",
            "side": 1,
            "entry_time": at(1),
            "exit_time": at(5),  # within bar 4, so known at its close
            "quantity": 60.0,
            "entry_price": pytest.approx((50 * 100 + 10 * 101) / 60),
            "exit_price": 98.0,
            "fees": 0.0,
            "funding": 0.0,
            "profit": pytest.approx(60 * 98 - 6_010),
            "return_": pytest.approx((60 * 98 - 6_010) / 6_010),
            "bars": 3,
            "is_open": False,
            "exit_reason": "stop",
        }
    ]


def test_sells_come_before_buys_so_that_spot_can_switch(candles: Make, wanted: Make) -> None:
    bars = pl.concat([candles([STILL] * 3, "AAAUSDT"), candles([STILL] * 3, "ZZZUSDT")])
    targets = pl.concat([wanted({1: 1.0}, "AAAUSDT"), wanted({0: 1.0, 1: 0.0}, "ZZZUSDT")])
    result = simulate(bars, targets, Costs(**FREE), RiskLimits())
    assert result.fills.select("symbol", "quantity").rows() == [
        ("ZZZUSDT", 100.0),
        ("ZZZUSDT", -100.0),
        ("AAAUSDT", 100.0),
    ]
    assert result.rejected.is_empty()


def test_buys_that_cash_cannot_pay_shrink_in_proportion(candles: Make, wanted: Make) -> None:
    """60 at 125 and 40 at 125 cost 12,500: each is cut to four fifths."""
    up = [STILL, (125, 125, 125, 125)]
    bars = pl.concat([candles(up, "AAAUSDT"), candles(up, "ZZZUSDT")])
    targets = pl.concat([wanted({0: 0.6}, "AAAUSDT"), wanted({0: 0.4}, "ZZZUSDT")])
    result = simulate(bars, targets, Costs(**FREE), RiskLimits())
    assert result.fills["quantity"].to_list() == pytest.approx([48, 32])
    assert result.rejected.select("wanted", "dropped").rows() == [
        (pytest.approx(60), pytest.approx(12)),
        (pytest.approx(40), pytest.approx(8)),
    ]


def test_a_shared_limit_shrinks_all_orders_of_the_bar_in_proportion(candles: Make, wanted: Make) -> None:
    """A holds .5; B and C want .6 and -.4 more: the room of .5 is half of what they add."""
    names = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
    bars = pl.concat([candles([STILL] * 4, name) for name in names])
    decisions: list[dict[int, object]] = [{0: 0.5}, {1: 0.6}, {1: -0.4}]
    targets = pl.concat([wanted(decision, name) for decision, name in zip(decisions, names, strict=True)])
    result = simulate(bars, targets, Costs(**FREE), RiskLimits(instrument="perpetual"))
    assert dict(result.fills.select("symbol", "quantity").rows()) == pytest.approx(
        {"AAAUSDT": 50, "BBBUSDT": 30, "CCCUSDT": -20}
    )
    assert result.rejected.select("reason", "wanted", "dropped").rows() == [
        ("max_gross", 60, 30),
        ("max_gross", -40, -20),
    ]
    assert result.equity["gross_exposure"][-1] == pytest.approx(10_000)
    assert result.equity["net_exposure"][-1] == pytest.approx(6_000)


def test_orders_under_way_count_against_the_limit(candles: Make, wanted: Make) -> None:
    bars = pl.concat([candles([STILL] * 6, "AAAUSDT"), candles([STILL] * 6, "ZZZUSDT")])
    targets = pl.concat([wanted({0: 0.8}, "AAAUSDT"), wanted({1: 0.8}, "ZZZUSDT")])
    result = simulate(bars, targets, Costs(**{**FREE, "latency_bars": 3}), RiskLimits(instrument="perpetual"))
    assert result.fills["quantity"].to_list() == pytest.approx([80, 20])


def test_equity_that_is_used_up_ends_the_run(candles: Make, wanted: Make) -> None:
    """500 units on a cash of -40,000, and the next bar opens at 79: nothing is left."""
    bars = candles([STILL, STILL, (79, 79, 79, 79), STILL, STILL])
    limits = RiskLimits(instrument="perpetual", max_gross=5, max_position=5)
    result = simulate(bars, wanted({0: 5.0, 3: 1.0}), Costs(**FREE), limits)
    assert result.is_ruined
    assert result.fills.select("reason", "price").rows() == [("order", 100.0), ("liquidation", 79.0)]
    assert result.equity["equity"].to_list() == [10_000, 10_000, -500]
    assert result.open_orders.is_empty()


def test_a_gap_filled_bar_fills_nothing(candles: Make, wanted: Make, at: Callable[[int], datetime]) -> None:
    bars = candles([STILL, STILL, STILL]).with_columns(gap_filled=pl.Series([False, True, False]))
    result = simulate(bars, wanted({0: 0.5}), Costs(**FREE), RiskLimits())
    assert result.fills["open_time"].to_list() == [at(2)]


def test_symbols_with_different_bars_share_one_account(
    candles: Make, wanted: Make, at: Callable[[int], datetime]
) -> None:
    bars = pl.concat([candles([STILL, None, STILL], "AAAUSDT"), candles([None, STILL, STILL], "ZZZUSDT")])
    targets = pl.concat([wanted({0: 0.5}, "AAAUSDT"), wanted({1: 0.5}, "ZZZUSDT")])
    result = simulate(bars, targets, Costs(**FREE), RiskLimits())
    assert result.equity["close_time"].to_list() == [at(1), at(2), at(3)]
    assert result.fills.select("symbol", "time").rows() == [("AAAUSDT", at(2)), ("ZZZUSDT", at(2))]


def test_the_nearest_stop_goes_first_and_takes_the_others_out_of_danger(candles: Make, wanted: Make) -> None:
    """1,000 units on a cash of -90,000 would meet the margin at 90.91; A's stop at 98 leaves B safe down to 82.83."""
    fall = [STILL, STILL, (100, 100, 90, 95)]
    bars = pl.concat([candles(fall, "AAAUSDT"), candles(fall, "ZZZUSDT")])
    limits = RiskLimits(instrument="perpetual", max_gross=10, max_position=5, maintenance_margin=0.01)
    for near, far in (("AAAUSDT", "ZZZUSDT"), ("ZZZUSDT", "AAAUSDT")):
        targets = pl.concat([wanted({0: (5.0, 98, None)}, near), wanted({0: (5.0, 90.5, None)}, far)])
        result = simulate(bars, targets, Costs(**FREE), limits)
        assert result.fills[2:].select("symbol", "reason", "price").rows() == [
            (near, "stop", 98),
            (far, "stop", 90.5),
        ]


def test_a_stop_whose_fee_uses_up_the_margin_is_followed_by_liquidation_there(candles: Make, wanted: Make) -> None:
    """800 units bought for 80,000 and two fees of 700: cash is -71,400, and both symbols fall from 100 to 90.

    Together they meet the margin where 800 p - 71,400 = .01 * 800 p, at 90.1515. A stop of A at 90.2 comes first and
    leaves -71,400 + 36,080 - 700 = -36,020, which is under the margin of B at once: 400 * 90.2 * .99 = 35,719.2.
    """
    fall = [STILL, STILL, (100, 100, 90, 95)]
    bars = pl.concat([candles(fall, "AAAUSDT"), candles(fall, "ZZZUSDT")])
    targets = pl.concat([wanted({0: (4.0, 90.2, None)}, "AAAUSDT"), wanted({0: 4.0}, "ZZZUSDT")])
    limits = RiskLimits(instrument="perpetual", max_gross=8, max_position=8, maintenance_margin=0.01)
    costs = Costs(**{**FREE, "minimum_fee": 700})
    result = simulate(bars, targets, costs, limits)
    assert result.fills[2:].select("symbol", "reason", "price").rows() == [
        ("AAAUSDT", "stop", 90.2),
        ("ZZZUSDT", "liquidation", pytest.approx(90.2)),
    ]
    alone = simulate(bars, targets.with_columns(stop=None), costs, limits)
    assert alone.fills[2:]["price"].to_list() == pytest.approx([71_400 / 792] * 2)


@pytest.mark.parametrize("capital", [0.0, -1.0, float("nan"), float("inf")])
def test_capital_must_be_a_positive_amount(capital: float, candles: Make, wanted: Make) -> None:
    with pytest.raises(ConfigError, match="capital"):
        simulate(candles([STILL] * 2), wanted({}), Costs(), RiskLimits(), capital)


def test_funding_on_a_spot_account_is_refused(candles: Make, wanted: Make) -> None:
    with pytest.raises(ConfigError, match="spot"):
        simulate(candles([STILL] * 2), wanted({}), Costs(), RiskLimits(), funding=pl.DataFrame())


def test_steps_and_minima_by_symbol_are_needed_for_each(candles: Make, wanted: Make) -> None:
    bars = pl.concat([candles([STILL] * 3, "AAAUSDT"), candles([STILL] * 3, "ZZZUSDT")])
    targets = pl.concat([wanted({0: 0.333}, "AAAUSDT"), wanted({0: 0.333}, "ZZZUSDT")])
    costs = Costs(**FREE, quantity_step={"AAAUSDT": 10, "ZZZUSDT": 0})
    assert simulate(bars, targets, costs, RiskLimits()).fills["quantity"].to_list() == pytest.approx([30, 33.3])
    with pytest.raises(ConfigError, match=r"`costs\.tick_size` has no value for ZZZUSDT"):
        simulate(bars, targets, Costs(**FREE, tick_size={"AAAUSDT": 1}), RiskLimits())


def test_a_limit_order_that_never_filled_is_listed_at_the_end(
    candles: Make, wanted: Make, at: Callable[[int], datetime]
) -> None:
    targets = wanted({0: 0.5}).with_columns(limit=pl.lit(90.0))
    result = simulate(candles([STILL] * 3), targets, Costs(**FREE), RiskLimits())
    assert result.fills.is_empty()
    assert result.open_orders.rows() == [("BTCUSDT", at(0), 50.0)]
