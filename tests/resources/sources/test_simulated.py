"""The simulated market as a source."""

from datetime import UTC, datetime, timedelta

import pytest
from polars.testing import assert_frame_equal

from nightfold.bars.simulate import simulate_bars
from nightfold.schema import RAW_BARS
from nightfold.source import ORIGIN, SimulatedSource
from resources.sources.simulated import SimulatedMarket

NOW = datetime(2024, 1, 1, 0, 7, tzinfo=UTC)


def market(now: datetime = NOW, **settings: float) -> SimulatedMarket:
    return SimulatedMarket(SimulatedSource.model_validate(settings), lambda: now)


def test_rows_are_those_of_the_simulation() -> None:
    start, end = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC)
    found = market().fetch("BTCUSDT", "5m", start, end)
    expected = simulate_bars(["BTCUSDT"], "5m", start, end, SimulatedSource())
    assert found.schema == RAW_BARS.dtypes
    assert found["venue"].unique().to_list() == ["simulated"]
    assert_frame_equal(found.drop("venue"), expected)


@pytest.mark.parametrize(("interval", "last"), [("1m", "00:06"), ("5m", "00:00"), ("1h", "23:00")])
def test_only_closed_bars_exist(interval: str, last: str) -> None:
    source = market()
    bars = source.fetch("BTCUSDT", interval, NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert f"{bars['open_time'][-1]:%H:%M}" == last
    coverage = source.coverage("BTCUSDT", interval)
    assert coverage is not None
    assert coverage[0] == ORIGIN
    assert coverage[1] <= NOW
    assert source.fetch("BTCUSDT", interval, coverage[1], NOW).is_empty()


def test_before_the_origin_there_is_nothing() -> None:
    source = market(ORIGIN)
    assert source.coverage("BTCUSDT", "5m") is None
    assert source.fetch("BTCUSDT", "5m", ORIGIN - timedelta(days=2), ORIGIN).is_empty()


def test_the_slug_tells_settings_apart() -> None:
    assert market().slug == "simulated-7"
    assert market(seed=8).slug == "simulated-8"
    assert market(trend_strength=0.1).slug.startswith("simulated-7-")
    assert market(trend_strength=0.1).slug != market(trend_strength=0.2).slug


def test_any_symbol_is_offered() -> None:
    assert market().symbols("5m") is None
