"""Which rows a fetch asks for, seen by what the lake then holds."""

from datetime import UTC, datetime

import dagster as dg
import polars as pl
import pytest

pytestmark = pytest.mark.xdist_group("line")


@pytest.mark.parametrize("layer", ["ingest", "raw_bars"])
def test_an_earlier_start_within_a_stored_month_brings_the_days_before(deploy, layer):
    settings = {"symbols": ["AAAUSDT"], "start": "2024-01-15", "end": "2024-02-01"}
    ours = deploy(universe=settings, experiments={})
    with ours.workshop() as workshop:
        workshop.backfill(layer)
    later = pl.read_parquet(sorted((ours.lake / "raw_bars").rglob("*.parquet")))
    universe = (ours.configs / "universe.yaml").read_text()
    (ours.configs / "universe.yaml").write_text(universe.replace("2024-01-15", "2024-01-03"))
    with ours.workshop() as workshop:
        workshop.backfill(layer)
    whole = pl.read_parquet(sorted((ours.lake / "raw_bars").rglob("*.parquet")))
    assert whole["open_time"][0] == datetime(2024, 1, 3, tzinfo=UTC)
    assert whole.height == 29 * 24
    assert whole.tail(later.height).equals(later)


def test_what_is_stored_from_the_start_on_is_asked_for_from_its_last_bar_on(deploy):
    ours = deploy(universe={"symbols": ["AAAUSDT"], "start": "2024-01-15", "end": None}, experiments={})
    for hour in (10, 13):
        with ours.workshop(datetime(2024, 1, 20, hour, 30, tzinfo=UTC)) as workshop:
            workshop.backfill("raw_bars")
            record = workshop.instance.get_latest_materialization_event(dg.AssetKey("raw_bars"))
    fetched = record.dagster_event.event_specific_data.materialization.metadata["fetched"].value
    assert fetched == 4  # the last stored one again, in case it was not whole, and three more
    assert pl.read_parquet(sorted((ours.lake / "raw_bars").rglob("*.parquet"))).height == 5 * 24 + 13
