"""Random traders: the strategy's trades, laid out anew, and what the simulation makes of them."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.baseline_random import entries_of, percentile, random_returns
from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.random_timing import random_targets
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
    wanted = random_targets(bars, entries_of(run, limits), costs.latency_bars, traders=5, seed=3)
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
    for target in random_targets(bars, entries_of(run, PERPETUAL), 0, traders=20, seed=1):
        made = simulate(bars, bars.select("symbol", "open_time", target=pl.Series(target)), FREE, PERPETUAL)
        assert Counter(made.trades.select("symbol", "side", "bars").rows()) == expected
        times.add(tuple(made.trades["entry_time"]))
    assert len(times) == 20


def test_sizes_are_the_fractions_entered() -> None:
    bars = market(3, symbols=1)
    run = simulate(bars, some_targets(bars, 3, [-1.2, 0.0, 0.7]), FREE, PERPETUAL)
    entries = entries_of(run, PERPETUAL)
    assert entries["target"].abs().to_numpy() == pytest.approx(np.where(run.trades["side"] > 0, 0.7, 1.2), rel=1e-9)
    assert entries_of(run, RiskLimits())["target"].abs().max() == 1.0


@pytest.mark.parametrize(
    ("limits", "first", "then", "entered"),
    [
        ({}, 0.8, 0.8, [0.5, 0.5]),  # both at once: what each adds shrinks in proportion
        ({}, 0.6, 0.2, [0.6, 0.2]),
        ({"max_gross": 4, "max_net": 0.6, "instrument": "perpetual"}, 0.6, -1.4, [0.6, -1.2]),
        ({"max_gross": 0.5, "max_net": 0.6, "instrument": "perpetual"}, 0.9, 0.9, [0.25, 0.25]),
    ],
)
def test_what_a_limit_on_all_symbols_cut_is_wanted_again(
    limits: dict[str, float | str], first: float, then: float, entered: list[float]
) -> None:
    """Prices stand still, so that what is held is what was decided."""
    bars = market(3).with_columns(pl.lit(100.0).alias(name) for name in ("open", "high", "low", "close"))
    bars = bars.with_columns(volume=pl.lit(5e9))
    size = pl.when(pl.col("symbol") == "S0").then(first).otherwise(then)
    row = pl.int_range(pl.len()).over("symbol")
    wanted = bars.select("symbol", "open_time", target=pl.when(row.is_between(9, 19)).then(size).otherwise(0.0))
    chosen = RiskLimits.model_validate({"max_position": 1 if not limits else 2, **limits})
    entries = entries_of(simulate(bars, wanted, FREE, chosen), chosen)
    assert entries["entered"].to_list() == pytest.approx(entered)
    assert entries["target"].to_list() == pytest.approx([first, then])
    assert entries["bars"].to_list() == [11, 11]


def test_each_order_that_was_cut_is_that_of_its_own_trade() -> None:
    """S1 wants .8 four times: beside .5 it is cut to .5, alone it is not, beside 1 it is not let in, then again not."""
    bars = market(3).with_columns(pl.lit(100.0).alias(name) for name in ("open", "high", "low", "close"))
    bars = bars.with_columns(volume=pl.lit(5e9))
    row = pl.int_range(pl.len()).over("symbol")
    beside = pl.when(row.is_between(5, 15)).then(0.5).when(row.is_between(50, 80)).then(1.0).otherwise(0.0)
    is_held = pl.any_horizontal(row.is_between(first, first + 4) for first in (8, 30, 60, 100))
    ours = pl.when(is_held).then(0.8).otherwise(0.0)
    wanted = bars.select("symbol", "open_time", target=pl.when(pl.col("symbol") == "S0").then(beside).otherwise(ours))
    run = simulate(bars, wanted, FREE, RiskLimits())
    found = entries_of(run, RiskLimits()).filter(pl.col("symbol") == "S1")
    assert found.select("bars", pl.col("entered", "target").round(9)).rows() == [
        (5, 0.5, 0.8),
        (5, 0.8, 0.8),
        (5, 0.8, 0.8),
    ]
    assert run.rejected.height == 2


def test_a_trade_stopped_in_its_first_bar_counts_as_one_bar() -> None:
    bars = market(7, symbols=1).with_columns(volume=pl.lit(5.0))
    near = bars.with_columns(target=pl.when(pl.int_range(pl.len()) % 20 == 3).then(0.5).otherwise(0.0))
    stopped = near.select("symbol", "open_time", "target", stop=pl.col("close") * 0.999)
    run = simulate(bars, stopped, FREE, RiskLimits())
    assert (run.trades["bars"] == 0).any()
    entries = entries_of(run, RiskLimits())
    assert entries["bars"].min() == 1
    assert entries.height == run.trades.height


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


def held_at_random(bars: pl.DataFrame, seed: int, share: float, size: float) -> pl.DataFrame:
    """Hold each symbol for about ten bars at a time, at times of its own."""
    rng, held = np.random.default_rng([seed, 1]), np.zeros(bars.height)
    row = 0
    while (row := row + 1 + int(rng.exponential(10 * (1 - share) / share))) < len(held):
        after = row + 1 + int(rng.exponential(10))
        held[row:after], row = size, after
    return bars.select("symbol", "open_time", target=pl.Series(held))


def held_by_turns(bars: pl.DataFrame, seed: int, size: float) -> pl.DataFrame:
    """Hold one symbol or another, for about ten bars at a time."""
    rng = np.random.default_rng([seed, 1])
    count = bars["symbol"].n_unique()
    length = bars.height // count
    who = np.repeat(rng.integers(count, size=length), 1 + rng.poisson(10, length))[:length]
    held = np.concatenate([(who == number) * size for number in range(count)])
    return bars.select("symbol", "open_time", target=pl.Series(held))


@pytest.mark.parametrize("rises", [False, True])
@pytest.mark.parametrize("way", ["in blocks, cut", "in one block, cut", "by turns", "by turns, with costs"])
def test_random_timing_of_many_symbols_under_one_limit_stands_anywhere(way: str, rises: bool) -> None:
    """A uniform place has mean .5 and deviation .289; of 40, the mean's own deviation is .046.

    In a market that only rises, whoever is cut, or out of it longer, is behind, and whoever pays fewer costs ahead.
    """
    places = []
    costs = Costs(taker_fee_bps=10) if way.endswith("costs") else FREE
    for seed in range(40):
        bars = market(seed, length=400, symbols=3).with_columns(volume=pl.lit(5.0))
        bars = rising(bars) if rises else bars
        if way.startswith("by turns"):
            wanted = held_by_turns(bars, seed, 1.0)
        else:
            wanted = held_at_random(bars, seed, *((0.2, 0.6) if way == "in blocks, cut" else (0.6, 0.6)))
        run = simulate(bars, wanted, costs, RiskLimits())
        luck = random_returns(bars, run, costs, RiskLimits(), traders=30, seed=seed)
        places.append(percentile(run.equity["equity"][-1] / 10_000 - 1, luck))
    known = np.array([place for place in places if place is not None])
    assert known.mean() == pytest.approx(0.5, abs=0.15)
    assert known.std() == pytest.approx(0.289, abs=0.09)


def rising(bars: pl.DataFrame) -> pl.DataFrame:
    """Let every bar rise by as much as it moved, at a fifth of the pace."""
    step = (pl.col("close") / pl.col("open")).log().abs() / 5
    close = (100 * step.cum_sum().exp()).over("symbol")
    opens = close.shift(fill_value=100.0).over("symbol")
    return bars.with_columns(close=close, high=close, open=opens, low=opens)


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
