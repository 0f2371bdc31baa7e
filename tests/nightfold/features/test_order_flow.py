"""Order flow against pandas."""

from collections.abc import Callable

import pandas as pd
import polars as pl
import pytest

from nightfold.errors import SchemaError
from nightfold.features.catalog import SETS
from nightfold.features.compute import compute_features
from nightfold.features.live import LiveFeatures


@pytest.fixture(scope="module")
def bars(three: pl.DataFrame) -> pl.DataFrame:
    return three.filter(symbol="ETHUSDT")


@pytest.fixture(scope="module")
def found(bars: pl.DataFrame) -> pl.DataFrame:
    return compute_features(bars, SETS["order_flow"])


def z_score(values: pd.Series, window: int) -> pd.Series:
    rolled = values.rolling(window)
    return (values - rolled.mean()) / rolled.std(ddof=0)


def twins(bars: pd.DataFrame) -> dict[str, pd.Series]:
    sold = bars.volume - bars.taker_buy_base
    net = bars.taker_buy_base - sold
    size, density = bars.quote_volume / bars.trades, bars.trades / bars.volume

    def ratio(above: pd.Series, below: pd.Series, fast: int) -> pd.Series:
        one, other = (above.rolling(n).sum() / below.rolling(n).sum() for n in (fast, 288))
        return one / other

    return {
        **{f"taker_imbalance_{n}": net.rolling(n).sum() / bars.volume.rolling(n).sum() for n in (1, 5, 20, 60)},
        "taker_imbalance_z_score_288": z_score(net, 288),
        **{f"trade_size_{n}_288": ratio(bars.quote_volume, bars.trades, n) for n in (1, 20)},
        "trade_size_z_score_288": z_score(size, 288),
        **{f"trades_per_volume_{n}_288": ratio(bars.trades, bars.volume, n) for n in (1, 20)},
        "trades_per_volume_z_score_288": z_score(density, 288),
    }


def test_every_feature_equals_its_twin(
    bars: pl.DataFrame, found: pl.DataFrame, assert_agree: Callable[..., None]
) -> None:
    expected = twins(bars.to_pandas())
    assert list(expected) == list(SETS["order_flow"])
    for name, twin in expected.items():
        assert_agree(found[name], twin, 2e-6)


def test_by_hand(bars: pl.DataFrame) -> None:
    two = bars[:2].with_columns(volume=pl.Series([4.0, 6.0]), taker_buy_base=pl.Series([3.0, 3.0]))
    # Bought 3 of 4, so sold 1: imbalance 2 / 4. Then 3 of 6: none.
    assert compute_features(two, ["taker_imbalance_1"])["taker_imbalance_1"].to_list() == [0.5, 0.0]


def test_missing_columns_are_named(bars: pl.DataFrame) -> None:
    with pytest.raises(SchemaError, match="lack the columns quote_volume, trades; they have symbol"):
        compute_features(bars.drop("quote_volume", "trades"), SETS["order_flow"])
    assert compute_features(bars.drop("quote_volume", "trades"), ["taker_imbalance_5"]).height == bars.height


def test_columns_that_hold_what_cannot_be_are_refused(bars: pl.DataFrame) -> None:
    with pytest.raises(SchemaError, match="trades not finite in 1200 rows, quote_volume negative in 1200 rows"):
        compute_features(
            bars.with_columns(quote_volume=pl.lit(-1.0), trades=pl.lit(float("nan"))), ["trade_size_1_288"]
        )


@pytest.mark.parametrize("nothing", [pl.lit(None), pl.lit(None, pl.Int64)])
def test_a_column_without_any_value_gives_nulls(bars: pl.DataFrame, nothing: pl.Expr) -> None:
    unknown = bars.with_columns(trades=nothing)
    assert compute_features(unknown, ["trades_per_volume_1_288"])["trades_per_volume_1_288"].null_count() == 1_200


def test_live_equals_batch_with_a_bar_of_unknown_flow(bars: pl.DataFrame, assert_agree: Callable[..., None]) -> None:
    rows = pl.int_range(pl.len())
    bars = bars.with_columns(trades=pl.when(~rows.is_in([10, 700])).then("trades"))
    live = LiveFeatures.warm(bars[:400], SETS["order_flow"])
    followed = pl.DataFrame([live.update(bar) for bar in bars[400:].iter_rows(named=True)], infer_schema_length=None)
    batch = compute_features(bars, SETS["order_flow"])[400:]
    for name in SETS["order_flow"]:
        assert followed[name].is_null().equals(batch[name].is_null())
        assert_agree(followed[name].to_numpy(), batch[name].to_numpy())


def test_live_names_the_columns_that_a_bar_lacks(bars: pl.DataFrame) -> None:
    live = LiveFeatures.warm(bars[:400], SETS["order_flow"])
    with pytest.raises(SchemaError, match="`bar` has no quote_volume, trades; it has symbol"):
        live.update(bars.drop("quote_volume", "trades").row(400, named=True))
