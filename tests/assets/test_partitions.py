"""The two partition schemes and the edges between them."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from assets.partitions import (
    as_of_partitions,
    as_of_to_data,
    data_partitions,
    data_to_as_of,
    data_to_data,
    earlier_data,
    selected_as_ofs,
    selected_data,
)
from nightfold.experiment import Experiment
from nightfold.universe import Universe

NOW = datetime(2024, 3, 15, 6, tzinfo=UTC)
SYMBOLS = ["AAAUSDT", "BBBUSDT"]


def universe(**settings):
    return Universe.model_validate({"source": "simulated", "symbols": SYMBOLS, "start": "2024-01-01", **settings})


def experiment(**settings):
    usual = {"name": "e", "first_as_of": "2024-03-01", "models": {"class_frequencies": None}}
    return Experiment.model_validate({**usual, **settings})


def keys(partitions, now=NOW):
    with dg.partition_loading_context(now):
        return partitions.get_partition_keys()


def upstream(mapping, down, up, *wanted):
    """Keys of the upstream partitions that some downstream ones read."""
    with dg.partition_loading_context(NOW):
        found = mapping.get_upstream_mapped_partitions_result_for_partitions(
            down.subset_with_partition_keys(wanted), down, up
        )
        assert not found.required_but_nonexistent_subset.get_partition_keys()
        return set(found.partitions_subset.get_partition_keys())


# ---------------------------------------------------------------------- what exists


def test_data_exists_by_month_and_symbol_up_to_the_running_month():
    found = keys(data_partitions(universe()))
    assert found == [f"2024-0{month}-01|{symbol}" for month in (1, 2, 3) for symbol in SYMBOLS]


def test_data_by_day_exists_up_to_the_running_day():
    found = keys(data_partitions(universe(grain="day", start="2024-03-13", symbols=["AAAUSDT"])))
    assert found == ["2024-03-13|AAAUSDT", "2024-03-14|AAAUSDT", "2024-03-15|AAAUSDT"]


@pytest.mark.parametrize("end", ["2024-02-01", "2024-01-20"])
def test_no_month_begins_at_or_after_the_end_of_the_universe(end):
    assert keys(data_partitions(universe(end=end, symbols=["AAAUSDT"]))) == ["2024-01-01|AAAUSDT"]


@pytest.mark.parametrize(
    ("retrain", "expected"),
    [
        ("day", [f"2024-03-{day:02}|pooled" for day in range(1, 16)]),
        ("week", ["2024-02-26|pooled", "2024-03-04|pooled", "2024-03-11|pooled"]),
        ("month", ["2024-03-01|pooled"]),
    ],
)
def test_as_ofs_exist_up_to_tonight_s(retrain, expected):
    assert keys(as_of_partitions(universe(), experiment(retrain=retrain))) == expected


def test_an_experiment_with_one_model_a_symbol_has_its_symbols_as_universe_keys():
    found = keys(as_of_partitions(universe(), experiment(retrain="month", pooling="per_symbol", symbols=["BBBUSDT"])))
    assert found == ["2024-03-01|BBBUSDT"]


def test_at_midnight_tonight_s_as_of_begins():
    midnight = datetime(2024, 3, 2, tzinfo=UTC)
    assert keys(as_of_partitions(universe(), experiment()), midnight)[-1] == "2024-03-02|pooled"
    assert keys(as_of_partitions(universe(), experiment()), midnight - timedelta(seconds=1))[-1] == "2024-03-01|pooled"


# ---------------------------------------------------------------------- what reads what


def test_a_window_reads_its_neighbours_as_far_as_its_rows_reach():
    ours = universe(grain="day")
    days = data_partitions(ours)
    mapping = data_to_data(ours, before=timedelta(hours=30), after=timedelta(hours=1))
    wanted = {f"2024-03-{day:02}|BBBUSDT" for day in (8, 9, 10, 11)}
    assert upstream(mapping, days, days, "2024-03-10|BBBUSDT") == wanted


def test_at_the_edges_of_time_a_window_reads_the_neighbours_that_exist():
    ours = universe()
    months = data_partitions(ours)
    mapping = data_to_data(ours, before=timedelta(days=2), after=timedelta(hours=2))
    first, last = "2024-01-01|AAAUSDT", "2024-03-01|AAAUSDT"
    assert upstream(mapping, months, months, first) == {first, "2024-02-01|AAAUSDT"}
    assert upstream(mapping, months, months, last) == {"2024-02-01|AAAUSDT", last}


def test_a_row_that_reaches_nowhere_reads_its_own_window():
    ours = universe()
    months = data_partitions(ours)
    mapping = data_to_data(ours, before=timedelta(0))
    assert upstream(mapping, months, months, "2024-02-01|AAAUSDT") == {"2024-02-01|AAAUSDT"}


def test_a_pooled_model_reads_every_symbol_of_the_months_its_rows_lie_in_and_no_later_one():
    ours, theirs = universe(), experiment()
    mapping = data_to_as_of(ours, theirs, timedelta(days=30))
    found = upstream(mapping, as_of_partitions(ours, theirs), data_partitions(ours), "2024-03-01|pooled")
    assert found == {f"{month}|{symbol}" for month in ("2024-01-01", "2024-02-01") for symbol in SYMBOLS}


def test_a_model_of_one_symbol_reads_that_symbol():
    ours, theirs = universe(grain="day"), experiment(pooling="per_symbol")
    mapping = data_to_as_of(ours, theirs, timedelta(days=2))
    found = upstream(mapping, as_of_partitions(ours, theirs), data_partitions(ours), "2024-03-05|BBBUSDT")
    assert found == {"2024-03-03|BBBUSDT", "2024-03-04|BBBUSDT"}


def test_training_rows_from_before_the_universe_are_not_asked_for():
    ours, theirs = universe(), experiment()
    mapping = data_to_as_of(ours, theirs, timedelta(days=400))
    found = upstream(mapping, as_of_partitions(ours, theirs), data_partitions(ours), "2024-03-01|pooled")
    assert {key.split("|")[0] for key in found} == {"2024-01-01", "2024-02-01"}


@pytest.mark.parametrize(
    ("retrain", "expected"),
    [
        ("day", {f"2024-03-{day:02}" for day in range(1, 16)}),
        ("week", {"2024-02-26", "2024-03-04", "2024-03-11"}),
        ("month", {"2024-03-01"}),
    ],
)
def test_a_month_of_predictions_reads_the_models_in_force_during_it(retrain, expected):
    ours, theirs = universe(), experiment(retrain=retrain)
    mapping = as_of_to_data(ours, theirs)
    found = upstream(mapping, data_partitions(ours), as_of_partitions(ours, theirs), "2024-03-01|BBBUSDT")
    assert found == {f"{as_of}|pooled" for as_of in expected}


def test_a_month_before_the_first_model_reads_none():
    ours, theirs = universe(), experiment()
    found = upstream(
        as_of_to_data(ours, theirs), data_partitions(ours), as_of_partitions(ours, theirs), "2024-01-01|AAAUSDT"
    )
    assert found == set()


# ---------------------------------------------------------------------- what a run was asked for


class Run:
    def __init__(self, *partition_keys):
        self.partition_keys = partition_keys


def test_a_run_goes_through_its_partitions_symbol_by_symbol_in_time_order():
    run = Run("2024-02-01|AAAUSDT", "2024-01-01|BBBUSDT", "2024-01-01|AAAUSDT")
    found = [(each.symbol, each.window.key) for each in selected_data(run, "month")]
    assert found == [("AAAUSDT", "2024-01-01"), ("AAAUSDT", "2024-02-01"), ("BBBUSDT", "2024-01-01")]


def test_an_as_of_partition_knows_when_its_model_comes_into_force_and_for_how_long():
    (found,) = selected_as_ofs(Run("2024-03-04|pooled"), experiment(retrain="week"))
    assert found.universe == "pooled"
    assert found.as_of == datetime(2024, 3, 4, tzinfo=UTC)
    assert found.window.end == datetime(2024, 3, 11, tzinfo=UTC)


# ---------------------------------------------------------------------- what was known when a month began


def test_a_month_s_search_reads_the_months_before_it_and_none_of_its_own():
    where = universe(start="2023-06-01")
    partitions = data_partitions(where)
    reach = timedelta(days=91)
    found = upstream(earlier_data(where, reach), partitions, partitions, "2024-03-01|AAAUSDT")
    assert found == {f"{month}|AAAUSDT" for month in ("2023-11-01", "2023-12-01", "2024-01-01", "2024-02-01")}
    assert upstream(earlier_data(where, reach), partitions, partitions, "2023-06-01|BBBUSDT") == set()
    assert upstream(earlier_data(where, reach), partitions, partitions, "2023-07-01|BBBUSDT") == {"2023-06-01|BBBUSDT"}


def test_a_day_s_search_reads_what_lies_before_its_month():
    where = universe(start="2024-01-01", grain="day", symbols=["AAAUSDT"])
    partitions = data_partitions(where)
    found = upstream(earlier_data(where, timedelta(days=10)), partitions, partitions, "2024-03-15|AAAUSDT")
    needed = {f"2024-02-{day:02}|AAAUSDT" for day in range(20, 30)}
    assert found >= needed
    assert max(found) == "2024-03-14|AAAUSDT"
