"""Bad bars: a clear error, or null by rule; never an infinity, never a silent zero."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nightfold.errors import SchemaError
from nightfold.features.catalog import CATALOG, FEATURES, SETS
from nightfold.features.compute import compute_features
from nightfold.features.feature import Feature
from nightfold.schema import FLOW

START = datetime(2024, 1, 1, tzinfo=UTC)
PRICES = ("open", "high", "low", "close")
ROW = pl.int_range(pl.len())
HIT, DAY = 900, 288


@st.composite
def markets(draw: st.DrawFn, symbol: str = "A") -> pl.DataFrame:
    """A market of coarse ticks with still and idle stretches, holes, gaps in its flow and million-fold spikes."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 700))
    step = random.integers(-3, 4, count) * (random.random(count) < draw(st.sampled_from([0.0, 0.02, 0.9])))
    close = 100 * 1.001 ** np.cumsum(step)
    reach = 1.0005 ** random.integers(0, 3, (2, count))
    spike = np.where(np.arange(count) == draw(st.integers(0, count - 1)), draw(st.sampled_from([1, 1e6, 1e-6])), 1)
    opened = np.append(close[:1], close[:-1])
    traded = random.random(count) < draw(st.sampled_from([0.0, 0.1, 1.0]))
    holes = np.cumsum(1 + 40 * (random.random(count) < draw(st.sampled_from([0, 0, 0.01]))))
    volume = np.where(traded, random.lognormal(3, 2, count), 0.0)
    bought = draw(st.sampled_from([0.0, 0.5, 1.0])) + random.uniform(-0.5, 0.5, count)
    told = pl.Series(random.random(count) < draw(st.sampled_from([0.0, 0.99, 1.0])))
    bars = pl.DataFrame(
        {
            "symbol": [symbol] * count,
            "open_time": pl.Series([START + timedelta(minutes=5) * int(hole) for hole in holes]).cast(
                pl.Datetime("ms", "UTC")
            ),
            "open": opened * spike,
            "high": np.maximum(opened, close) * reach[0] * spike,
            "low": np.minimum(opened, close) / reach[1] * spike,
            "close": close * spike,
            "volume": volume,
            "quote_volume": volume * close * spike,
            "trades": np.where(traded, 1.0 + random.poisson(5, count), 0.0),
            "taker_buy_base": volume * np.clip(bought, 0, 1),
        }
    )
    return bars.with_columns(pl.when(told).then(pl.col(name)) for name in FLOW if name in bars.columns)


def numbers(frame: pl.DataFrame, names: Iterable[str] = FEATURES) -> NDArray[np.float64]:
    return frame.select(list(names)).to_numpy().astype(np.float64)


def agree(left: NDArray[np.float64], right: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.bool_]:
    unknown = np.isnan(left) & np.isnan(right)
    return unknown | (np.abs(left - right) <= 1e-6 * np.abs(right) + 1e-6 * deviation)


@given(markets(), markets("B"), st.integers(0, 10**6))
def test_any_market_has_finite_features_that_keep_their_rules(one: pl.DataFrame, other: pl.DataFrame, cut: int) -> None:
    def computed(bars: pl.DataFrame) -> pl.DataFrame:
        return compute_features(bars, CATALOG, interval="5m", leader="A")

    bars = pl.concat([one, other])
    found = computed(bars)
    assert found.select(~pl.any_horizontal((~pl.selectors.float().is_finite()).any())).item()
    stretch = (pl.col("open_time").diff().over("symbol") != timedelta(minutes=5)).fill_null(value=True).cum_sum()
    history = bars.select(ROW.over(stretch)).to_series()
    for name, feature in CATALOG.items():
        assert found.filter(history < feature.lookback)[name].null_count() == (history < feature.lookback).sum(), name
    shuffled = bars.sample(fraction=1, shuffle=True, seed=cut)
    assert computed(shuffled).sort("symbol", "open_time").equals(found)
    known_by_then = pl.col("open_time") <= one["open_time"][cut % one.height]
    past, whole = (
        numbers(frame, CATALOG) for frame in (computed(bars.filter(known_by_then)), found.filter(known_by_then))
    )
    same = agree(past, whole, np.nanstd(np.vstack([whole, np.zeros(len(CATALOG))]), axis=0))
    assert same.all(), [list(CATALOG)[i] for i in np.flatnonzero(~same.all(axis=0))]


@pytest.fixture(scope="module")
def whole(lively: pl.DataFrame) -> pl.DataFrame:
    return compute_features(lively)


@pytest.fixture(scope="module")
def changed(lively: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Features of the lively bars with a million-fold spike in prices or in volume, and with a day without trades."""
    spike = {"price": PRICES, "volume": ("volume",)}
    spiked = {
        what: lively.with_columns(pl.when(ROW == HIT).then(pl.col(name) * 1e6).otherwise(name) for name in names)
        for what, names in spike.items()
    }
    idle = lively.with_columns(volume=pl.when(ROW.is_between(HIT, HIT + DAY - 1)).then(0.0).otherwise("volume"))
    return {what: compute_features(bars) for what, bars in {**spiked, "idle": idle}.items()}


@pytest.mark.parametrize(("what", "last"), [("price", HIT), ("volume", HIT), ("idle", HIT + DAY - 1)])
def test_a_spike_or_an_idle_day_is_seen_by_the_windows_that_hold_it_and_by_no_other(
    whole: pl.DataFrame, changed: dict[str, pl.DataFrame], what: str, last: int
) -> None:
    before, after = numbers(whole), numbers(changed[what])
    assert not np.isinf(after).any()
    assert np.array_equal(before[:HIT], after[:HIT], equal_nan=True)
    lookback = np.array([feature.lookback for feature in FEATURES.values()])
    unseen = np.arange(len(before))[:, None] > last + lookback
    moved = ~agree(after, before, np.nanstd(before, axis=0)) & unseen
    assert not moved.any(), [list(FEATURES)[i] for i in np.flatnonzero(moved.any(axis=0))]
    assert not agree(after, before, np.nanstd(before, axis=0)).all()


@pytest.mark.parametrize("spiked", [PRICES, ("volume",), FLOW])
def test_a_spike_of_the_leader_stays_in_the_windows_of_the_further_sets_that_hold_it(
    three: pl.DataFrame, spiked: tuple[str, ...]
) -> None:
    further, hit = [name for name in CATALOG if name not in FEATURES], 500
    row = ROW.over("symbol")
    wild = (pl.col("symbol") == "BTCUSDT") & (row == hit)
    bars = three.with_columns(pl.when(wild).then(pl.col(name) * 1e6).otherwise(name) for name in spiked)
    before, after = (
        numbers(compute_features(each, further, interval="5m", leader="BTCUSDT"), further) for each in (three, bars)
    )
    assert not np.isinf(after).any()
    rows = three.select(row).to_series().to_numpy()
    lookback = np.array([CATALOG[name].lookback for name in further])
    same = agree(after, before, np.nanstd(before, axis=0))
    assert same[rows < hit].all()
    moved = ~same & (rows[:, None] > hit + lookback)
    assert not moved.any(), [further[i] for i in np.flatnonzero(moved.any(axis=0))]
    assert not same.all()


def named(words: tuple[str, ...], but: tuple[str, ...] = ()) -> list[Feature]:
    """Features whose null policy has one of the words and none of the others."""
    found = [feature for feature in FEATURES.values() if any(word in feature.nulls for word in words)]
    return [feature for feature in found if not any(word in feature.nulls for word in but)]


def test_a_day_without_volume_gives_null_and_no_zero_where_volume_is_needed(changed: dict[str, pl.DataFrame]) -> None:
    idle = named(("no volume in", "no trades in"))
    assert len(idle) >= 5
    end = changed["idle"][HIT + DAY - 1]
    assert {feature.name: end[feature.name].item() for feature in idle} == {feature.name: None for feature in idle}


def test_constant_prices_give_null_and_no_zero_where_movement_is_needed(lively: pl.DataFrame) -> None:
    constant = lively.with_columns(pl.lit(20.0).alias(name) for name in PRICES)
    found = compute_features(constant)
    assert found.select(~pl.any_horizontal((~pl.selectors.float().is_finite()).any())).item()
    still = named(("no movement", "returns in the window equal", "closes in the window equal", "high equals low"))
    assert len(still) >= 20
    known = [feature.name for feature in still if found[feature.name].count()]
    assert known == []
    assert found["log_return_1"].drop_nulls().unique().to_list() == [0.0]


@pytest.mark.parametrize("count", [0, 1, 2, 20, 500])
def test_a_short_history_has_the_features_that_look_back_no_further(lively: pl.DataFrame, count: int) -> None:
    found = compute_features(lively[:count], interval="5m")
    for name, feature in FEATURES.items():
        assert found[name][: feature.lookback].null_count() == min(count, feature.lookback), name
        assert found.schema[name] == pl.Float32


@pytest.mark.parametrize("name", PRICES)
@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf"), 0.0, -1.0])
def test_a_price_that_cannot_be_is_refused(lively: pl.DataFrame, name: str, value: float | None) -> None:
    bars = lively[:30].with_columns(pl.when(ROW == 7).then(pl.lit(value)).otherwise(name).alias(name))
    fault = "null" if value is None else "not above 0" if np.isfinite(value) else "not finite"
    with pytest.raises(SchemaError, match=rf"`bars` cannot be used: .*{name} {fault} in 1 rows.*; repair or drop"):
        compute_features(bars, ["rsi_7"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"high": pl.col("low") * 0.999}, "high below another price in 1 rows"),
        ({"high": pl.min_horizontal("open", "close") * 1.0}, "high below another price in 1 rows"),
        ({"low": pl.max_horizontal("open", "close") * 1.0}, "low above another price in 1 rows"),
        ({"open": pl.col("high") * 1.01}, "high below another price in 1 rows"),
        ({"close": pl.col("low") * 0.99}, "low above another price in 1 rows"),
        ({"volume": pl.lit(-1e-9)}, "volume negative in 1 rows"),
        ({"volume": pl.lit(None, pl.Float64)}, "volume null in 1 rows"),
        ({"volume": pl.lit(float("inf"))}, "volume not finite in 1 rows"),
    ],
)
def test_bars_that_no_market_makes_are_refused(lively: pl.DataFrame, change: dict[str, pl.Expr], message: str) -> None:
    (row,) = lively.head(200).select((pl.col("open") != pl.col("close")).arg_max()).row(0)
    bars = lively[:200].with_columns(
        pl.when(row == ROW).then(value).otherwise(name).alias(name) for name, value in change.items()
    )
    with pytest.raises(SchemaError, match=message):
        compute_features(bars, ["rsi_7"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda bars: bars.drop("high", "symbol"), "`bars` lack the columns symbol, high; they have open_time"),
        (lambda bars: bars.with_columns(pl.col("high").cast(pl.String)), "high is String; cast them to Float64"),
        (lambda bars: bars.with_columns(close=True), "close is Boolean"),
        (lambda bars: bars.with_columns(pl.col("open_time").dt.epoch("ms")), "`open_time` is Int64; it must be"),
        (lambda bars: bars.with_columns(pl.col("open_time").dt.replace_time_zone(None)), "`open_time` is Datetime"),
        (lambda bars: bars.with_columns(pl.col("open_time").shift(2)), "open_time null in 2 rows"),
        (lambda bars: pl.concat([bars, bars.head(4)]), "4 of them come twice"),
    ],
)
def test_bars_of_the_wrong_kind_are_refused(
    lively: pl.DataFrame, change: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    with pytest.raises(SchemaError, match=message):
        compute_features(change(lively[:30]), ["rsi_7"])


def test_mixed_and_unsorted_symbols_have_the_features_of_each_alone(lively: pl.DataFrame, outage: pl.DataFrame) -> None:
    both = pl.concat([lively[:700], outage[:700]])
    mixed = compute_features(both.sample(fraction=1, shuffle=True, seed=3))
    for bars in (lively[:700], outage[:700]):
        alone = compute_features(bars)
        found = mixed.filter(symbol=bars["symbol"][0]).sort("open_time")
        assert agree(numbers(found), numbers(alone), np.nanstd(numbers(alone), axis=0)).all()


def test_a_column_that_a_further_set_needs_may_not_be_negative(three: pl.DataFrame) -> None:
    with pytest.raises(SchemaError, match="taker_buy_base negative in 3600 rows"):
        compute_features(three.with_columns(taker_buy_base=-pl.col("taker_buy_base")), SETS["order_flow"])
