"""Sample accounting: every row once, under the first reason."""

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.errors import SchemaError, UnknownNameError
from nightfold.labels.account import KEPT, REASONS, account, data_losses
from nightfold.labels.table import LabelSet, label_table
from nightfold.splits.purge import PurgedSplit

Bars = Callable[..., pl.DataFrame]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sets(st.sampled_from(REASONS))), min_size=1, max_size=30))
def test_each_row_counts_once_under_the_first_reason_that_takes_it(rows: list[tuple[str, set[str]]]) -> None:
    frame = pl.DataFrame({"symbol": [symbol for symbol, _ in rows]})
    lost = {reason: pl.Series([reason in taken for _, taken in rows]) for reason in reversed(REASONS)}
    table = account(frame, lost)
    for symbol in frame["symbol"].unique():
        firsts = [min(taken, key=REASONS.index, default=KEPT) for owner, taken in rows if owner == symbol]
        expected = [(symbol, reason, firsts.count(reason)) for reason in (*REASONS, KEPT)]
        assert list(table.filter(symbol=symbol).iter_rows()) == expected


def test_an_unknown_reason_or_a_frame_without_symbols_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean embargo"):
        account(pl.DataFrame({"symbol": ["A"]}), {"embargos": pl.lit(True)})
    with pytest.raises(SchemaError, match="lacks the column symbol"):
        account(pl.DataFrame({"ticker": ["A"]}), {})


def test_the_data_takes_rows_at_the_start_at_holes_and_at_the_end(made_bars: Bars) -> None:
    steps = [*range(8), *range(20, 30)]
    rows = made_bars([(1.0, 1.0, 1.0, 1.0)] * len(steps), steps).with_columns(
        sma=pl.Series([None] * 3 + [1.0] * 5 + [None] * 4 + [1.0] * 2 + [None] + [1.0] * 3),
        label=pl.Series([0] * 6 + [None] * 2 + [0] * 8 + [None] * 2),
    )
    table = account(rows, data_losses(rows, ["sma"], "label", lookback=3, horizon=2, interval="5m"))
    assert dict(table.filter(pl.col("rows") > 0).select("reason", "rows").iter_rows()) == {
        "gap": 2 + 3,
        "warm-up": 3,
        "missing feature": 2,
        "unknown future": 2,
        "kept": 6,
    }


def test_recorded_bars_are_accounted_for_down_to_the_rows_that_train(recorded_bars: Bars) -> None:
    bars = pl.concat(
        recorded_bars(symbol, datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC))
        for symbol in ("BTCUSDT", "ETHUSDT")
    )
    table = label_table(bars, LabelSet(horizons=[20]), "5m")
    part = PurgedSplit().split(table["open_time"], table["label_end_20"], "5m").part
    losses = data_losses(table, ["volatility"], "label_20", lookback=100, horizon=20, interval="5m")
    losses |= {
        "purge": part == "purged",
        "embargo": part == "embargoed",
        "other part": part.is_in(["validation", "test"]),
    }
    counted = account(table, losses)
    assert counted.group_by("symbol").agg(pl.col("rows").sum()).sort("symbol")["rows"].to_list() == [8912, 8912]
    found = counted.pivot("reason", index="symbol", values="rows").row(0, named=True)
    assert (found["warm-up"], found["embargo"] // 288, found["purge"]) == (100, 2, 120)
    assert found["gap"] >= 100
    assert 1 <= found["unknown future"] <= 20
    assert found["kept"] == (part[:8912] == "train").sum()
