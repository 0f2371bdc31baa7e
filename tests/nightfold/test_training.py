"""Feature tables side by side."""

import polars as pl
import pytest

from nightfold.errors import LakeError
from nightfold.training import join_features, join_rows


def table(name: str, hours: list[int], symbol: str = "BTCUSDT") -> pl.DataFrame:
    times = pl.Series([3_600_000 * hour for hour in hours]).cast(pl.Datetime("ms", "UTC"))
    return pl.DataFrame({"symbol": symbol, "open_time": times, name: [float(hour) for hour in hours]})


def test_columns_of_several_tables_stand_side_by_side_in_the_order_wanted() -> None:
    tables = {"features": table("a", [1, 2]), "order_flow": table("b", [1, 2]).with_columns(c=pl.lit(0.5))}
    joined = join_features(tables, ["b", "a"])
    assert joined.columns == ["symbol", "open_time", "b", "a"]
    assert joined.drop("symbol", "open_time").rows() == [(1.0, 1.0), (2.0, 2.0)]
    assert join_features({"order_flow": tables["order_flow"]}, ["c"]).columns == ["symbol", "open_time", "c"]


@pytest.mark.parametrize(
    ("features", "flow", "words"),
    [
        ([1, 2, 3], [1], "has `features` of 2 bars without `order_flow`, the first BTCUSDT 1970-01-01 02:00"),
        ([2], [1, 2], "has `order_flow` of 1 bars without `features`, .*; materialize `features` for these"),
        ([1, 2], [2, 3], "has `features` of 1 bars without `order_flow`"),
    ],
)
def test_a_table_that_lacks_bars_of_another_is_named_whichever_it_is(
    features: list[int], flow: list[int], words: str
) -> None:
    with pytest.raises(LakeError, match=words):
        join_features({"features": table("a", features), "order_flow": table("b", flow)}, ["a", "b"])


@pytest.mark.parametrize(
    ("features", "labels", "words"),
    [
        ([1, 2, 3], [1, 3], "has features of 1 bars without labels, the first BTCUSDT 1970-01-01 02:00; .* labels for"),
        ([1, 2], [1, 2, 3], "has labels of 1 bars without features"),
    ],
)
def test_rows_that_features_or_labels_lack_are_never_lost_in_silence(
    features: list[int], labels: list[int], words: str
) -> None:
    with pytest.raises(LakeError, match=words):
        join_rows(table("a", features), table("label", labels), ["a"])
    whole = join_rows(table("a", [2, 1]), table("label", [1, 2]), ["a"])
    assert whole.select("a", "label").rows() == [(1.0, 1.0), (2.0, 2.0)]
