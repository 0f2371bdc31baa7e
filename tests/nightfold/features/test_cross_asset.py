"""Cross-asset features against pandas, and what a missing bar of another symbol does."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nightfold.errors import ConfigError, UnknownNameError
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


def test_live_refuses_what_looks_at_other_symbols() -> None:
    with pytest.raises(ConfigError, match="`names` has dominance_1, which look at other symbols"):
        LiveFeatures(["rsi_14", "dominance_1"], interval="5m")
