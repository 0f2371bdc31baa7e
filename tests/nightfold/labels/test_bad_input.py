"""Bad bars: a clear error, or null by rule; never an infinity, never a silent zero."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.errors import BarsError
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.labels.meta import meta_labels
from nightfold.labels.table import LabelSet, label_columns, label_table

Bars = Callable[..., pl.DataFrame]

START = datetime(2024, 1, 1, tzinfo=UTC)
BAR = timedelta(minutes=5)
PRICES = ("open", "high", "low", "close")
LABELS = LabelSet(horizons=[1, 6, 70], volatility_bars=5)
TOGETHER = ("label", "label_end", "touch", "tie", "log_return", "mfe", "mae", "uniqueness", "weight")


@st.composite
def markets(draw: st.DrawFn, symbol: str = "A") -> pl.DataFrame:
    """A market of ticks, flat stretches, holes and million-fold spikes, in any length."""
    moves = draw(st.lists(st.tuples(*[st.integers(-3, 3)] * 3, st.sampled_from([1] * 12 + [2, 40])), max_size=120))
    still = draw(st.integers(0, 40))
    ticks = [*accumulate((move for move, *_ in moves), initial=0)] + [0] * still
    spike, row = draw(st.sampled_from([1.0, 1.0, 1e6, 1e-6])), draw(st.integers(0, len(ticks) - 1))
    shape = [*((up, down) for _, up, down, _ in moves), *[(0, 0)] * (still + 1)]
    steps = [0, *accumulate(step for *_, step in moves)]
    steps += [steps[-1] + bar for bar in range(1, still + 1)]
    close = np.array([100 * 1.002**tick for tick in ticks])
    close[row] *= spike
    opened = np.array([value * 1.001**up for value, (up, _) in zip(close, shape, strict=True)])
    reach = np.array([1.0005 ** abs(down) for _, down in shape])
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(ticks),
            "open_time": pl.Series([START + BAR * step for step in steps], dtype=pl.Datetime("ms", "UTC")),
            "open": opened,
            "high": np.maximum(opened, close) * reach,
            "low": np.minimum(opened, close) / reach,
            "close": close,
            "volume": [0.0] * len(ticks),
        }
    )


@given(markets(), markets("B"), st.sampled_from(["worse", "nearer_open"]), st.sampled_from(["close", "next_open"]))
def test_any_market_has_finite_labels_that_keep_their_rules(
    one: pl.DataFrame, other: pl.DataFrame, tie: str, entry: str
) -> None:
    bars = pl.concat([one, other])
    label_set = LABELS.model_copy(update={"tie": tie, "entry": entry})
    table = label_table(bars, label_set, "5m")
    label_columns(label_set).validate(table)
    assert table.select(~pl.any_horizontal(pl.selectors.float().is_nan().any())).item()
    assert label_table(bars.reverse(), label_set, "5m").equals(table)
    for horizon in label_set.horizons:
        labels = table.select("open_time", "volatility", **{name: pl.col(f"{name}_{horizon}") for name in TOGETHER})
        known = labels.drop_nulls()
        assert labels.drop_nulls(["label"]).equals(known)
        assert labels.filter(pl.col("label").is_null()).select(TOGETHER).null_count().row(0) == (
            len(labels) - len(known),
        ) * len(TOGETHER)
        life = (known["label_end"] - known["open_time"]) / BAR - 1
        assert life.is_between(1, horizon).all()
        assert (known["mae"] <= known["log_return"]).all()
        assert (known["log_return"] <= known["mfe"]).all()
        direction = table.drop_nulls(f"direction_{horizon}")
        assert direction[f"forward_log_return_{horizon}"].null_count() == direction["volatility"].null_count() == 0


@given(markets(), st.integers(0, 2**31))
def test_meta_labels_of_any_market_are_finite(bars: pl.DataFrame, seed: int) -> None:
    side = np.random.default_rng(seed).integers(-1, 2, bars.height)
    sides = bars.select("symbol", "open_time", pl.Series("side", side))
    found = meta_labels(bars, sides, LABELS.barrier(6), cost=0.001, interval="5m")
    assert found["net_log_return"].drop_nulls().is_finite().all()
    assert found.filter(side=0).drop_nulls().is_empty()
    known = found.drop_nulls()
    assert (known["meta_label"] == (known["net_log_return"] > 0)).all()


def test_a_million_fold_spike_moves_only_the_labels_that_look_at_it(recorded_bars: Bars) -> None:
    bars = recorded_bars("BTCUSDT", datetime(2022, 11, 8, tzinfo=UTC), datetime(2022, 11, 11, tzinfo=UTC))
    row = pl.int_range(pl.len())
    spiked = bars.with_columns(pl.when(row == 400).then(pl.col(name) * 1e6).otherwise(name) for name in PRICES)
    label_set = LabelSet(horizons=[5, 288])
    before, after = label_table(bars, label_set), label_table(spiked, label_set)
    label_columns(label_set).validate(after)
    unseen = [f"{name}_5" for name in ("label", "label_end", "log_return", "mfe", "mae", "forward_log_return")]
    far = (row < 400 - 5) | (row > 400 + 100)
    assert after.filter(far).select(unseen).equals(before.filter(far).select(unseen))
    undecided = before["label_end_5"] > bars["open_time"][400]
    around = after.filter(undecided & after.select(row.is_between(395, 399)).to_series())
    assert around.height > 0
    assert around.select("label_5", "touch_5").unique().rows() == [(1, "upper")]
    assert around["log_return_5"].is_between(13, 15).all()


def test_a_barrier_beyond_all_numbers_is_null(made_bars: Bars) -> None:
    bars = made_bars([(price,) * 4 for price in [1e-99, 1e99] * 20])
    found = barrier_labels(bars, TripleBarrier(horizon=9, volatility_bars=3))
    assert found.select("label", "upper_barrier", "lower_barrier").null_count().row(0) == (40,) * 3


@pytest.mark.parametrize("count", [0, 1, 2, 5, 6])
def test_a_short_history_has_no_labels_and_no_zeros(random_bars: Bars, count: int) -> None:
    table = label_table(random_bars(count, 1), LABELS, "5m")
    assert table.schema == label_columns(LABELS).dtypes
    assert table["label_1"].count() == table["weight_1"].count() == 0
    assert table["forward_log_return_1"].count() == max(count - 1, 0)


def test_constant_prices_have_no_labels(made_bars: Bars) -> None:
    table = label_table(made_bars([(5.0,) * 4] * 100), LABELS)
    for horizon in LABELS.horizons:
        assert table.select(f"{name}_{horizon}" for name in TOGETHER).null_count().row(0) == (100,) * len(TOGETHER)


def test_volume_does_not_matter(random_bars: Bars) -> None:
    bars = random_bars(400, 5)
    quiet = bars.with_columns(volume=pl.when(pl.int_range(pl.len()) < 288).then(0.0).otherwise("volume"))
    assert label_table(quiet, LABELS).equals(label_table(bars, LABELS))
    assert label_table(bars.drop("volume"), LABELS).equals(label_table(bars, LABELS))


@pytest.mark.parametrize("name", PRICES)
@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e200, 1e-200])
def test_a_price_that_cannot_be_is_refused(random_bars: Bars, name: str, value: float | None) -> None:
    bars = random_bars(30, 1).with_columns(
        pl.when(pl.int_range(pl.len()) == 7).then(pl.lit(value)).otherwise(name).alias(name)
    )
    with pytest.raises(BarsError, match=f"{name}: 1 values are null, not finite or not above 0"):
        label_table(bars, LABELS)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("high", pl.col("low") * 0.9, "high: 1 values are under the low or the close"),
        ("high", pl.col("close") * 0.9999, "high: 1 values are under the low or the close"),
        (
            "low",
            pl.col("high") * 1.1,
            "high: 1 values are under the low or the close; low: 1 values are over the close",
        ),
        ("close", pl.col("low") * 0.9, "low: 1 values are over the close"),
    ],
)
def test_a_price_outside_its_bar_is_refused(random_bars: Bars, name: str, value: pl.Expr, message: str) -> None:
    bars = random_bars(30, 1).with_columns(pl.when(pl.int_range(pl.len()) == 7).then(value).otherwise(name).alias(name))
    for labelled in (partial(label_table, label_set=LABELS), partial(barrier_labels, barrier=TripleBarrier(horizon=5))):
        with pytest.raises(BarsError, match=f"`bars` cannot be labelled: {message}"):
            labelled(bars)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda bars: bars.drop("high", "symbol"), "lacks the columns symbol, high; it has"),
        (lambda bars: bars.with_columns(pl.col("high").cast(pl.String)), "high: String is no number"),
        (lambda bars: bars.with_columns(close=True), "close: Boolean is no number"),
        (lambda bars: bars.with_columns(pl.col("open_time").dt.epoch("ms")), "open_time: Int64 is no moment"),
        (lambda bars: bars.with_columns(open_time=pl.lit("today")), "open_time: String is no moment"),
        (lambda bars: bars.with_columns(symbol=1), "symbol: Int32 is no text"),
        (lambda bars: bars.with_columns(symbol=pl.lit(None, pl.String)), "symbol: 30 values are null"),
        (lambda bars: bars.with_columns(pl.col("open_time").shift(2)), "open_time: 2 values are null"),
        (lambda bars: pl.concat([bars, bars.head(4)]), "4 bars are repeated"),
        (lambda bars: bars.head(1).select(pl.all().repeat_by(2).explode()), "1 bars are repeated"),
    ],
)
def test_bars_of_the_wrong_kind_are_refused(
    random_bars: Bars, change: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    with pytest.raises(BarsError, match=message):
        label_table(change(random_bars(30, 1)), LABELS)


@pytest.mark.parametrize("dtype", [pl.Datetime("us", "UTC"), pl.Datetime("ns", "UTC"), pl.Datetime("ms", "Asia/Tokyo")])
def test_moments_of_another_kind_mean_the_same(random_bars: Bars, dtype: pl.Datetime) -> None:
    bars = random_bars(60, 2)
    assert label_table(bars.with_columns(pl.col("open_time").cast(dtype)), LABELS).equals(label_table(bars, LABELS))


def test_mixed_and_unsorted_symbols_are_put_in_order(random_bars: Bars) -> None:
    bars = pl.concat([random_bars(80, seed, symbol=symbol) for seed, symbol in enumerate("BAC")])
    table = label_table(bars, LABELS)
    assert table["symbol"].unique(maintain_order=True).to_list() == ["A", "B", "C"]
    for seed in range(3):
        assert label_table(bars.sample(fraction=1.0, shuffle=True, seed=seed), LABELS).equals(table)
    by_time = bars.sort("open_time", maintain_order=True)
    assert label_table(by_time, LABELS).equals(table)
    assert (
        label_table(bars.with_columns(pl.col("symbol").cast(pl.Categorical)), LABELS)
        .drop("symbol")
        .equals(table.drop("symbol"))
    )
