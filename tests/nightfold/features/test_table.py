"""Sets of features as tables of the lake, and bars that cannot feed them."""

import polars as pl
import pytest

from nightfold.errors import SchemaError
from nightfold.features.catalog import SETS
from nightfold.features.table import check_recorded, features_table, looks_across, table_name
from nightfold.schema import FLOW


@pytest.mark.parametrize(
    ("chosen", "name", "across"),
    [("default", "features", False), ("order_flow", "order_flow", False), ("cross_asset", "cross_asset", True)],
)
def test_each_set_is_a_table_of_its_own(chosen: str, name: str, across: bool) -> None:
    table = features_table(chosen)
    assert (table.name, table_name(chosen), looks_across(chosen)) == (name, name, across)
    assert list(table.columns) == ["symbol", "open_time", *SETS[chosen]]


@pytest.mark.parametrize("chosen", SETS)
def test_a_column_tells_formula_lookback_null_rule_and_reference(chosen: str) -> None:
    for name, feature in SETS[chosen].items():
        description = features_table(chosen).columns[name].description
        assert feature.formula in description
        assert f"Bars looked back: {feature.lookback}. Null: " in description
        assert description.endswith(".")


def bars(**flow: pl.Expr) -> pl.DataFrame:
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 2), "1h", eager=True, time_unit="ms")
    frame = pl.DataFrame({"symbol": "BTCUSDT", "open_time": times.dt.replace_time_zone("UTC")})
    return frame.with_columns(*(pl.lit(1.0).alias(name) for name in FLOW)).with_columns(**flow)


def test_columns_that_were_never_recorded_are_named_with_the_way_out() -> None:
    unknown = bars(trades=pl.lit(None, pl.Int64), taker_buy_base=pl.lit(None, pl.Float64))
    words = (
        "`bars` of BTCUSDT from 2024-01-01 on have no value of taker_buy_base, trades, which features of the set "
        "`order_flow` need; take a source"
    )
    with pytest.raises(SchemaError, match=words):
        check_recorded("order_flow", unknown)
    check_recorded("default", unknown)
    check_recorded("cross_asset", unknown)


def test_single_unknown_values_and_a_window_without_bars_are_no_fault() -> None:
    check_recorded("order_flow", bars(trades=pl.when(pl.int_range(pl.len()) == 3).then(1)))
    check_recorded("order_flow", bars(taker_buy_quote=pl.lit(None, pl.Float64)))
    check_recorded("order_flow", bars(trades=pl.lit(None, pl.Int64))[:0])
