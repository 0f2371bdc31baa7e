"""What a tearsheet says of its account: rules that its market does not have, and funding that nobody recorded."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import e, sqrt
from statistics import NormalDist
from typing import Any

import polars as pl
import pytest
import yaml

from nightfold.backtest.funding import constant_funding
from nightfold.backtest.table import TABLES
from nightfold.evaluation import BacktestRange, Evaluation, evaluate
from nightfold.experiment import Experiment
from nightfold.labels.table import LabelSet
from nightfold.leaderboard import ALONE, Looks
from nightfold.overfitting import Choice
from nightfold.report import tearsheet_input
from nightfold.schema import TIME
from nightfold.tearsheet.gates import Gates
from nightfold.tearsheet.measures import probabilistic_sharpe_ratio
from nightfold.tearsheet.regime import TRENDS, regime_returns
from nightfold.tearsheet.verdict import verdict_of

START = datetime(2024, 3, 4, tzinfo=UTC)
BARS = 400
HORIZON = 4
RATE = 0.0001
END = START + BARS * timedelta(minutes=5)


def experiment(**settings: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "e",
            "first_as_of": "2024-03-04",
            "target": {"horizons": [HORIZON]},
            "models": {"class_frequencies": None},
            "strategy": {"horizon": HORIZON},
            **settings,
        }
    )


def evaluated(symbols: list[str], funding: pl.DataFrame | None = None, **settings: Any) -> Evaluation:
    """A price that swings, and a forecast of up for its last 300 bars."""
    times = pl.Series([START + n * timedelta(minutes=5) for n in range(BARS)], dtype=TIME)
    price = 100.0 + pl.int_range(BARS, eager=True) % 7
    one = pl.DataFrame({"open_time": times, "open": price, "high": price, "low": price, "close": price, "volume": 1.0})
    bars = pl.concat([one.select(pl.lit(symbol).alias("symbol"), pl.all()) for symbol in symbols])
    said = {"p_down": 0.1, "p_flat": 0.1, "p_up": 0.8}
    rows = bars.select("symbol", "open_time")
    predictions = rows.with_columns(
        pl.lit(START).cast(TIME).alias("as_of"),
        pl.lit(0.01).alias("volatility"),
        *(pl.lit(v).alias(f"{w}{n}_{HORIZON}") for n, v in said.items() for w in ("", "class_frequencies_")),
    )
    labels = rows.with_columns(pl.lit(1, pl.Int8).alias(f"label_{HORIZON}"))
    constants = {("pooled", "2024-03-04", HORIZON): [0.3, 0.4, 0.3]}
    chosen, choices = LabelSet(horizons=[HORIZON]), BacktestRange()
    made = experiment(**settings)
    return evaluate(made, chosen, bars, predictions, labels, constants, choices, funding=funding)


def remarks(symbols: list[str], funding: pl.DataFrame | None = None, **settings: Any) -> list[str]:
    page = tearsheet_input(
        experiment(**settings),
        evaluated(symbols, funding, **settings),
        symbols=symbols,
        interval="5m",
        is_simulated=False,
        market="",
        settings="",
        provenance={},
    )
    return [" ".join(remark.split()) for remark in page.remarks]


PERPETUAL: dict[str, Any] = {"limits": {"instrument": "perpetual"}, "costs": {"funding_rate": RATE}}
SPOT_BARS = (
    "Perpetual rules on spot bars: {} may be sold short and held on margin here, at prices of a market where that "
    "cannot be done."
)
ASSUMED = "Funding of {} is an assumed constant, 0.01 % of a position each 8 hours, in place of recorded rates."


def recorded(*symbols: str) -> pl.DataFrame:
    start, end = (int(each.timestamp() * 1000) for each in (START - timedelta(days=1), END + timedelta(days=1)))
    return pl.concat([constant_funding(symbol, start, end, RATE) for symbol in symbols])


@pytest.mark.parametrize(
    ("symbols", "known", "expected"),
    [
        (["A", "B"], (), [SPOT_BARS.format("A, B"), ASSUMED.format("A, B")]),
        (["A", "B.P"], ("A",), [SPOT_BARS.format("A"), ASSUMED.format("B.P")]),
        (["B.P"], ("B.P",), []),
        (["A"], ("A",), [SPOT_BARS.format("A")]),
    ],
)
def test_a_perpetual_account_says_what_its_market_does_not_have(
    symbols: list[str], known: tuple[str, ...], expected: list[str]
) -> None:
    assert remarks(symbols, recorded(*known) if known else None, **PERPETUAL) == expected


def test_a_spot_account_says_only_that_it_cannot_go_short() -> None:
    (said,) = remarks(["A"])
    assert said.startswith("The account is a spot account: it cannot go short")


def test_open_orders_and_funding_are_stored_and_shown() -> None:
    late = {"funding_rate": RATE, "latency_bars": 5}
    settings = {**PERPETUAL, "costs": late, "strategy": {"horizon": HORIZON, "exit": "barrier", "hold_bars": 3}}
    result = evaluated(["A.P", "B.P"], **settings)
    for name, table in TABLES.items():
        table.validate(table.conform(getattr(result, name)))
    ends = result.equity["close_time"][-1]
    assert result.open_orders.height > 0
    assert result.open_orders["open_time"].min() >= ends - timedelta(minutes=5 * 6)
    paid = result.funding
    assert paid.height > 2
    assert (paid["amount"] - paid["quantity"] * paid["price"] * RATE).abs().max() == pytest.approx(0.0)
    assert paid["amount"].sum() == pytest.approx(result.trades["funding"].sum())
    page = tearsheet_input(
        experiment(**settings),
        result,
        symbols=["A.P", "B.P"],
        interval="5m",
        is_simulated=False,
        market="",
        settings="",
        provenance={},
    )
    assert page.funding is result.funding
    assert page.open_orders is result.open_orders


def test_a_trade_that_ran_out_of_time_says_so() -> None:
    """Barrier exits end a position when its time is over although its side is favoured still, and enter it anew."""
    strategy = {"horizon": HORIZON, "exit": "barrier", "hold_bars": 1}
    closed = evaluated(["A"], strategy=strategy).trades.filter(~pl.col("is_open"))
    assert {"time"} < set(closed["exit_reason"]) <= {"time", "stop", "target"}


def asking(**thresholds: Any) -> Experiment:
    """An experiment with these gates and no other."""
    none = dict.fromkeys(name for name in Gates.model_fields if name.startswith(("min_", "max_")))
    return experiment(gates={**none, **thresholds})


def page_of(made: Experiment, result: Evaluation, **known: Any) -> Any:
    settings = yaml.safe_dump(made.model_dump(mode="json"), sort_keys=False)
    where: dict[str, Any] = {"symbols": ["A"], "interval": "5m", "is_simulated": False, "market": "", "provenance": {}}
    return tearsheet_input(made, result, **where, settings=settings, **known)


def gained(days: int) -> pl.DataFrame:
    """Daily returns that gain by turns, at a daily Sharpe ratio of about .3."""
    first = date(2024, 1, 1)
    moves = [0.01 * (day % 3) - 0.0075 for day in range(days)]
    return pl.DataFrame({"day": [first + timedelta(days=day) for day in range(days)], "daily_return": moves})


def lived(daily: pl.DataFrame, **days: int) -> pl.DataFrame:
    """Regimes that lasted so many of the days; the rest are unknown."""
    trends = [trend for trend, length in days.items() for _ in range(length)]
    known = daily.head(len(trends)).select("day", trend=pl.Series(trends), unrest=pl.lit("low"))
    return regime_returns(daily, known)


def test_gates_are_judged_by_all_looks_the_regimes_that_were_lived_and_the_crashes_there_were() -> None:
    """Twelve looks whose ratios vary by .02: the best of them is expected at .2322 daily by luck alone."""
    made = asking(min_deflated_sharpe=0.9, min_regimes=3, min_crashes=1)
    daily = gained(99)
    base = replace(evaluated(["A"]), daily=daily)
    normal, gamma = NormalDist(), 0.5772156649
    luck = sqrt(0.02) * ((1 - gamma) * normal.inv_cdf(1 - 1 / 12) + gamma * normal.inv_cdf(1 - 1 / (12 * e)))
    calm = replace(base, regimes=lived(daily, bull=40, bear=29, range=29), summary={**base.summary, "crashes": 0})
    page = page_of(made, calm, looks=Looks(12, 0.02))
    gates = {gate.name: (gate.value, gate.passed) for gate in page.gates}
    deflated = probabilistic_sharpe_ratio(daily["daily_return"], luck)
    assert gates == {
        "Deflated Sharpe ratio": (pytest.approx(deflated), False),
        "Market regimes": (1, False),
        "Crashes": (0, False),
    }
    assert (page.n_trials, page.trial_variance, page.gates[0].note) == (12, 0.02, "12 trials")
    assert verdict_of(page).headline == "No edge found: 3 of 3 gates fail."
    wild = replace(base, regimes=lived(daily, **dict.fromkeys(TRENDS, 30)), summary={**base.summary, "crashes": 2})
    page = page_of(made, wild, looks=ALONE)
    gates = {gate.name: (gate.value, gate.passed) for gate in page.gates}
    alone = probabilistic_sharpe_ratio(daily["daily_return"])
    assert gates == {
        "Deflated Sharpe ratio": (pytest.approx(alone), True),
        "Market regimes": (3, True),
        "Crashes": (2, True),
    }
    assert verdict_of(page).outcome == "passed"


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"filter": True}, "policies with a filter are not held constant, and 3 variants are fewer than 10."),
        ({"filter": False}, "3 variants are fewer than 10."),
        (None, "3 variants are fewer than 10."),
    ],
)
def test_a_page_says_that_a_policy_with_a_filter_was_not_held_constant(policy: Any, why: str) -> None:
    result = replace(evaluated(["A"]), daily=gained(200))
    reasons = verdict_of(page_of(experiment(policy=policy), result, choice=Choice(3, 200))).reasons
    assert f"The probability of overfitting is unknown: {why}" in reasons
