"""Limits that symbols share, on markets whose correlations are known by construction."""

from collections.abc import Callable, Sequence

import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import Backtest

Make = Callable[..., pl.DataFrame]

FREE = Costs(taker_fee_bps=0, maker_fee_bps=0, half_spread_bps=0, slippage_bps=0, funding_rate=0)
UP, DOWN = 1.01, 1 / 1.01
BARS = 12
# Twelve returns each; over all of them any two of these are uncorrelated or one another's mirror.
PAIRS = [UP, DOWN] * 6
HALVES = [UP, UP, DOWN, DOWN] * 3


def moving(candles: Make, moves: Sequence[float], symbol: str) -> pl.DataFrame:
    """A first bar at 100, one bar a move, and two that stand still at 100 again."""
    price, rows = 100.0, [(100.0,) * 4]
    for move in moves:
        rows.append((price, max(price, price * move), min(price, price * move), price * move))
        price *= move
    return candles([*rows, (price,) * 4, (price,) * 4], symbol)


def decided(
    candles: Make, wanted: Make, markets: dict[str, tuple[Sequence[float], float]], **rules: object
) -> Backtest:
    """Decide on a target in each market once its moves are over."""
    bars = pl.concat(moving(candles, moves, symbol) for symbol, (moves, _) in markets.items())
    targets = pl.concat(wanted({BARS: target}, symbol) for symbol, (_, target) in markets.items())
    return simulate(bars, targets, FREE, RiskLimits(instrument="perpetual", max_gross=5, max_position=5, **rules))


def filled(result: Backtest) -> dict[str, float]:
    """Quantity bought of each symbol; prices are 100 again."""
    return dict(result.fills.select("symbol", "quantity").rows())


LIMIT = {"limit": 0.6, "bars": BARS}
MIRROR = [1 / move for move in PAIRS]


@pytest.mark.parametrize(
    ("second", "target", "exposure"),
    [
        (PAIRS, 0.5, 1.0),
        (PAIRS, -0.5, None),
        (HALVES, 0.5, 0.5**0.5),
        (HALVES, -0.5, 0.5**0.5),
        (MIRROR, 0.5, None),
        (MIRROR, -0.5, 1.0),
    ],
    ids=["as one", "hedged", "independent", "independent, short", "against each other", "against, but short"],
)
def test_two_halves_count_by_how_they_move_together(
    candles: Make, wanted: Make, second: Sequence[float], target: float, exposure: float | None
) -> None:
    result = decided(candles, wanted, {"A": (PAIRS, 0.5), "B": (second, target)}, correlated_exposure=LIMIT)
    share = 1.0 if exposure is None else 0.6 / exposure
    assert filled(result) == pytest.approx({"A": 50 * share, "B": 100 * target * share}, rel=1e-4)
    assert result.triggers["figure"].to_list() == pytest.approx([] if exposure is None else [exposure], rel=1e-4)
    assert result.rejected["reason"].to_list() == ["correlated_exposure"] * (0 if exposure is None else 2)


def test_until_there_are_returns_enough_positions_add_up(candles: Make, wanted: Make) -> None:
    markets = {"A": (PAIRS, 0.5), "B": (HALVES, -0.5)}
    result = decided(candles, wanted, markets, correlated_exposure={"limit": 0.6, "bars": BARS + 1})
    assert result.triggers["figure"].to_list() == [1.0]
    assert filled(result) == pytest.approx({"A": 30, "B": -30})


def test_an_order_that_lowers_the_correlated_exposure_is_let_through(candles: Make, wanted: Make) -> None:
    """A holds .6, as much as may be; short B, which moves as A, takes from it."""
    bars = pl.concat(moving(candles, PAIRS, symbol) for symbol in ("A", "B"))
    targets = pl.concat([wanted({0: 0.6}, "A"), wanted({BARS: -0.5}, "B")])
    limits = RiskLimits(instrument="perpetual", max_gross=5, max_position=5, correlated_exposure=LIMIT)
    result = simulate(bars, targets, FREE, limits)
    assert filled(result) == pytest.approx({"A": 60, "B": -50})
    assert result.triggers.is_empty()


def test_correlation_looks_at_nothing_after_the_decision(candles: Make, wanted: Make) -> None:
    def cut(future: Sequence[float]) -> list[float]:
        bars = pl.concat([moving(candles, [*PAIRS, *future], "A"), moving(candles, [*HALVES, *future], "B")])
        targets = pl.concat([wanted({BARS: 0.5}, "A"), wanted({BARS: 0.5}, "B")])
        limits = RiskLimits(instrument="perpetual", max_gross=5, max_position=5, correlated_exposure=LIMIT)
        return simulate(bars, targets, FREE, limits).triggers["figure"].to_list()

    assert cut([UP] * 4) == cut([DOWN, UP, UP, DOWN])


def test_the_net_limit_cuts_the_heavier_side_only(candles: Make, wanted: Make) -> None:
    """Long .5 and .3, short .4: the net of .4 has to become .1, so the longs' .8 become .5."""
    markets = {"A": (PAIRS, 0.5), "B": (PAIRS, 0.3), "C": (PAIRS, -0.4)}
    result = decided(candles, wanted, markets, max_net=0.1)
    assert filled(result) == pytest.approx({"A": 31.25, "B": 18.75, "C": -40}, rel=1e-6)
    assert result.triggers.select("rule", "symbol").rows() == [("max_net", None)]
    assert result.triggers["figure"].to_list() == pytest.approx([0.4])


def test_breakers_sell_every_symbol(candles: Make, wanted: Make) -> None:
    fall = [(100.0,) * 4, (100.0,) * 4, (100, 100, 80, 80), (80.0,) * 4]
    bars = pl.concat(candles(fall, symbol) for symbol in ("A", "B"))
    targets = pl.concat(wanted({0: 0.5}, symbol) for symbol in ("A", "B"))
    result = simulate(bars, targets, FREE, RiskLimits(drawdown_breaker={"limit": 0.1}))
    assert result.fills["quantity"].to_list() == pytest.approx([50, 50, -50, -50])
    assert result.triggers["figure"].to_list() == pytest.approx([0.2])
