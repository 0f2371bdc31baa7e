"""From forecasts to wanted positions: a symbol's part of a shared account, and what could have been done instead."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.decision import passed, position_cap, variants, wanted_positions
from nightfold.experiment import Experiment
from nightfold.labels.table import LabelSet
from nightfold.policy.filter import MetaFilter
from nightfold.policy.reading import Forecasts
from nightfold.policy.record import POLICIES
from nightfold.schema import TIME

START, BARS, HORIZON = datetime(2024, 3, 4, tzinfo=UTC), 40, 4
PERPETUAL = {"instrument": "perpetual", "max_position": 0.8, "max_gross": 1.2}


def experiment(**settings) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "e",
            "first_as_of": "2024-03-04",
            "target": {"horizons": [HORIZON]},
            "models": {"class_frequencies": None},
            "strategy": {"horizon": HORIZON},
            "costs": {"taker_fee_bps": 0, "half_spread_bps": 0, "slippage_bps": 0, "funding_rate": 0},
            "limits": PERPETUAL,
            **settings,
        }
    )


def forecasts(made: Experiment, symbols: list[str]) -> Forecasts:
    """Every bar of every symbol says the same: up, and quite sure of it."""
    times = pl.Series([START + n * timedelta(minutes=5) for n in range(BARS)], dtype=TIME)
    keys = pl.concat([pl.DataFrame({"symbol": symbol, "open_time": times}) for symbol in symbols])
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0)
    said = {f"p_down_{HORIZON}": 0.05, f"p_flat_{HORIZON}": 0.05, f"p_up_{HORIZON}": 0.9, "volatility": 0.001}
    spoken = keys.with_columns(pl.lit(START).cast(TIME).alias("as_of"), *(pl.lit(p).alias(n) for n, p in said.items()))
    bars = keys.with_columns(pl.lit(price).alias(name) for name, price in prices.items())
    return Forecasts(made, LabelSet(horizons=[HORIZON]), spoken, bars, keys)


@pytest.mark.parametrize(
    ("pooling", "symbols", "cap"),
    [
        ("per_symbol", 1, 0.8),  # 1.2 for one, and no position may exceed .8
        ("per_symbol", 2, 0.6),
        ("per_symbol", 4, 0.3),
        ("pooled", 4, 0.8),  # one search trades all symbols, so the account's own limit is in the search
    ],
)
def test_symbols_that_search_for_themselves_have_each_their_part_of_the_gross_limit(pooling, symbols, cap) -> None:
    assert position_cap(experiment(pooling=pooling), symbols) == pytest.approx(cap)


@pytest.mark.parametrize(("pooling", "most"), [("per_symbol", 0.3), ("pooled", 0.8)])
def test_the_account_takes_no_more_of_a_symbol_than_its_search_did(pooling, most) -> None:
    """A policy that puts all of the account on each forecast."""
    symbols = ["A", "B", "C", "D"]
    all_in = {"min_confidence": 0.4, "min_edge": 0.0, "base_risk_fraction": 1.0, "max_risk_fraction": 1.0}
    rows = [{"symbol": name, "as_of": START, "is_complete": True, **all_in, "filter": None} for name in symbols]
    made = experiment(pooling=pooling, policy={"sizing": "notional"})
    found = wanted_positions(forecasts(made, symbols), made.costs, pl.DataFrame(rows, schema=POLICIES))
    assert set(found["symbol"]) == set(symbols)
    assert found["target"].max() == pytest.approx(most)


def test_policies_that_filter_are_not_compared_with_ones_that_do_not() -> None:
    """Constant policies have no filter: a probability of overfitting among them would be that of other policies."""
    plain, filtering = (experiment(policy={"filter": on}) for on in (False, True))
    assert len(list(variants(forecasts(plain, ["A"]), plain.costs))) >= 10  # fewer give no probability
    assert list(variants(forecasts(filtering, ["A"]), filtering.costs)) == []


@pytest.mark.parametrize(
    ("odds", "asked", "trades"),
    [
        (None, 0.5, True),  # of rises and falls 90 of 95 are rises: sure enough without a filter
        (-50.0, 0.5, False),  # a filter that says of each forecast that it will not pay
        (None, 0.99, False),  # 90 of 95 are not
        (50.0, 0.99, True),  # a filter that says of each that it will
    ],
)
def test_the_filter_in_force_decides_in_the_place_of_the_confidence(odds, asked, trades) -> None:
    """Made by hand: it looks at nothing, and says the same of every forecast."""
    said = None
    if odds is not None:
        said = MetaFilter(centre=[0] * 5, scale=[1] * 5, weights=[0] * 5, intercept=odds).model_dump_json()
    made = experiment(policy={"sizing": "notional", "filter": odds is not None})
    policy = {"min_confidence": asked, "min_edge": 0.0, "base_risk_fraction": 0.5, "max_risk_fraction": 0.5}
    row = {"symbol": "A", "as_of": START, "is_complete": True, **policy, "filter": said}
    policies, ours = pl.DataFrame([row], schema=POLICIES), forecasts(made, ["A"])
    assert set(wanted_positions(ours, made.costs, policies)["target"]) == {0.5 if trades else 0.0}
    counted = passed(ours, made.costs, policies).row(0, named=True)
    sure = BARS if trades else 0
    assert counted == {"symbol": "A", "forecasts": BARS, "sure": sure, "worth": BARS, "long": sure, "short": 0}


PROMISED = np.where(np.arange(200) % 2, np.nan, np.arange(200) + 0.5)
"""Basis points that every other bar promises: over a width of .1 a barrier is .08 away; of them 10 by timeouts, where
there are some: a fifth of rows that return .005."""
COSTS = Costs(taker_fee_bps=10, half_spread_bps=1, slippage_bps=2)
"""26 basis points a round trip."""


def promises(kind: str, **settings) -> Forecasts:
    """Forecasts that promise more and more before costs, each held for one bar."""
    target = {"kind": kind, "horizons": [HORIZON]}
    strategy = {"horizon": HORIZON, "hold_bars": 1, **settings.pop("strategy", {})}
    made = experiment(
        target=target,
        models={"class_frequencies" if kind == "barrier" else "ridge": None},
        strategy=strategy,
        **settings,
    )
    times = pl.Series([START + n * timedelta(minutes=5) for n in range(len(PROMISED))], dtype=TIME)
    keys = pl.DataFrame({"symbol": "A", "open_time": times})
    up = 0.4 + (PROMISED - 10) / 1e4 / 0.16
    said = {"p_down": 0.8 - up, "p_flat": up * 0 + 0.2, "p_up": up, "mean": PROMISED / 1e4}
    columns = {f"{name}_{HORIZON}": pl.Series(value).fill_nan(None) for name, value in said.items()}
    known = {"as_of": pl.lit(START).cast(TIME), "volatility": pl.lit(0.05), "timeout_widths": pl.lit(0.05)}
    spoken = keys.with_columns(**known, **columns)
    bars = keys.with_columns(pl.lit(100.0).alias(name) for name in ("open", "high", "low", "close", "volume"))
    return Forecasts(made, LabelSet(horizons=[HORIZON]), spoken, bars, keys)


def assert_asks(found: dict[float, pl.DataFrame], asked: float) -> None:
    """Every promise beyond the factor times what is asked is traded, as large as ever, and no other."""
    sizes = found[0.5]["target"].to_numpy()
    for edge, wanted in found.items():
        assert wanted["target"].to_numpy() == pytest.approx(np.where(edge * asked < PROMISED, sizes, 0.0)), edge
    assert sizes.max() > 0


@pytest.mark.parametrize("kind", ["barrier", "return"])
@pytest.mark.parametrize(
    ("edge", "least", "asked"),
    [("net", 50, 76), ("net", 0, 26), ("gross", 50, 50)],
)
def test_a_strategy_asks_exactly_so_many_times_its_whole_threshold(kind, edge, least, asked) -> None:
    ours = promises(kind, strategy={"edge": edge, "min_edge_bps": least})
    assert_asks({factor: wanted_positions(ours, COSTS, edge=factor) for factor in (0.5, 1.0, 2.0)}, asked)


@pytest.mark.parametrize("kind", ["barrier", "return"])
@pytest.mark.parametrize(
    ("edge", "unit", "least", "asked"),
    [
        ("net", "cost", 2.0, 78),
        ("gross", "cost", 2.0, 52),
        ("net", "return", 0.005, 76),
        ("gross", "return", 0.005, 50),
    ],
)
def test_a_policy_asks_exactly_so_many_times_its_whole_threshold(kind, edge, unit, least, asked) -> None:
    ours = promises(kind, policy={"edge": edge, "edge_unit": unit, "sizing": "notional"})
    risk = {"min_confidence": 0.1, "min_edge": least, "base_risk_fraction": 0.1, "max_risk_fraction": 0.6}
    rows = [{"symbol": "A", "as_of": START, "is_complete": True, **risk, "filter": None}]
    policies = pl.DataFrame(rows, schema=POLICIES)
    assert_asks({factor: wanted_positions(ours, COSTS, policies, factor) for factor in (0.5, 1.0, 2.0)}, asked)


@pytest.mark.parametrize(("delay", "bets"), [("5m", True), ("1d", False)])
def test_kelly_hears_only_of_outcomes_that_were_known_in_time_to_be_deployed(delay, bets) -> None:
    """A second model comes into force when half of the forecasts of the first one had come true."""
    kelly = {"horizon": HORIZON, "sizing": {"rule": "kelly"}}
    seen = forecasts(experiment(split={"in_force_delay": delay}, strategy=kelly), ["A"])
    replaced = START + timedelta(minutes=5) * BARS // 2
    later = pl.col("open_time") >= replaced
    spoken = seen.predictions.with_columns(as_of=pl.when(later).then(pl.lit(replaced).cast(TIME)).otherwise("as_of"))
    ends = pl.col("open_time") + timedelta(minutes=5) * (HORIZON + 1)
    came = {
        f"label_{HORIZON}": pl.lit(1, pl.Int8),
        f"log_return_{HORIZON}": pl.lit(0.001),
        f"label_end_{HORIZON}": ends,
    }
    known = seen.labels.with_columns(**came)
    found = wanted_positions(replace(seen, predictions=spoken, labels=known), seen.experiment.costs)
    assert found.filter(~later)["target"].max() == 0
    assert (found.filter(later)["target"].max() > 0) == bets
