"""The contract of the sets beside the default one, kept by every entry by itself, whatever symbol's future is noise."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from nightfold.features.audit import audit_features
from nightfold.features.catalog import CATALOG, FEATURES, SETS
from nightfold.features.compute import compute_features
from nightfold.features.feature import Feature
from nightfold.features.segment import Segment
from nightfold.schema import FLOW, PRICES

Array = NDArray[np.float64]
NAMES = [name for name in CATALOG if name not in FEATURES]
LONGEST = max(CATALOG[name].lookback for name in NAMES)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
AMOUNTS = ["volume", "quote_volume", "taker_buy_base", "taker_buy_quote"]
CUT = 900

entries = pytest.mark.parametrize("name", NAMES)


def computed(bars: pl.DataFrame, names: list[str] = NAMES) -> pl.DataFrame:
    return compute_features(bars, names, interval="5m", leader="BTCUSDT")


def column(frame: pl.DataFrame, name: str) -> Array:
    return frame[name].to_numpy().astype(np.float64)


def agree(left: Array, right: Array) -> bool:
    unknown = np.isnan(left) & np.isnan(right)
    return bool((unknown | (np.abs(left - right) <= 1e-6 * np.abs(right) + 1e-6 * np.nanstd(right))).all())


def noise(bars: pl.DataFrame, symbol: str) -> pl.DataFrame:
    random, rows = np.random.default_rng(2), pl.int_range(pl.len()).over("symbol")
    future = bars.select((pl.col("symbol") == symbol) & (rows >= CUT)).to_series().to_numpy()
    wild = np.where(future, np.exp(random.normal(0, 0.1, bars.height)), 1.0)
    return bars.with_columns(pl.col(PRICES) * wild, pl.col(*AMOUNTS, "trades") * wild**9)


@pytest.fixture(scope="module")
def values(three: pl.DataFrame) -> pl.DataFrame:
    return computed(three)


@pytest.fixture(scope="module")
def noisy(three: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {symbol: computed(noise(three, symbol)) for symbol in SYMBOLS}


@pytest.fixture(scope="module")
def cut_off(three: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """By symbol: features where just this one's future is missing."""
    rows = pl.int_range(pl.len()).over("symbol")
    return {symbol: computed(three.filter((pl.col("symbol") != symbol) | (rows < CUT))) for symbol in SYMBOLS}


@pytest.fixture(scope="module")
def windows(three: pl.DataFrame) -> dict[int, pl.DataFrame]:
    """By lookback: the last row of each symbol from just the bars that the lookback allows."""
    last: dict[int, pl.DataFrame] = {}
    for lookback in {CATALOG[name].lookback for name in NAMES}:
        bars = three.group_by("symbol", maintain_order=True).tail(lookback + 1)
        names = [name for name in NAMES if CATALOG[name].lookback == lookback]
        last[lookback] = computed(bars, names).group_by("symbol", maintain_order=True).tail(1)
    return last


@pytest.fixture(scope="module")
def rescaled(three: pl.DataFrame) -> list[pl.DataFrame]:
    return [
        computed(
            three.with_columns(
                pl.col(PRICES) * price,
                pl.col("volume", "taker_buy_base") * volume,
                pl.col("quote_volume") * price * volume,
            )
        )
        for price, volume in ((1024, 1), (1, 256), (1024, 256))
    ]


@pytest.fixture(scope="module")
def holed(three: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All symbols without ten bars in the middle, and what lies behind that hole alone."""
    rows = pl.int_range(pl.len()).over("symbol")
    return computed(three.filter(~rows.is_between(400, 409))), computed(three.filter(rows >= 410))


def test_sets_share_no_name() -> None:
    assert sum(map(len, SETS.values())) == len(CATALOG)
    assert len(FEATURES) == 107


@entries
def test_noise_in_the_future_of_any_symbol_moves_no_value(
    name: str, values: pl.DataFrame, noisy: dict[str, pl.DataFrame]
) -> None:
    for symbol in SYMBOLS:
        full = column(values.filter(symbol=symbol), name)
        for frame in noisy.values():
            assert agree(column(frame.filter(symbol=symbol), name)[:CUT], full[:CUT])


@entries
def test_a_missing_future_of_any_symbol_moves_no_value(
    name: str, values: pl.DataFrame, cut_off: dict[str, pl.DataFrame]
) -> None:
    for symbol in SYMBOLS:
        full = column(values.filter(symbol=symbol), name)
        for frame in cut_off.values():
            assert agree(column(frame.filter(symbol=symbol), name)[:CUT], full[:CUT])


def test_other_symbols_are_looked_at_and_only_by_the_cross_asset_set(
    values: pl.DataFrame, noisy: dict[str, pl.DataFrame]
) -> None:
    moved = {
        name
        for name in NAMES
        if not agree(
            column(noisy["BTCUSDT"].filter(symbol="ETHUSDT"), name), column(values.filter(symbol="ETHUSDT"), name)
        )
    }
    assert moved == set(SETS["cross_asset"])


@entries
def test_values_begin_exactly_at_the_lookback(name: str, values: pl.DataFrame) -> None:
    lookback = CATALOG[name].lookback
    known = values.filter(symbol="SOLUSDT")[name].is_not_null()
    assert not known[:lookback].any()
    assert known[lookback:].all()


@entries
def test_a_value_needs_no_more_bars_than_its_lookback(
    name: str, values: pl.DataFrame, windows: dict[int, pl.DataFrame]
) -> None:
    last = values.group_by("symbol", maintain_order=True).tail(1)
    alone = column(windows[CATALOG[name].lookback], name)
    spread = np.nanstd(column(values, name))
    np.testing.assert_allclose(alone, column(last, name), rtol=1e-6, atol=1e-6 * spread)


@entries
def test_prices_and_volumes_have_no_scale(name: str, values: pl.DataFrame, rescaled: list[pl.DataFrame]) -> None:
    for frame in rescaled:
        assert agree(column(frame, name), column(values, name))


@entries
def test_no_window_spans_a_hole(name: str, holed: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    whole, behind = (frame.filter(symbol="ETHUSDT")[name] for frame in holed)
    assert whole[400 : 400 + CATALOG[name].lookback].null_count() == CATALOG[name].lookback
    assert agree(whole[400:].to_numpy().astype(np.float64), behind.to_numpy().astype(np.float64))


@entries
def test_what_is_not_recorded_is_null_and_nothing_is_infinite(name: str, three: pl.DataFrame) -> None:
    rows = pl.int_range(pl.len()).over("symbol")
    unknown = three.with_columns(pl.when(rows != 700).then(pl.col(*FLOW)))
    series = computed(unknown).filter(symbol="SOLUSDT")[name]
    lost = [*range(700, 701 + CATALOG[name].lookback)] if name in SETS["order_flow"] else []
    assert series.is_null().arg_true().to_list() == [*range(CATALOG[name].lookback), *(i for i in lost if i < 1_200)]
    assert series.drop_nulls().is_finite().all()


@entries
def test_without_movement_and_trades_a_value_is_null_or_its_rule_says_otherwise(name: str, three: pl.DataFrame) -> None:
    still = three.with_columns(
        *(pl.lit(0.1).alias(price) for price in PRICES), *(pl.lit(0.0).alias(amount) for amount in ("volume", *FLOW))
    )
    series = computed(still)[name].drop_nulls()
    assert series.len() == 0 if not name.startswith("relative_strength") else (series == 0).all()


@entries
def test_an_entry_says_what_it_is(name: str) -> None:
    feature = CATALOG[name]
    assert all((feature.group, feature.formula, feature.reference, feature.nulls, feature.needs))
    assert "{" not in feature.formula


def test_the_audit_passes_both_sets(three: pl.DataFrame) -> None:
    table = audit_features(three, NAMES, cuts=2, leader="BTCUSDT")
    assert table.filter(pl.col("moved_by_future") | pl.col("needs_more_than_lookback")).is_empty()


def test_the_audit_catches_a_peek_through_order_flow_or_through_the_leader(three: pl.DataFrame) -> None:
    def next_one(column: str) -> Callable[[Segment], Array]:
        return lambda bars: np.append(bars.more[column][1:], np.nan)

    peeks = [
        Feature(column, "own", "planted", 0, "test", "never", next_one(column), needs=(column,))
        for column in ("taker_buy_base", "leader_close", "market_value")
    ]
    table = audit_features(three, peeks, cuts=2, leader="BTCUSDT")
    assert table["moved_by_future"].to_list() == [True, True, True]
