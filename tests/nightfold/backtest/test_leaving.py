"""Why an order ended a trade, on simulated runs of a dozen candles."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.leaving import with_reasons
from nightfold.backtest.limit import RiskLimits

Make = Callable[..., pl.DataFrame]

STILL = (100, 100, 100, 100)
QUIET = (100, 100, 100, 100, 0)
FALL = (100, 100, 80, 80)
LOW = (80, 80, 80, 80)
FREE = {"taker_fee_bps": 0, "half_spread_bps": 0, "slippage_bps": 0, "funding_rate": 0}
BREAKER = {"drawdown_breaker": {"limit": 0.05, "cooldown": 99}}


def reasons(
    candles: Make, wanted: Make, rows: list[Any], targets: list[Any], limits: dict[str, Any], **costs: int
) -> list[str | None]:
    """Trade one target a bar, and say why each trade was left."""
    paid = Costs.model_validate({**FREE, **costs})
    bars, decided = candles(rows), wanted(dict(enumerate(targets)))
    run = simulate(bars, decided, paid, RiskLimits.model_validate(limits))
    found = with_reasons(run.trades, decided.reverse(), paid, timedelta(minutes=5))
    assert found.drop("exit_reason").equals(run.trades.drop("exit_reason"))
    return found["exit_reason"].to_list()


SHORT = {"instrument": "perpetual"}
CASES: dict[str, tuple[list[Any], list[Any], dict[str, Any], list[str | None]]] = {
    "nothing was wanted any more": ([STILL] * 5, [0.5, 0.5, 0.0, 0.0, 0.0], {}, ["time"]),
    "the other side was, and is taken": ([STILL] * 6, [0.5, 0.5, -0.5, -0.5, 0.0, 0.0], SHORT, ["signal", "time"]),
    "the other side was, on a spot account": ([STILL] * 5, [0.5, 0.5, -0.5, 0.0, 0.0], {}, ["signal"]),
    "a breaker ended what was still wanted": (
        [STILL, STILL, FALL, LOW, LOW, LOW],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        BREAKER,
        ["rule"],
    ),
    "a short is ended by a long": ([STILL] * 5, [-0.5, -0.5, 0.5, 0.5, 0.5], SHORT, ["signal", None]),
    "no decision leaves the last one": (
        [STILL, STILL, STILL, QUIET, STILL, STILL],
        [0.5, None, 0.0, float("nan"), None, None],
        {},
        ["time"],
    ),
    "a stop stays a stop": ([STILL, STILL, FALL, LOW], [(0.5, 90, 120), 0.5, 0.5, 0.5], {}, ["stop"]),
}


@pytest.mark.parametrize("latency", [{}, {"latency_bars": 1}, {"latency_ms": 1_000}, {"latency_ms": 300_000}])
@pytest.mark.parametrize("name", CASES)
def test_a_trade_is_left_because(name: str, latency: dict[str, int], candles: Make, wanted: Make) -> None:
    rows, targets, limits, expected = CASES[name]
    later = (rows[-1],) * 2
    assert reasons(candles, wanted, [*rows, *later], [*targets, None, None], limits, **latency) == expected


def test_an_order_is_judged_by_what_was_wanted_when_it_was_decided(candles: Make, wanted: Make) -> None:
    """With two bars of latency the other side is wanted before the order to go flat is done."""
    targets = [0.5, 0.5, 0.0, -0.5, -0.5, -0.5, -0.5, -0.5]
    found = reasons(candles, wanted, [STILL] * 8, targets, SHORT, latency_bars=2)
    assert found == ["time", None]


def test_symbols_are_judged_apart(candles: Make, wanted: Make) -> None:
    bars = pl.concat([candles([STILL] * 6, symbol) for symbol in ("A", "B")])
    targets = {"A": [0.4, 0.4, 0.0, 0.0, 0.0, 0.0], "B": [0.4, 0.4, -0.4, -0.4, -0.4, -0.4]}
    decided = pl.concat([wanted(dict(enumerate(each)), symbol) for symbol, each in targets.items()])
    paid = Costs.model_validate(FREE)
    run = simulate(bars, decided, paid, RiskLimits.model_validate(SHORT))
    found = with_reasons(run.trades, decided, paid, timedelta(minutes=5)).select("symbol", "exit_reason")
    assert sorted(found.rows(), key=str) == [("A", "time"), ("B", "signal"), ("B", None)]


def test_no_trades_have_no_reasons(candles: Make, wanted: Make) -> None:
    assert reasons(candles, wanted, [STILL] * 3, [0.0] * 3, {}) == []
