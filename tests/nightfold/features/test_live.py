"""One bar at a time against all of them at once, for every entry of the catalog; and what is refused."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nightfold.errors import BarsError, ConfigError, SchemaError, UnknownNameError
from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.features.feature import Feature
from nightfold.features.live import LiveFeatures
from nightfold.features.select import max_lookback

SOME = ["log_return_1", "rsi_7", "volatility_20", "bar_range"]
SCHEMA = {"symbol": pl.String, "open_time": pl.Datetime("ms", "UTC"), **dict.fromkeys(FEATURES, pl.Float32)}


def followed(live: LiveFeatures, bars: pl.DataFrame) -> pl.DataFrame:
    rows = [live.update(bar) for bar in bars.iter_rows(named=True)]
    return pl.DataFrame(rows, schema={name: SCHEMA[name] for name in rows[0]})


@pytest.fixture
def bars(lively: pl.DataFrame) -> pl.DataFrame:
    return lively[:300]


@pytest.fixture
def bar(bars: pl.DataFrame) -> dict[str, object]:
    return bars.row(-1, named=True)


@pytest.fixture(scope="module")
def live_and_batch(lively: pl.DataFrame, outage: pl.DataFrame) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """A warm start, a cold one, an outage with a hole behind it: live, and from the batch."""
    warm = LiveFeatures.warm(lively[:900])
    cold = LiveFeatures(interval="5m")
    across = LiveFeatures.warm(outage[:900])
    return [
        (followed(warm, lively[900:1300]), compute_features(lively[:1300])[900:]),
        (followed(cold, lively[:600]), compute_features(lively[:600])),
        (followed(across, outage[900:1700]), compute_features(outage[:1700])[900:]),
    ]


@pytest.mark.parametrize("name", FEATURES)
def test_live_equals_batch(name: str, live_and_batch: list[tuple[pl.DataFrame, pl.DataFrame]]) -> None:
    for live, batch in live_and_batch:
        one, other = (frame[name].to_numpy().astype(np.float64) for frame in (live, batch))
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        assert np.all(np.isnan(one) | (np.abs(one - other) <= 1e-6 * np.abs(other) + 1e-6 * np.nanstd(other)))


def test_the_outage_has_the_hole_it_is_there_for(live_and_batch: list[tuple[pl.DataFrame, pl.DataFrame]]) -> None:
    live, _ = live_and_batch[2]
    steps = live["open_time"].diff().dt.total_minutes()
    (row,) = steps.ne_missing(5).arg_true().to_list()[1:]
    assert live["log_return_20"][row - 1 : row + 21].is_not_null().arg_true().to_list() == [0, 21]


def test_a_row_carries_symbol_time_and_features_in_the_order_of_a_batch(bars: pl.DataFrame) -> None:
    row = LiveFeatures.warm(bars[:-1]).update(bars.row(-1, named=True))
    assert list(row) == compute_features(bars).columns
    assert (row["symbol"], row["open_time"]) == bars.select("symbol", "open_time").row(-1)


def test_symbols_keep_bars_of_their_own(lively: pl.DataFrame, outage: pl.DataFrame) -> None:
    both = pl.concat([outage[:400], lively[:400]])
    live = LiveFeatures.warm(pl.concat([outage[:300], lively[:300]]), SOME)
    assert live.symbols == ["BTCUSDT", "SOLUSDT"]
    in_turn = pl.concat([lively[300:400].with_row_index("turn"), outage[300:400].with_row_index("turn")]).sort("turn")
    rows = followed(live, in_turn).sort("symbol", "open_time")
    batch = compute_features(both, SOME).group_by("symbol", maintain_order=True).tail(100)
    assert_frame_equal(rows, batch, rel_tol=1e-6, abs_tol=1e-9)


def test_just_the_lookback_is_enough_to_warm_up(lively: pl.DataFrame) -> None:
    whole = LiveFeatures.warm(lively[:900], interval="5m")
    enough = LiveFeatures.warm(lively[900 - max_lookback(FEATURES) : 900])
    next_bar = lively.row(900, named=True)
    one, other = whole.update(next_bar), enough.update(next_bar)
    assert None not in other.values()
    assert [value for value in other.values() if not isinstance(value, str | datetime)] == pytest.approx(
        [value for value in one.values() if not isinstance(value, str | datetime)], rel=1e-5, abs=1e-6
    )


def test_bars_to_warm_up_with_may_come_in_any_order(lively: pl.DataFrame) -> None:
    next_bar = lively.row(300, named=True)
    shuffled = lively[:300].sample(fraction=1, shuffle=True, seed=4)
    assert LiveFeatures.warm(shuffled, SOME).update(next_bar) == LiveFeatures.warm(lively[:300], SOME).update(next_bar)


def test_a_new_symbol_begins_without_history(bars: pl.DataFrame, bar: dict[str, object]) -> None:
    row = LiveFeatures.warm(bars[:-1], SOME).update(bar | {"symbol": "ETHUSDT"})
    assert [row[name] is None for name in SOME] == [True, True, True, False]


def test_a_bar_off_the_grid_begins_anew(bars: pl.DataFrame) -> None:
    live = LiveFeatures.warm(bars[:-1], SOME)
    row = live.update(bars.row(-1, named=True) | {"open_time": bars["open_time"][-1] + timedelta(minutes=2)})
    assert [row[name] is None for name in SOME] == [True, True, True, False]


@pytest.mark.parametrize(
    ("back", "message"),
    [
        (0, r"SOLUSDT at 2022-11-07 00:50:00 UTC has been taken already"),
        (3, r"at 2022-11-07 00:35:00 UTC comes too late: the newest is of 2022-11-07 00:50:00; bars must come once"),
    ],
)
def test_a_bar_of_the_past_is_refused_and_leaves_no_trace(lively: pl.DataFrame, back: int, message: str) -> None:
    live, untouched = LiveFeatures.warm(lively[:299], SOME), LiveFeatures.warm(lively[:299], SOME)
    with pytest.raises(BarsError, match=message):
        live.update(lively.row(298 - back, named=True))
    assert live.update(lively.row(299, named=True)) == untouched.update(lively.row(299, named=True))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"close": None, "volume": None}, "`bar` has no close, volume; it has symbol, open_time, open"),
        ({"high": float("nan"), "low": 0.0}, "high is nan, low is 0.0; prices must be above 0"),
        ({"volume": -1.0}, "volume is -1.0"),
        ({"high": 1.0}, r"high is 1.0, under .*; .* and no price above the high or below the low"),
        ({"low": 1e6}, "under 1000000.0, low is 1000000.0, over"),
        ({"open": 1e6}, "under 1000000.0"),
        ({"open": float("inf")}, "open is inf"),
        ({"open_time": datetime(2022, 11, 8)}, "must be a datetime with a time zone"),  # noqa: DTZ001 - on purpose
        ({"open_time": 1_667_900_000_000}, "`open_time` is 1667900000000"),
    ],
)
def test_a_bar_that_cannot_be_used_is_refused_and_leaves_no_trace(
    bars: pl.DataFrame, bar: dict[str, object], wrong: dict[str, object], message: str
) -> None:
    live, untouched = LiveFeatures.warm(bars[:-1], SOME), LiveFeatures.warm(bars[:-1], SOME)
    with pytest.raises(BarsError, match=message):
        live.update(bar | wrong)
    assert live.update(bar) == untouched.update(bar)


def test_a_refused_bar_makes_no_symbol(bar: dict[str, object]) -> None:
    live = LiveFeatures(SOME, interval="5m")
    with pytest.raises(BarsError):
        live.update(bar | {"close": -1.0})
    assert live.symbols == []


def test_time_zones_are_instants(bars: pl.DataFrame, bar: dict[str, object]) -> None:
    there = bars["open_time"][-1].astimezone(timezone(timedelta(hours=9)))
    row = LiveFeatures.warm(bars[:-1], ["hour_sin", "log_return_1"]).update(bar | {"open_time": there})
    assert row["open_time"] == bars["open_time"][-1]
    assert row["hour_sin"] == compute_features(bars, ["hour_sin"])["hour_sin"][-1]


def test_one_bar_needs_an_interval_to_warm_up_with(bars: pl.DataFrame) -> None:
    with pytest.raises(ConfigError, match="the smallest step in `bars`, None ms, is none of 1m, 5m"):
        LiveFeatures.warm(bars[:1], SOME)
    assert LiveFeatures.warm(bars[:0], SOME, interval="5m").symbols == []
    assert LiveFeatures.warm(bars[:1], SOME, interval="5m").update(bars.row(1, named=True))["log_return_1"] is not None


def test_what_a_batch_refuses_is_refused_to_warm_up_with(bars: pl.DataFrame) -> None:
    with pytest.raises(SchemaError, match="2 of them come twice"):
        LiveFeatures.warm(pl.concat([bars, bars[-2:]]), SOME)
    with pytest.raises(UnknownNameError, match=r"`rsi_15` is unknown; did you mean"):
        LiveFeatures(["rsi_15"], interval="5m")


def test_infinities_and_overflow_become_none(bars: pl.DataFrame, bar: dict[str, object]) -> None:
    values: Callable[..., object] = lambda segment, factor: segment.close * factor  # noqa: E731
    own = [
        Feature(str(factor), "own", "too much", 0, "test", "always", values, (factor,))  # type: ignore[arg-type]
        for factor in (np.inf, -np.inf, 1e300)
    ]
    row = LiveFeatures.warm(bars[:-1], own).update(bar)
    assert [row[feature.name] for feature in own] == [None, None, None]


def test_thousands_of_bars_keep_just_what_is_needed(lively: pl.DataFrame) -> None:
    live = LiveFeatures.warm(lively[:50], ["volatility_20"])
    rows = followed(live, lively[50:])
    batch = compute_features(lively, ["volatility_20"])[50:]
    assert_frame_equal(rows, batch, rel_tol=1e-6, abs_tol=1e-9)
    assert all(window.filled == 21 for window in live._windows.values())


def test_an_interval_given_is_the_one_that_counts(lively: pl.DataFrame) -> None:
    sparse = lively[::3]
    live = LiveFeatures.warm(sparse[:100], ["log_return_1"], interval="15m")
    assert live.update(sparse.row(100, named=True))["log_return_1"] is not None
    assert live.update(lively.row(301, named=True))["log_return_1"] is None
