"""A day's labels at a month's end: open at first, completed by the next night, and never changed once known."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

HORIZONS = (5, 288)
BAR = timedelta(minutes=5)
CLOSED = [datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 2, 2, tzinfo=UTC)]
"""Last bar of each night: of January, then of the first of February."""
NUMBERS = ("log_return", "mfe", "mae", "uniqueness", "weight", "forward_log_return")
FIELDS = ("label", "label_end", "touch", "tie", *NUMBERS, "forward_end", "direction")

pytestmark = pytest.mark.xdist_group("nights")


@pytest.fixture(scope="module")
def nights(deploy, market_data):
    """January as the first night leaves it, and as the second does; on recorded bars."""
    source = f"folder:{market_data}/bars_5m/binance_spot_BTCUSDT_5m.parquet"
    universe = {"source": source, "symbols": ["BTCUSDT"], "start": "2024-01-25", "end": None, "intervals": ["5m"]}
    ours = deploy(universe=universe, labels={"labels": {"horizons": list(HORIZONS)}}, experiments={})
    stored = []
    for closed in CLOSED:
        with ours.workshop(closed + timedelta(minutes=10)) as workshop:
            workshop.night()
        stored.append(pl.read_parquet(ours.lake / "labels/symbol=BTCUSDT/2024-01-01.parquet").sort("open_time"))
    return stored


def test_the_first_night_knows_no_label_that_ends_after_its_last_bar(nights):
    for stored, closed in zip(nights, CLOSED, strict=True):
        for horizon in HORIZONS:
            assert stored[f"label_end_{horizon}"].max() <= closed + 2 * BAR
            assert stored[f"forward_end_{horizon}"].max() <= closed + 2 * BAR


def test_the_next_night_completes_the_month_before(nights):
    first, second = nights
    assert first["open_time"].equals(second["open_time"])
    for horizon in HORIZONS:
        was_open, is_open = first[f"label_{horizon}"].is_null(), second[f"label_{horizon}"].is_null()
        assert 0 < was_open[-horizon:].sum() <= horizon
        assert is_open[-horizon:].sum() == 0
        assert first[f"forward_end_{horizon}"][-horizon:].null_count() >= horizon - 2
        assert second[f"forward_end_{horizon}"][-horizon:].null_count() == 0


def test_what_was_known_stays_to_the_last_bit(nights):
    first, second = nights
    for name in (f"{field}_{horizon}" for field in FIELDS for horizon in HORIZONS):
        known = first[name].is_not_null()
        assert known.sum() > 1_000, name
        assert first.filter(known)[name].equals(second.filter(known)[name]), name
