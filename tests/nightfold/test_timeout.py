"""What timeouts returned: by fifths of volatility, on training rows alone, and small trades where nothing drifts."""

from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.signal import expected_value
from nightfold.labels.table import LabelSet, label_table
from nightfold.schema import KEY, PRICES, TIME
from nightfold.splits.as_of import SplitSpec
from nightfold.target import Target
from nightfold.timeout import TIMEOUTS, TimeoutReturns, with_timeouts
from nightfold.training import sample

STEP = timedelta(minutes=5)
START = datetime(2024, 1, 1, tzinfo=UTC)
AS_OF = datetime(2024, 2, 1, tzinfo=UTC)
HORIZON = 10
LABELS = LabelSet(upper=1.5, lower=1.0, horizons=[HORIZON])
EDGES, MEANS = [0.01, 0.02, 0.03, 0.04], [0.5, 0.4, 0.3, 0.2, 0.1]


def rows(seed: int, count: int = 400) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Training rows of two symbols, every other bar of them, and what all bars returned."""
    random = np.random.default_rng(seed)
    times = pl.Series([START + STEP * bar for bar in range(count)], dtype=TIME)
    returned = pl.concat(
        pl.DataFrame(
            {
                "symbol": symbol,
                "open_time": times,
                "volatility": random.uniform(0.001, 0.02, count),
                "log_return": random.normal(size=count),
            }
        )
        for symbol in ("A", "B")
    )
    train = returned.gather_every(2).select(KEY).with_columns(label=pl.Series(random.integers(-1, 2, count)))
    return train, returned


def slow(train: pl.DataFrame, returned: pl.DataFrame, horizon: int) -> tuple[list[float], list[float]]:
    """Fifths and their means, one row after another."""
    known = {(row["symbol"], row["open_time"]): row for row in returned.iter_rows(named=True)}
    learnt = [(label, known[symbol, time]) for symbol, time, label in train.iter_rows()]
    ordered = sorted(row["volatility"] for _, row in learnt)
    edges = []
    for fifth in range(1, 5):
        place = fifth / 5 * (len(ordered) - 1)
        below = int(place)
        edges.append(ordered[below] + (place - below) * (ordered[below + 1] - ordered[below]))
    found: list[list[float]] = [[] for _ in range(5)]
    for label, row in learnt:
        if label == 0:
            fifth = sum(row["volatility"] >= edge for edge in edges)
            found[fifth].append(row["log_return"] / (row["volatility"] * sqrt(horizon)))
    return edges, [sum(each) / len(each) if each else 0.0 for each in found]


@pytest.mark.parametrize("seed", range(3))
def test_they_are_the_means_of_each_fifth_of_the_training_rows(seed: int) -> None:
    train, returned = rows(seed)
    found = TimeoutReturns.fit(train.sample(fraction=1, shuffle=True, seed=seed), returned.reverse(), 4)
    edges, means = slow(train, returned, 4)
    assert found.edges == pytest.approx(edges)
    assert found.means == pytest.approx(means)
    assert TimeoutReturns.model_validate_json(found.model_dump_json()) == found


def test_bars_that_were_not_learnt_from_change_nothing() -> None:
    train, returned = rows(1)
    other = returned.join(train, on=KEY, how="anti").with_columns(volatility=pl.lit(9.0), log_return=pl.lit(-7.0))
    changed = pl.concat([returned.join(train, on=KEY, how="semi"), other])
    assert not changed.sort(KEY).equals(returned.sort(KEY))
    assert TimeoutReturns.fit(train, changed, 4) == TimeoutReturns.fit(train, returned, 4)


def test_a_fifth_without_a_timeout_returns_nothing() -> None:
    times = pl.Series([START + STEP * bar for bar in range(10)], dtype=TIME)
    returned = pl.DataFrame(
        {"symbol": "A", "open_time": times, "volatility": np.arange(1, 11) / 100, "log_return": np.full(10, 0.04)}
    )
    train = returned.select(KEY).with_columns(label=pl.Series([0, 1, -1, 1, 1, -1, 0, 0, 1, 1]))
    found = TimeoutReturns.fit(train, returned, 4)
    assert found.means == pytest.approx([2.0, 0.0, 0.0, (0.02 / 0.07 + 0.02 / 0.08) / 2, 0.0])
    none = TimeoutReturns.fit(train.with_columns(label=1), returned, 4)
    assert none.means == [0.0] * 5


def test_a_volatility_on_an_edge_belongs_to_the_fifth_above_it() -> None:
    """Of 1 to 6 the fifths begin at 2, 3, 4 and 5; in training as in force."""
    times = pl.Series([START + STEP * bar for bar in range(6)], dtype=TIME)
    sigma = np.arange(1.0, 7.0)
    returned = pl.DataFrame({"symbol": "A", "open_time": times, "volatility": sigma, "log_return": sigma**2})
    found = TimeoutReturns.fit(returned.select(KEY).with_columns(label=0), returned, 1)
    assert found.edges == [2.0, 3.0, 4.0, 5.0]
    assert found.means == [1.0, 2.0, 3.0, 4.0, 5.5]
    said = returned.with_columns(as_of=pl.lit(AS_OF).cast(TIME))
    told = with_timeouts(said, found.rows(["A"], AS_OF))["timeout_widths"]
    assert told.to_list() == [1.0, 2.0, 3.0, 4.0, 5.5, 5.5]


def test_each_prediction_is_told_what_the_training_of_its_own_model_saw() -> None:
    later = AS_OF + timedelta(days=7)
    models = {("A", AS_OF): (EDGES, MEANS), ("B", AS_OF): (EDGES, MEANS), ("A", later): ([0.1] * 4, [9.0, *MEANS[1:]])}
    table = pl.concat(
        TimeoutReturns(edges=edges, means=means).rows([symbol], as_of)
        for (symbol, as_of), (edges, means) in models.items()
    )
    random = np.random.default_rng(2)
    said = [0.001, 0.01, 0.015, 0.02, 0.035, 0.04, 0.05, 0.1, 2.0, None]
    drawn = pl.DataFrame(
        {
            "symbol": random.choice(["A", "B", "C"], 300),
            "as_of": pl.Series([[AS_OF, later, None][place] for place in random.integers(0, 3, 300)], dtype=TIME),
            "volatility": [said[place] for place in random.integers(0, len(said), 300)],
            "bar": np.arange(300),
        }
    )
    found = with_timeouts(drawn, table)
    assert found.drop("timeout_widths").equals(drawn)
    for row in found.iter_rows(named=True):
        model = models.get((row["symbol"], row["as_of"]))
        if model is None or row["volatility"] is None:
            assert row["timeout_widths"] is None
        else:
            assert row["timeout_widths"] == model[1][sum(row["volatility"] >= edge for edge in model[0])]
    assert set(found["timeout_widths"]) == {None, 9.0, *MEANS}


def test_models_of_an_older_version_tell_nothing() -> None:
    said = pl.DataFrame({"symbol": ["A"], "as_of": [AS_OF], "volatility": [0.01]}, schema_overrides={"as_of": TIME})
    assert with_timeouts(said, pl.DataFrame(schema=TIMEOUTS))["timeout_widths"].to_list() == [None]


# ------------------------------------------------------------------ a market without drift


def driftless(seed: int, symbols: int = 8, size: int = 30_000) -> pl.DataFrame:
    """Bars of prices that go nowhere on average, restless and calm by turns."""
    random = np.random.default_rng(seed)
    shocks, level = 0.25 * random.normal(size=(symbols, size)), np.zeros((symbols, size))
    for bar in range(1, size):
        level[:, bar] = 0.98 * level[:, bar - 1] + shocks[:, bar]
    times = pl.Series([START + STEP * bar for bar in range(size)], dtype=TIME)
    return pl.concat(bars_of(f"S{place}", times, 0.0015 * np.exp(each), random) for place, each in enumerate(level))


def bars_of(symbol: str, times: pl.Series, sigma: Any, random: np.random.Generator) -> pl.DataFrame:
    steps = sigma[:, None] / 2 * random.normal(size=(len(sigma), 4)) - (sigma[:, None] ** 2) / 8
    path = 100 * np.exp(steps.ravel().cumsum()).reshape(-1, 4)
    close = path[:, -1]
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(path.max(axis=1), opened), np.minimum(path.min(axis=1), opened)
    prices = {"open": opened, "high": high, "low": low, "close": close, "volume": 1.0}
    return pl.DataFrame({"symbol": symbol, "open_time": times, **prices})


def traded_shares(seed: int) -> tuple[float, float, float]:
    """Share of later rows worth more than 4 basis points: without timeout returns, with one mean, and by fifths.

    Forecasts know how often timeouts come at each volatility, and of direction its base rate, as one does that was
    calibrated where there is nothing to know.
    """
    table = label_table(driftless(seed), LABELS, "5m").drop_nulls([f"label_{HORIZON}", "volatility"])
    table = table.sort("open_time", "symbol").rename(
        {f"label_{HORIZON}": "label", f"log_return_{HORIZON}": "log_return"}
    )
    train, test = table[: len(table) * 2 // 3], table[len(table) * 2 // 3 + 200 :]
    edges = np.quantile(train["volatility"], np.arange(1, 10) / 10)
    tenth, learnt = (np.searchsorted(edges, part["volatility"], side="right") for part in (test, train))
    flat = (train["label"] == 0).to_numpy()
    p_flat = np.array([flat[learnt == place].mean() for place in range(10)])[tenth]
    p_up = (1 - p_flat) * (train["label"] == 1).sum() / (~flat).sum()
    width = test["volatility"].to_numpy() * sqrt(HORIZON)
    fitted = TimeoutReturns.fit(train, train.select(*KEY, "volatility", "log_return"), HORIZON)
    spoken = test.select("symbol", "volatility", as_of=pl.lit(AS_OF).cast(TIME))
    by_fifths = with_timeouts(spoken, fitted.rows(spoken["symbol"].unique().to_list(), AS_OF))["timeout_widths"]
    widths = (train["log_return"] / (train["volatility"] * sqrt(HORIZON))).to_numpy()[flat]
    shares = []
    for timeout in (0.0, widths.mean(), by_fifths.to_numpy()):
        rest = 1 - p_flat - p_up
        long, short = expected_value(rest, p_flat, p_up, 1.5 * width, width, timeout * width, 0.0 * width)
        shares.append(float(((long > 0.0004) | (short > 0.0004)).mean()))
    return shares[0], shares[1], shares[2]


def test_where_nothing_drifts_few_rows_are_worth_a_trade_once_timeouts_are_told_apart() -> None:
    """Barriers at 1.5 and 1.0: by fifths 2 to 11 % of rows pass 4 basis points, more than twice as many without."""
    none, one, fifths = np.mean([traded_shares(seed) for seed in range(3)], axis=0)
    assert 0.02 < fifths < 0.11
    assert one > 2 * fifths
    assert none > 2 * fifths


def test_what_comes_after_the_training_rows_changes_nothing() -> None:
    """From the end of the last label learnt from on, well before the as-of, all bars are others."""
    bars = driftless(7, symbols=2, size=10_000)
    keys, found = learnt(bars)
    known = keys["label_end"].max()
    assert known < AS_OF - timedelta(days=5)
    others = (pl.when(pl.col("open_time") >= known).then(pl.col(price) * 1.5).otherwise(price) for price in PRICES)
    again, after = learnt(bars.with_columns(others))
    assert again.equals(keys)
    assert after == found
    assert len(set(found.means)) == 5


def learnt(bars: pl.DataFrame) -> tuple[pl.DataFrame, TimeoutReturns]:
    """Rows that a model of the as-of trains on, and what their timeouts returned."""
    table = label_table(bars, LABELS, "5m")
    spec, target = SplitSpec(train_days=30, purge=20, embargo=0), Target(horizons=[HORIZON])
    labelled = table.with_columns(signal=pl.lit(1.0))
    keys = sample(labelled, ["signal"], target, HORIZON, AS_OF, spec, "5m", 0).keys["train"]
    returned = table.select(*KEY, "volatility", log_return=f"log_return_{HORIZON}")
    return keys, TimeoutReturns.fit(keys, returned, HORIZON)
