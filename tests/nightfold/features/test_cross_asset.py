"""Cross-asset features against pandas, and what a missing bar of another symbol does."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nightfold.errors import BarsError, ConfigError, UnknownNameError
from nightfold.features.catalog import SETS
from nightfold.features.compute import compute_features
from nightfold.features.live import LiveFeatures

CROSS_ASSET = list(SETS["cross_asset"])
LED = [name for name in CROSS_ASSET if not name.startswith("dominance")]


@pytest.fixture(scope="module")
def found(three: pl.DataFrame) -> pl.DataFrame:
    return compute_features(three, CROSS_ASSET, leader="BTCUSDT")


def wide(bars: pl.DataFrame) -> pd.DataFrame:
    """One column a symbol and field, one row a time."""
    return bars.to_pandas().pivot(index="open_time", columns="symbol")


def twins(table: pd.DataFrame, symbol: str, leader: str) -> dict[str, pd.Series]:
    returns = np.log(table["close"]).diff()
    own, lead = returns[symbol], returns[leader]
    value = (table["high"] + table["low"] + table["close"]) / 3 * table["volume"]
    return {
        "leader_beta_288": own.rolling(288).cov(lead) / lead.rolling(288).var(),
        **{f"leader_correlation_{n}": own.rolling(n).corr(lead) for n in (60, 288)},
        **{f"relative_strength_{n}": (own - lead).rolling(n).sum() for n in (5, 20, 288)},
        "lead_lag_288_1": own.rolling(288).corr(lead.shift(1)) - lead.rolling(288).corr(own.shift(1)),
        **{f"dominance_{n}": value[symbol].rolling(n).sum() / value.sum(axis=1).rolling(n).sum() for n in (1, 20, 288)},
    }


@pytest.mark.parametrize("leader", ["BTCUSDT", "SOLUSDT"])
def test_every_feature_equals_its_twin(three: pl.DataFrame, assert_agree: Callable[..., None], leader: str) -> None:
    found = compute_features(three, CROSS_ASSET, leader=leader)
    expected = twins(wide(three), "ETHUSDT", leader)
    assert list(expected) == CROSS_ASSET
    for name, twin in expected.items():
        assert_agree(found.filter(symbol="ETHUSDT")[name], twin, 2e-6)


def test_the_leader_is_its_own_measure(found: pl.DataFrame) -> None:
    last = found.filter(symbol="BTCUSDT").row(-1, named=True)
    assert [last[name] for name in LED] == [1, 1, 1, 0, 0, 0, 0]


def test_shares_add_up_to_one(found: pl.DataFrame) -> None:
    for name in ("dominance_1", "dominance_20", "dominance_288"):
        sums = found.group_by("open_time", maintain_order=True).agg(pl.col(name).cast(pl.Float64).sum())[name][287:]
        np.testing.assert_allclose(sums, 1, atol=1e-6)


def test_a_missing_bar_of_the_leader_gives_null_in_every_window_that_needs_it(
    three: pl.DataFrame, found: pl.DataFrame
) -> None:
    gone = three["open_time"][500]
    bars = three.filter((pl.col("symbol") != "BTCUSDT") | (pl.col("open_time") != gone))
    holed = compute_features(bars, LED, leader="BTCUSDT").filter(symbol="ETHUSDT")
    whole = found.filter(symbol="ETHUSDT")
    for name in LED:
        lookback = SETS["cross_asset"][name].lookback
        assert holed[name].is_null().arg_true().to_list() == [*range(lookback), *range(500, 501 + lookback)]
        left, right = (frame[name][501 + lookback :].to_numpy() for frame in (holed, whole))
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


def test_dominance_is_over_the_symbols_that_traded(three: pl.DataFrame) -> None:
    gone = three["open_time"][500]
    absent = three.filter((pl.col("symbol") != "BTCUSDT") | (pl.col("open_time") != gone))
    idle = three.with_columns(
        volume=pl.when((pl.col("symbol") == "BTCUSDT") & (pl.col("open_time") == gone)).then(0.0).otherwise("volume")
    )
    for bars in (absent, idle):
        shares = compute_features(bars, ["dominance_1"]).filter(pl.col("open_time") == gone, symbol=pl.lit("ETHUSDT"))
        value = {
            row["symbol"]: (row["high"] + row["low"] + row["close"]) / 3 * row["volume"]
            for row in three.filter(pl.col("open_time") == gone).iter_rows(named=True)
        }
        expected = value["ETHUSDT"] / (value["ETHUSDT"] + value["SOLUSDT"])
        assert shares["dominance_1"].to_list() == pytest.approx([expected], rel=1e-6)


def test_a_symbol_listed_later_leaves_what_came_before_as_it_was(three: pl.DataFrame) -> None:
    rows = pl.int_range(pl.len()).over("symbol")
    late = three.filter((pl.col("symbol") != "SOLUSDT") | (rows >= 600))
    two = three.filter(pl.col("symbol") != "SOLUSDT")
    left, right = (
        compute_features(bars, CROSS_ASSET, leader="BTCUSDT").filter(symbol="ETHUSDT")[:600] for bars in (late, two)
    )
    assert left.equals(right)


def test_the_order_of_the_bars_does_not_matter(three: pl.DataFrame, found: pl.DataFrame) -> None:
    shuffled = three.sample(fraction=1, shuffle=True, seed=5)
    result = compute_features(shuffled, CROSS_ASSET, leader="BTCUSDT").sort("symbol", "open_time")
    assert result.equals(found)


def test_a_leader_must_be_named(three: pl.DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"`leader` is None; name the symbol .* BTCUSDT, ETHUSDT, SOLUSDT"):
        compute_features(three, ["leader_beta_288"])
    with pytest.raises(UnknownNameError, match="did you mean leader_beta_288"):
        compute_features(three, ["leader_beta"], leader="BTCUSDT")


def test_before_the_leader_comes_there_is_nothing_to_compare_with_and_who_is_alone_is_the_market(
    three: pl.DataFrame, found: pl.DataFrame
) -> None:
    alone = compute_features(three.filter(symbol="SOLUSDT"), CROSS_ASSET, leader="BTCUSDT")
    assert alone.select(pl.col(LED).is_null().all()).row(0) == (True,) * len(LED)
    assert alone["dominance_1"].to_list() == [1.0] * 1_200
    rows = pl.int_range(pl.len()).over("symbol")
    late = three.filter((pl.col("symbol") == "SOLUSDT") | (rows >= 700))
    joined = compute_features(late, CROSS_ASSET, leader="BTCUSDT").filter(symbol="SOLUSDT")
    assert joined[:700].equals(alone[:700])
    assert joined["relative_strength_5"][705:].equals(found.filter(symbol="SOLUSDT")["relative_strength_5"][705:])


def test_no_bars_give_no_rows(three: pl.DataFrame) -> None:
    assert compute_features(three[:0], CROSS_ASSET, leader="BTCUSDT").shape == (0, 2 + len(CROSS_ASSET))


def moments(bars: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """Bars of one open time after the other."""
    for _, group in bars.group_by("open_time", maintain_order=True):
        yield list(group.iter_rows(named=True))


@pytest.fixture(scope="module")
def torn(three: pl.DataFrame) -> pl.DataFrame:
    """A bar of the leader is missing, one of another symbol, an hour of all, and one symbol came late."""
    row, symbol = pl.int_range(pl.len()).over("symbol"), pl.col("symbol")
    missing = (
        ((symbol == "BTCUSDT") & (row == 750))
        | ((symbol == "ETHUSDT") & (row == 800))
        | row.is_between(840, 851)
        | ((symbol == "SOLUSDT") & (row < 100))
    )
    return three.filter(~missing).sort("open_time", "symbol")


@pytest.mark.parametrize("begins", [0, 700])
def test_live_equals_batch_where_bars_of_other_symbols_are_missing(
    torn: pl.DataFrame, assert_agree: Callable[..., None], begins: int
) -> None:
    names = [*CROSS_ASSET, "rsi_7", "taker_imbalance_20"]
    since = torn["open_time"].unique().sort()[begins]
    before, after = torn.filter(pl.col("open_time") < since), torn.filter(pl.col("open_time") >= since)
    live = LiveFeatures.warm(before, names, interval="5m", leader="BTCUSDT")
    rows = pl.DataFrame([row for moment in moments(after) for row in live.update_all(moment)], infer_schema_length=None)
    batch = compute_features(torn, names, leader="BTCUSDT").filter(pl.col("open_time") >= since)
    assert rows.select("symbol", "open_time").equals(batch.select("symbol", "open_time"))
    for name in names:
        one, other = (frame[name].to_numpy().astype(np.float64) for frame in (rows, batch))
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other), err_msg=name)
        assert_agree(one, other)
    for symbol in live.symbols:
        assert live.newest(symbol) == rows.filter(symbol=symbol).row(-1, named=True)


def test_live_bars_may_come_in_any_order_and_come_back_in_it(three: pl.DataFrame) -> None:
    begin, (moment, *_) = (
        three.filter(pl.col("open_time") < three["open_time"][300]),
        moments(three.filter(pl.col("open_time") == three["open_time"][300])),
    )
    one, other = (LiveFeatures.warm(begin, CROSS_ASSET, leader="BTCUSDT") for _ in range(2))
    assert one.update_all(moment[::-1]) == other.update_all(moment)[::-1]
    assert one.update_all([]) == []


def test_live_refuses_a_bar_alone_where_others_are_looked_at(three: pl.DataFrame) -> None:
    live = LiveFeatures(["rsi_14", "dominance_1"], interval="5m")
    with pytest.raises(ConfigError, match="`names` has dominance_1, which look at other symbols; a bar alone"):
        live.update(three.row(0, named=True))
    with pytest.raises(ConfigError, match="`leader` is None; name the symbol that relative_strength_5 compare"):
        LiveFeatures(["rsi_14", "relative_strength_5"], interval="5m")
    with pytest.raises(ConfigError, match="`leader` is None"):
        LiveFeatures.warm(three, ["relative_strength_5"])
    with pytest.raises(UnknownNameError, match="symbol `BTCUSDT` is unknown"):
        live.newest("BTCUSDT")


def test_live_refuses_bars_that_do_not_belong_together_and_keeps_none_of_them(three: pl.DataFrame) -> None:
    names = ["dominance_1", "relative_strength_5"]
    now, later = (three.filter(pl.col("open_time") == three["open_time"][row]).to_dicts() for row in (300, 301))
    begin = three.filter(pl.col("open_time") < three["open_time"][300])
    live, untouched = (LiveFeatures.warm(begin, names, leader="BTCUSDT") for _ in range(2))
    for bars, message in [
        ([now[0], later[1]], r"`bars` are of 2022-11-07 01:00 and 2022-11-07 01:05; hand over those of one time"),
        ([now[0], now[0] | {"volume": 1.0}], "`bars` has two of BTCUSDT"),
        ([now[0], now[1] | {"close": -1.0}], "close is -1.0"),
        (begin.filter(pl.col("open_time") == begin["open_time"].max()).to_dicts(), "has been taken already"),
    ]:
        with pytest.raises(BarsError, match=message):
            live.update_all(bars)
    assert live.update_all(now[:2]) == untouched.update_all(now[:2])
    with pytest.raises(BarsError, match="SOLUSDT at 2022-11-07 01:00:00 UTC has been taken already"):
        live.update_all(now[2:])
