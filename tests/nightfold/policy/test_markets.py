"""Forecast to money on made markets: flat where there is no edge, trading where one is planted, done where it ends.

Each week a logistic regression learns from the twenty weeks before, is calibrated on rows it had not seen, and
forecasts the next; each week a policy is found on eight weeks of such forecasts and trades the week after.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import daily_returns
from nightfold.backtest.signal import Strategy
from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.fit import fit_ensemble
from nightfold.ensemble.rows import OutOfSample
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.models.catalog import MODELS
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective
from nightfold.policy.outlook import outlook
from nightfold.policy.position import in_force, policy_targets
from nightfold.policy.record import PolicyCard
from nightfold.policy.search import Market, search_policy
from nightfold.policy.spec import PolicySpec, Thresholds
from nightfold.schema import TIME

HOUR, WEEK, HORIZON, WIDTH = 3_600_000, 7 * 24, 8, 0.8
START = 1_704_067_200_000
SIGMA, MEMORY = 0.006, 0.98
LEARN, WINDOW = 20 * WEEK, 8 * WEEK
SPEC = PolicySpec(window_days=56, trials=24, min_trades=10, base_risk_fraction=(0.01, 0.02))
COSTS = Costs(taker_fee_bps=4, half_spread_bps=0.5, slippage_bps=0.5, funding_rate=0.0)
LIMITS = RiskLimits(instrument="perpetual", max_position=0.5)
STRATEGY = Strategy(horizon=HORIZON)
OBJECTIVE = Objective()


@dataclass(frozen=True)
class Made:
    bars: pl.DataFrame
    seen: NDArray[np.float64]
    """What the model sees of each bar: two columns, one of them the planted signal."""


def made(seed: int, edge: float, weeks: int, ends: int | None = None) -> Made:
    """Hourly bars of one symbol that drift with a slow signal, up to the week in which that ends."""
    random = np.random.default_rng([seed, int(100 * edge)])
    size = weeks * WEEK
    shocks = random.normal(size=(2, size)) * np.sqrt(1 - MEMORY**2)
    signal, other = np.empty((2, size))
    signal[0], other[0] = random.normal(size=2)
    for bar in range(1, size):
        signal[bar] = MEMORY * signal[bar - 1] + shocks[0, bar]
        other[bar] = MEMORY * other[bar - 1] + shocks[1, bar]
    strength = np.where(np.arange(size) < (size if ends is None else ends * WEEK), edge, 0.0)
    moves = SIGMA * random.normal(size=size)
    moves[1:] += SIGMA * (strength * signal)[:-1]
    close = 100 * np.exp(moves.cumsum())
    opened = np.concatenate(([100.0], close[:-1]))
    reach = np.exp(np.abs(random.normal(size=(2, size))) * SIGMA / 4)
    bars = pl.DataFrame(
        {
            "symbol": "AAAUSDT",
            "open_time": pl.Series(START + HOUR * np.arange(size)).cast(TIME),
            "open": opened,
            "high": np.maximum(opened, close) * reach[0],
            "low": np.minimum(opened, close) / reach[1],
            "close": close,
            "volume": 1.0,
        }
    )
    return Made(bars, np.stack([signal, other], axis=1))


def forecasts(market: Made) -> pl.DataFrame:
    """Forecast each week by what was known before it."""
    barrier = TripleBarrier(horizon=HORIZON, upper=WIDTH, lower=WIDTH)
    labels = barrier_labels(market.bars, barrier, "1h")
    label = labels["label"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    ends = (labels["label_end"].cast(pl.Int64).fill_null(2**62).to_numpy() - START) // HOUR
    volatility = market.bars["close"].log().diff().rolling_std(100)
    size, rows = len(label), np.arange(len(label))
    said = np.full((size, 3), np.nan)
    for begins in range(LEARN, size, WEEK):
        known = (ends < begins) & (rows >= begins - LEARN) & ~np.isnan(label)
        learnt = known & (ends < begins - LEARN // 3)
        kept = known & (rows >= begins - LEARN // 3)
        entry = MODELS["logistic_regression"]
        model = entry.model(entry.spec(), 1)
        model.fit(dataset(market, label, learnt), None)
        calibrating = OutOfSample.of(
            OBJECTIVE,
            {"model": model.predict(market.seen[kept])},
            label[kept].astype(np.int8),
            rows[kept],
            ends[kept],
            learnt_until=int(ends[learnt].max()),
        )
        week = slice(begins, begins + WEEK)
        blend = fit_ensemble(calibrating, EnsembleSpec())
        said[week] = blend.apply({"model": model.predict(market.seen[week])})
    frame = market.bars.select("symbol", "open_time", "close").with_columns(
        width=volatility * np.sqrt(HORIZON),
        **{name: pl.Series(said[:, place]).fill_nan(None) for place, name in enumerate(OBJECTIVE.columns)},
    )
    return outlook(frame, OBJECTIVE, pl.lit(COSTS.round_trip), upper=WIDTH, lower=WIDTH)


def dataset(market: Made, label: NDArray[Any], chosen: NDArray[np.bool_]) -> Dataset:
    weight = np.ones(int(chosen.sum()))
    return Dataset(market.seen[chosen], ("signal", "other"), label[chosen].astype(np.int8), weight, OBJECTIVE)


@cache
def traded(seed: int, edge: float, weeks: int, ends: int | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Policies week by week, and the daily returns of the account that follows them."""
    market = made(seed, edge, weeks, ends)
    seen = forecasts(market)
    cards = []
    for begins in range(LEARN + WINDOW, weeks * WEEK, WEEK):
        window = slice(begins - WINDOW, begins - 1)
        found = search_policy(
            Market(seen[window], market.bars[window], STRATEGY, COSTS, LIMITS, 1e4), SPEC, seed=begins
        )
        cards.append(PolicyCard.of(found, market.bars["open_time"][begins], "settings").rows(["AAAUSDT"]))
    policies = pl.concat(cards)
    later = slice(LEARN + WINDOW, None)
    columns = {name: pl.col(name) for name in Thresholds.model_fields}
    wanted = policy_targets(
        in_force(seen[later], policies, timedelta(days=10)), columns, STRATEGY, SPEC, LIMITS.max_position
    )
    return policies, daily_returns(simulate(market.bars[later], wanted, COSTS, LIMITS))


def flat_share(policies: pl.DataFrame) -> float:
    return policies["min_edge"].null_count() / policies.height


def test_without_an_edge_the_chain_stays_flat_nearly_always() -> None:
    found = [traded(seed, 0.0, weeks=44) for seed in range(3)]
    assert np.mean([flat_share(policies) for policies, _ in found]) > 0.9
    assert all(abs((1 + daily["daily_return"]).product() - 1) < 0.05 for _, daily in found)


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_edge_is_traded_and_earns(seed: int) -> None:
    policies, daily = traded(seed, 0.25, weeks=40)
    assert flat_share(policies) < 0.3
    assert daily["daily_return"].mean() > 0


@pytest.mark.parametrize("seed", range(2))
def test_where_the_edge_ends_trading_stops(seed: int) -> None:
    policies, _ = traded(seed, 0.25, weeks=60, ends=38)
    assert policies[:10]["min_edge"].null_count() <= 4
    assert policies[-10:]["min_edge"].null_count() >= 9
