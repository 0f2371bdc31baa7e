"""Random traders: the strategy's trades, laid out anew, and what the simulation makes of them."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.backtest.baseline_random import Entries, entries_of, percentile, random_returns, random_targets
from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.errors import ConfigError

FREE = Costs(taker_fee_bps=0, maker_fee_bps=0, half_spread_bps=0, slippage_bps=0, funding_rate=0)
PERPETUAL = RiskLimits(instrument="perpetual", max_position=2, max_gross=4)


def market(seed: int, length: int = 600, symbols: int = 2) -> pl.DataFrame:
    """Make up hours of a market without drift; some of them nobody trades in."""
    rng = np.random.default_rng(seed)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    frames = []
    for number in range(symbols):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, length)))
        opens = np.concatenate(([100.0], close[:-1]))
        prices = {"open": opens, "high": np.maximum(opens, close), "low": np.minimum(opens, close), "close": close}
        times = [start + timedelta(hours=hour) for hour in range(length)]
        volume = rng.choice([0.0, 5.0], length, p=[0.05, 0.95])
        frames.append(pl.DataFrame({"symbol": f"S{number}", "open_time": times, **prices, "volume": volume}))
    return pl.concat(frames).with_columns(pl.col("open_time").cast(pl.Datetime("ms", "UTC")))


def some_targets(bars: pl.DataFrame, seed: int, sizes: list[float]) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    decided = pl.Series(rng.random(bars.height) < 0.05)
    return bars.select("symbol", "open_time", target=pl.Series(rng.choice(sizes, bars.height))).filter(decided)


@pytest.mark.parametrize(
    ("limits", "costs", "sizes"),
    [
        (RiskLimits(), Costs(latency_bars=2), [0.0, 0.4, 0.5]),
        (PERPETUAL, Costs(funding_rate=0.001, volatility_slippage=0.1), [-1.5, -0.5, 0.0, 0.0, 1.0]),
    ],
)
def test_each_trader_is_what_the_simulation_makes_of_his_targets(
    limits: RiskLimits, costs: Costs, sizes: list[float]
) -> None:
    bars = market(1)
    run = simulate(bars, some_targets(bars, 1, sizes), costs, limits)
    found = random_returns(bars, run, costs, limits, traders=5, seed=3)
    wanted = random_targets(bars["symbol"], entries_of(run, limits), costs.latency_bars, traders=5, seed=3)
    for total, target in zip(found, wanted, strict=True):
        frame = bars.select("symbol", "open_time", target=pl.Series(target))
        alone = simulate(bars, frame, costs, limits)
        assert total == alone.equity["equity"][-1] / 10_000 - 1
        assert not alone.open_orders.height
    assert len(set(found)) == 5


def test_each_trader_makes_the_strategys_trades_at_other_times() -> None:
    """Where every bar fills, the same sides and holding times come out, symbol by symbol."""
    bars = market(2).with_columns(volume=pl.lit(5.0))
    run = simulate(bars, some_targets(bars, 2, [-0.3, 0.0, 0.0, 0.3]), FREE, PERPETUAL)
    expected = Counter(run.trades.select("symbol", "side", "bars").rows())
    assert len(expected) > 10
    times = set()
    for target in random_targets(bars["symbol"], entries_of(run, PERPETUAL), 0, traders=20, seed=1):
        made = simulate(bars, bars.select("symbol", "open_time", target=pl.Series(target)), FREE, PERPETUAL)
        assert Counter(made.trades.select("symbol", "side", "bars").rows()) == expected
        times.add(tuple(made.trades["entry_time"]))
    assert len(times) == 20


def test_sizes_are_the_fractions_entered() -> None:
    bars = market(3, symbols=1)
    run = simulate(bars, some_targets(bars, 3, [-1.2, 0.0, 0.7]), FREE, PERPETUAL)
    entries = entries_of(run, PERPETUAL)["S0"]
    assert np.abs(entries.target) == pytest.approx(np.where(run.trades["side"] > 0, 0.7, 1.2), rel=1e-9)
    assert np.abs(entries_of(run, RiskLimits())["S0"].target).max() == 1.0


def test_a_trade_stopped_in_its_first_bar_counts_as_one_bar() -> None:
    bars = market(7, symbols=1).with_columns(volume=pl.lit(5.0))
    near = bars.with_columns(target=pl.when(pl.int_range(pl.len()) % 20 == 3).then(0.5).otherwise(0.0))
    stopped = near.select("symbol", "open_time", "target", stop=pl.col("close") * 0.999)
    run = simulate(bars, stopped, FREE, RiskLimits())
    assert (run.trades["bars"] == 0).any()
    entries = entries_of(run, RiskLimits())["S0"]
    assert entries.bars.min() == 1
    assert len(entries.bars) == run.trades.height


@settings(max_examples=60)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(0, 30), st.integers(0, 1000))
def test_whatever_the_trades_they_lie_apart_within_the_range(lengths: list[int], free: int, seed: int) -> None:
    n_rows = sum(lengths) + len(lengths) + free + 1
    sizes = np.arange(1.0, len(lengths) + 1)
    symbols = pl.Series(["A"] * n_rows)
    (target,) = random_targets(symbols, {"A": Entries(np.array(lengths), sizes)}, latency=0, traders=1, seed=seed)
    decided = [(row, value) for row, value in enumerate(target) if not np.isnan(value)]
    entries, exits = decided[::2], decided[1::2]
    assert all(value > 0 for _, value in entries)
    assert all(value == 0 for _, value in exits)
    assert exits[-1][0] <= n_rows - 2
    held = {size: leave - enter for (enter, size), (leave, _) in zip(entries, exits, strict=True)}
    assert held == dict(zip(sizes, lengths, strict=True))


def test_every_placement_is_equally_likely() -> None:
    """Trades of 2 and 1 bars in 8: 3 free bars go to 3 gaps in 10 ways, in 2 orders; 20 placements, 20,000 traders."""
    entries = {"A": Entries(np.array([2, 1]), np.array([1.0, -1.0]))}
    drawn = random_targets(pl.Series(["A"] * 9), entries, latency=0, traders=20_000, seed=5)
    counts = Counter(tuple(np.flatnonzero(target > 0)) + tuple(np.flatnonzero(target < 0)) for target in drawn)
    assert len(counts) == 20
    assert max(abs(count - 1_000) for count in counts.values()) < 4 * np.sqrt(1_000)


def test_who_was_always_in_the_market_stays_there() -> None:
    entries = {"A": Entries(np.array([4, 5]), np.array([1.0, -1.0]))}
    for target in random_targets(pl.Series(["A"] * 10), entries, latency=0, traders=10, seed=1):
        decided = [row for row, value in enumerate(target) if not np.isnan(value)]
        assert decided in ([0, 4], [0, 5])


def test_the_same_seed_draws_the_same_and_each_trader_keeps_his_own() -> None:
    bars = market(4)
    run = simulate(bars, some_targets(bars, 4, [0.0, 0.5]), FREE, RiskLimits())
    few, many = (random_returns(bars, run, FREE, RiskLimits(), traders=n, seed=9) for n in (3, 6))
    assert np.array_equal(few, many[:3])
    assert not np.array_equal(few, random_returns(bars, run, FREE, RiskLimits(), traders=3, seed=10))


def test_a_strategy_without_skill_stands_anywhere_among_them_and_one_that_knows_the_future_above() -> None:
    places = []
    for seed in range(30):
        bars = market(seed, length=300, symbols=1)
        run = simulate(bars, some_targets(bars, seed, [0.0, 1.0]), FREE, RiskLimits())
        luck = random_returns(bars, run, FREE, RiskLimits(), traders=100, seed=seed)
        places.append(percentile(run.equity["equity"][-1] / 10_000 - 1, luck))
    known = [place for place in places if place is not None]
    assert np.mean(known) == pytest.approx(0.5, abs=0.15)
    assert min(known) < 0.25
    assert max(known) > 0.75
    bars = market(1, length=300, symbols=1)
    tomorrow = bars.select("symbol", "open_time", target=(pl.col("close").shift(-4) > pl.col("close")).cast(pl.Float64))
    run = simulate(bars, tomorrow, FREE, RiskLimits())
    luck = random_returns(bars, run, FREE, RiskLimits(), traders=100)
    assert percentile(run.equity["equity"][-1] / 10_000 - 1, luck) == 1.0


def test_who_never_trades_has_no_rivals() -> None:
    bars = market(6)
    run = simulate(bars, some_targets(bars, 1, [0.0]), FREE, RiskLimits())
    luck = random_returns(bars, run, FREE, RiskLimits())
    assert luck.size == 0
    assert percentile(0.0, luck) is None
    with pytest.raises(ConfigError, match="`traders` is 0"):
        random_returns(bars, run, FREE, RiskLimits(), traders=0)


def test_who_loses_all_has_lost_no_more_than_that() -> None:
    """Three times short, and somewhere the price doubles over night: no maker of margin calls is awake."""
    bars = market(8, length=100, symbols=1).with_columns(volume=pl.lit(5.0))
    doubled = pl.int_range(pl.len()) > 60
    jump = bars.with_columns(
        pl.when(doubled).then(pl.col(name) * 2).otherwise(name) for name in ("open", "high", "close")
    )
    jump = jump.with_columns(low=pl.min_horizontal("open", "close"))
    short = RiskLimits(instrument="perpetual", max_position=3, max_gross=3)
    early = jump[[2, 30]].select("symbol", "open_time", target=pl.Series([-3.0, 0.0]))
    run = simulate(jump, early, FREE, short)
    assert run.equity["equity"][-1] > 0
    returns = random_returns(jump, run, FREE, short, traders=50)
    assert returns.min() == -1.0
    assert returns.max() > -1.0


def test_equals_count_half() -> None:
    assert percentile(1.0, [1.0, 1.0]) == 0.5
    assert percentile(3.0, [1.0, 2.0]) == 1.0
