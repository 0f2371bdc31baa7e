"""What the assets of an experiment share: who is in force when, and how as-ofs are stored."""

from datetime import UTC, datetime, timedelta

import pytest

from assets.experiment import in_force, lake_partition
from assets.partitions import AsOfPartition
from nightfold.window import Window
from resources.lake import Lake


def at(month, day, hour=0):
    return datetime(2024, month, day, hour, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    made = Lake(url=str(tmp_path / "lake"), grain="month", locks=tmp_path / "locks")
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "file").touch()
    for as_of in ("2024-02-05", "2024-02-12", "2024-03-04"):
        made.write_folder("e/ensemble", f"universe=pooled/{as_of}", "v1", tmp_path / "scratch")
    return made


def found(lake, start, end, days=10):
    return list(in_force(lake, "e/ensemble", "pooled", start, end, timedelta(days=days)))


def test_a_model_is_in_force_from_its_as_of_until_the_next(lake):
    assert found(lake, at(2, 6), at(2, 14)) == [
        ("2024-02-05", at(2, 6), at(2, 12)),
        ("2024-02-12", at(2, 12), at(2, 14)),
    ]


def test_a_model_that_was_not_replaced_ends_with_its_age(lake):
    assert found(lake, at(2, 12), at(3, 10)) == [
        ("2024-02-12", at(2, 12), at(2, 22)),
        ("2024-03-04", at(3, 4), at(3, 10)),
    ]


def test_before_the_first_model_and_after_the_last_has_aged_nobody_is_in_force(lake):
    assert found(lake, at(1, 1), at(2, 5)) == []
    assert found(lake, at(3, 14), at(4, 1)) == []


def test_a_key_without_models_has_nobody_in_force(lake):
    assert list(in_force(lake, "e/ensemble", "AAAUSDT", at(1, 1), at(4, 1), timedelta(days=10))) == []


def test_an_as_of_lies_under_its_universe_key():
    assert lake_partition(AsOfPartition(Window(at(2, 5), at(2, 12)), "pooled")) == "universe=pooled/2024-02-05"


def test_a_window_that_expands_begins_with_the_first_bar_at_every_as_of(deploy):
    split = {"purge": 5, "embargo": 5, "expanding": True}
    made = deploy(
        universe={"symbols": ["AAAUSDT"], "end": "2024-04-01"},
        experiments={"grown": {"split": split, "retrain": "month", "first_as_of": "2024-02-01"}},
    )
    with made.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer)
    plan, lake = made.build()[1].plans["grown"], made.environment().lake
    starts = {
        month: plan.samples(lake, AsOfPartition(Window(at(month, 1), at(month + 1, 1)), "pooled"))[5].span["train_from"]
        for month in (2, 3)
    }
    assert starts[2] == starts[3] < at(1, 20)
