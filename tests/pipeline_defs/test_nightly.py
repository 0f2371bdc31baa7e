"""What a night asks for, by what the lake holds."""

from datetime import UTC, datetime

import polars as pl
import pytest

from nightfold.schema import TIME
from pipeline_defs.nightly import (
    LAYERS,
    Step,
    as_of_steps,
    as_ofs,
    data_steps,
    evaluate,
    first_layer,
    ingest,
    neighbours,
    next_layer,
    policy,
    predict,
    research,
    train,
)

SYMBOLS = ["AAAUSDT", "BBBUSDT", "CCCUSDT"]


def at(*numbers):
    return datetime(*numbers, tzinfo=UTC)


# ---------------------------------------------------------------------- blocks


@pytest.mark.parametrize(
    ("wanted", "blocks"),
    [
        ([], []),
        (["C"], [["C"]]),
        (["D", "A", "B"], [["A", "B"], ["D"]]),
        (["A", "C"], [["A"], ["C"]]),
        (["A", "A", "B"], [["A", "B"]]),
    ],
)
def test_names_split_where_others_stand_between_them(wanted, blocks):
    assert neighbours(wanted, ["D", "C", "B", "A"]) == blocks


def test_a_step_covers_whole_months_from_the_universe_start_on(stage):
    universe = stage().universe
    steps = data_steps("ingest", universe, SYMBOLS, at(2023, 5, 1), at(2024, 2, 1, 0, 10))
    assert steps == [Step("ingest", "2024-01-01|AAAUSDT", "2024-02-01|CCCUSDT")]
    assert steps[0].tags == {
        "dagster/asset_partition_range_start": "2024-01-01|AAAUSDT",
        "dagster/asset_partition_range_end": "2024-02-01|CCCUSDT",
    }
    assert data_steps("ingest", universe, SYMBOLS, at(2023, 5, 1), at(2024, 1, 1)) == []


def test_symbols_with_others_between_them_take_a_run_each(stage):
    steps = data_steps("research", stage().universe, ["CCCUSDT", "AAAUSDT"], at(2024, 1, 5), at(2024, 1, 6))
    assert [step.first for step in steps] == ["2024-01-01|AAAUSDT", "2024-01-01|CCCUSDT"]


def test_a_step_without_partitions_carries_no_range():
    assert Step("e_evaluate").tags == {}


@pytest.mark.parametrize(
    ("retrain", "expected"),
    [
        ("day", ["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"]),
        ("week", ["2024-02-26"]),
        ("month", ["2024-03-01"]),
    ],
)
def test_as_ofs_are_those_that_begin_in_the_range_and_not_before_the_first(stage, retrain, expected):
    plan = stage({"name": "e", "first_as_of": "2024-02-28", "retrain": retrain}).line.plans["e"]
    begun = [window.key for window in as_ofs(plan, at(2024, 1, 1), at(2024, 3, 3)) if window.key >= "2024-02-26"]
    assert begun == expected


def test_as_of_steps_of_an_experiment_with_one_model_a_symbol_take_blocks_of_symbols(stage):
    plan = stage({"name": "e", "first_as_of": "2024-02-28", "pooling": "per_symbol"}).line.plans["e"]
    steps = as_of_steps("e_train", plan, ["AAAUSDT", "CCCUSDT"], at(2024, 2, 29), at(2024, 3, 2))
    assert steps == [
        Step("e_train", "2024-02-29|AAAUSDT", "2024-03-01|AAAUSDT"),
        Step("e_train", "2024-02-29|CCCUSDT", "2024-03-01|CCCUSDT"),
    ]


# ---------------------------------------------------------------------- bars


def test_a_first_night_fetches_everything_and_asks_for_nothing_else(stage):
    night = stage().night(2024, 2, 10, 0, 10)
    assert ingest(night) == [Step("ingest", "2024-01-01|AAAUSDT", "2024-02-01|CCCUSDT")]
    assert next_layer(1, night) == (len(LAYERS), [])


def test_the_next_night_fetches_the_running_month(stage):
    ours = stage()
    ours.put_data(at(2024, 2, 10, 0, 10))
    assert ingest(ours.night(2024, 2, 11, 0, 10)) == [Step("ingest", "2024-02-01|AAAUSDT", "2024-02-01|CCCUSDT")]


def test_on_the_first_of_a_month_the_last_day_of_the_month_before_is_fetched_too(stage):
    ours = stage()
    ours.put_data(at(2024, 1, 31, 0, 10))
    assert ingest(ours.night(2024, 2, 1, 0, 10)) == [Step("ingest", "2024-01-01|AAAUSDT", "2024-02-01|CCCUSDT")]
    ours.put_data(at(2024, 2, 1, 0, 10))
    assert ingest(ours.night(2024, 2, 2, 0, 10)) == [Step("ingest", "2024-02-01|AAAUSDT", "2024-02-01|CCCUSDT")]


def test_a_bar_that_has_not_closed_is_not_waited_for(stage):
    ours = stage(intervals=["5m", "1h"])
    ours.put("raw_bars", at(2024, 2, 1, 0, 10))
    ours.put("bars", at(2024, 2, 1, 0, 10))
    ours.put("1h/raw_bars", at(2024, 2, 1))
    ours.put("1h/bars", at(2024, 2, 1))
    assert ingest(ours.night(2024, 2, 1, 0, 14)) == []
    assert ingest(ours.night(2024, 2, 1, 0, 15)) != []


def test_a_symbol_that_is_new_gets_its_history_and_the_others_get_their_night(stage):
    ours = stage()
    ours.put_data(at(2024, 2, 10), symbols=["AAAUSDT", "CCCUSDT"])
    assert ingest(ours.night(2024, 2, 11)) == [
        Step("ingest", "2024-01-01|BBBUSDT", "2024-02-01|BBBUSDT"),
        Step("ingest", "2024-02-01|AAAUSDT", "2024-02-01|AAAUSDT"),
        Step("ingest", "2024-02-01|CCCUSDT", "2024-02-01|CCCUSDT"),
    ]


def test_missed_nights_are_fetched_together(stage):
    ours = stage()
    ours.put_data(at(2024, 1, 20))
    (step,) = ingest(ours.night(2024, 3, 2))
    assert (step.first, step.last) == ("2024-01-01|AAAUSDT", "2024-03-01|CCCUSDT")


def test_nothing_is_fetched_beyond_the_end_of_the_universe(stage):
    ours = stage(end="2024-02-01")
    (step,) = ingest(ours.night(2024, 5, 1))
    assert step.last == "2024-01-01|CCCUSDT"
    ours.put_data(at(2024, 2, 1))
    assert ingest(ours.night(2024, 5, 1)) == []
    assert first_layer(ours.night(2024, 5, 1)) == []


def test_before_the_universe_begins_there_is_nothing_to_do(stage):
    assert first_layer(stage().night(2023, 5, 1)) == []


def test_days_as_grain_are_covered_by_the_day(stage):
    ours = stage(grain="day")
    ours.put_data(at(2024, 1, 9, 0, 10))
    (step,) = ingest(ours.night(2024, 1, 10, 0, 10))
    assert (step.first, step.last) == ("2024-01-09|AAAUSDT", "2024-01-10|CCCUSDT")


# ---------------------------------------------------------------------- features and labels


def test_features_and_labels_follow_new_bars(stage):
    ours = stage()
    ours.put_data(at(2024, 2, 10, 0, 10))
    night = ours.night(2024, 2, 11, 0, 10)
    assert research(night) == []
    ours.put("bars", at(2024, 2, 11, 0, 10))
    assert research(night) == [Step("research", "2024-02-01|AAAUSDT", "2024-02-01|CCCUSDT")]


@pytest.mark.parametrize(
    ("labelled_until", "first"),
    [
        (at(2024, 2, 1, 1, 35), "2024-01-01|AAAUSDT"),  # the row of 23:55 is open until its 20th bar closes at 01:40
        (at(2024, 2, 1, 1, 40), "2024-02-01|AAAUSDT"),
    ],
)
def test_a_month_is_labelled_again_while_one_of_its_labels_was_open(stage, labelled_until, first):
    ours = stage()
    ours.put_data(labelled_until)
    ours.put("bars", at(2024, 2, 2))
    assert research(ours.night(2024, 2, 2))[0].first == first


def test_open_labels_are_made_again_without_any_experiment(stage):
    ours = stage()
    assert not ours.line.plans
    ours.put_data(at(2024, 2, 1, 0, 10))
    ours.put("bars", at(2024, 2, 2, 0, 10))
    assert research(ours.night(2024, 2, 2, 0, 10))[0].first == "2024-01-01|AAAUSDT"


def test_the_horizon_of_labels_counts_bars_of_their_own_interval(stage):
    ours = stage(intervals=["5m", "4h"])
    ours.put_data(at(2024, 2, 3))
    ours.put("4h/bars", at(2024, 2, 3, 12))
    assert research(ours.night(2024, 2, 3, 12))[0].first == "2024-01-01|AAAUSDT"  # 20 bars of 4 hours are 80 hours


def test_one_interval_behind_is_enough_to_ask_for_research(stage):
    ours = stage(intervals=["5m", "1h"])
    ours.put_data(at(2024, 2, 10))
    ours.put("bars", at(2024, 2, 10, 0, 10))  # the hour has not closed
    assert len(research(ours.night(2024, 2, 10, 0, 10))) == 1


ACROSS = {"name": "e", "first_as_of": "2024-02-05", "features": {"sets": ["default", "cross_asset"]}}


def test_rows_that_look_at_a_symbol_whose_bars_came_late_are_made_again_in_the_month_of_these_bars(stage):
    ours = stage(ACROSS, leader="AAAUSDT")
    ours.put_data(at(2024, 1, 31), symbols=["CCCUSDT"])
    ours.put_data(at(2024, 2, 1, 12), symbols=["AAAUSDT", "BBBUSDT"])
    ours.put("bars", at(2024, 2, 2, 0, 10))
    assert research(ours.night(2024, 2, 2, 0, 10)) == [Step("research", "2024-01-01|AAAUSDT", "2024-02-01|CCCUSDT")]


def test_they_are_made_again_although_their_own_bars_are_all_there(stage):
    ours = stage(ACROSS, leader="AAAUSDT")
    ours.put_data(at(2024, 2, 10))
    ours.put_data(at(2024, 2, 9), symbols=["CCCUSDT"])
    ours.put("bars", at(2024, 2, 10))
    assert research(ours.night(2024, 2, 10)) == [Step("research", "2024-02-01|AAAUSDT", "2024-02-01|CCCUSDT")]


def test_a_symbol_that_is_no_longer_traded_holds_up_nobody(stage):
    ours = stage(ACROSS, leader="AAAUSDT")
    ours.put_data(at(2024, 1, 10), symbols=["CCCUSDT"])
    ours.put_data(at(2024, 2, 10), symbols=["AAAUSDT", "BBBUSDT"])
    assert research(ours.night(2024, 2, 10)) == []


def test_without_a_set_that_looks_across_each_symbol_is_caught_up_by_itself(stage):
    ours = stage()
    ours.put_data(at(2024, 2, 10))
    ours.put_data(at(2024, 2, 9), symbols=["CCCUSDT"])
    ours.put("bars", at(2024, 2, 10))
    assert research(ours.night(2024, 2, 10)) == [Step("research", "2024-02-01|CCCUSDT", "2024-02-01|CCCUSDT")]


# ---------------------------------------------------------------------- models


def test_a_first_night_trains_the_newest_as_of_alone(stage):
    ours = stage({"name": "e", "first_as_of": "2024-01-20"})
    assert train(ours.night(2024, 2, 3, 0, 10)) == [Step("e_train", "2024-02-03|pooled", "2024-02-03|pooled")]


def test_the_as_of_that_begins_at_this_very_moment_is_due(stage):
    ours = stage({"name": "e", "first_as_of": "2024-02-03"})
    assert train(ours.night(2024, 2, 2, 23, 59)) == []
    assert train(ours.night(2024, 2, 3))[0].last == "2024-02-03|pooled"


def test_missed_as_ofs_are_trained_together_and_stored_ones_are_not_trained_again(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-20"})
    ours.put_ensemble(scratch, "e", "2024-01-30")
    assert train(ours.night(2024, 2, 2, 0, 10)) == [Step("e_train", "2024-01-31|pooled", "2024-02-02|pooled")]
    ours.put_ensemble(scratch, "e", "2024-02-02")
    assert train(ours.night(2024, 2, 2, 0, 10)) == []


def test_the_first_as_of_is_the_period_that_holds_the_first_day(stage):
    ours = stage({"name": "e", "first_as_of": "2024-01-17", "retrain": "month"})
    assert train(ours.night(2024, 1, 18)) == [Step("e_train", "2024-01-01|pooled", "2024-01-01|pooled")]


def test_a_weekly_experiment_trains_on_mondays(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-22", "retrain": "week"})
    ours.put_ensemble(scratch, "e", "2024-01-29")
    assert train(ours.night(2024, 2, 4, 0, 10)) == []
    assert train(ours.night(2024, 2, 5, 0, 10)) == [Step("e_train", "2024-02-05|pooled", "2024-02-05|pooled")]


def test_each_symbol_of_an_unpooled_experiment_is_caught_up_by_itself(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-20", "pooling": "per_symbol", "symbols": SYMBOLS[:2]})
    ours.put_ensemble(scratch, "e", "2024-02-01", "AAAUSDT")
    ours.put_ensemble(scratch, "e", "2024-01-31", "BBBUSDT")
    assert train(ours.night(2024, 2, 2, 0, 10)) == [
        Step("e_train", "2024-02-02|AAAUSDT", "2024-02-02|AAAUSDT"),
        Step("e_train", "2024-02-01|BBBUSDT", "2024-02-02|BBBUSDT"),
    ]
    ours.put_ensemble(scratch, "e", "2024-02-01", "BBBUSDT")
    assert train(ours.night(2024, 2, 2, 0, 10)) == [Step("e_train", "2024-02-02|AAAUSDT", "2024-02-02|BBBUSDT")]


def test_no_model_begins_at_or_after_the_end_of_the_universe(stage):
    ours = stage({"name": "e", "first_as_of": "2024-01-20"}, end="2024-02-01")
    assert train(ours.night(2024, 5, 1))[0].last == "2024-01-31|pooled"


def test_every_experiment_is_asked(stage):
    first = {"first_as_of": "2024-01-20"}
    ours = stage({"name": "one", **first}, {"name": "two", **first}, {"name": "later", "first_as_of": "2025-01-01"})
    assert [step.job for step in train(ours.night(2024, 2, 3))] == ["one_train", "two_train"]


# ---------------------------------------------------------------------- predictions and reports


def test_predictions_wait_for_a_model_and_begin_with_the_first_one(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-20"})
    ours.put_data(at(2024, 2, 3, 0, 10))
    night = ours.night(2024, 2, 3, 0, 10)
    assert predict(night) == []
    ours.put_ensemble(scratch, "e", "2024-02-03")
    assert predict(night) == [Step("e_predict", "2024-02-01|AAAUSDT", "2024-02-01|CCCUSDT")]
    ours.put("e/predictions", at(2024, 2, 3, 0, 10), start=at(2024, 2, 1))
    assert predict(night) == []


def test_predictions_wait_for_every_set_that_the_experiment_picks_from(stage, scratch):
    ours = stage(ACROSS, leader="AAAUSDT")
    ours.put_data(at(2024, 2, 6, 0, 10))
    ours.put_ensemble(scratch, "e", "2024-02-05")
    ours.put("cross_asset", at(2024, 2, 5))
    assert predict(ours.night(2024, 2, 6, 0, 10)) == []
    ours.put("cross_asset", at(2024, 2, 5, 0, 5))
    assert predict(ours.night(2024, 2, 6, 0, 10)) != []


def test_predictions_of_missed_nights_are_made_from_the_last_one_stored(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-20"})
    ours.put_data(at(2024, 2, 3, 0, 10))
    ours.put_ensemble(scratch, "e", "2024-01-20")
    ours.put("e/predictions", at(2024, 1, 31, 0, 10))
    assert predict(ours.night(2024, 2, 3, 0, 10))[0].first == "2024-01-01|AAAUSDT"


def test_a_night_fills_in_what_came_of_the_last_forecasts(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-20"})
    ours.put_data(at(2024, 2, 1, 2))
    ours.put_ensemble(scratch, "e", "2024-01-20")
    ours.put("e/predictions", at(2024, 2, 1, 1), start=at(2024, 2, 1))
    assert predict(ours.night(2024, 2, 1, 2))[0].first == "2024-01-01|AAAUSDT"  # 20 bars before 01:00: 23:20
    ours.put("e/predictions", at(2024, 2, 1, 1, 40), start=at(2024, 2, 1))
    assert predict(ours.night(2024, 2, 1, 2))[0].first == "2024-02-01|AAAUSDT"


def test_an_experiment_on_a_second_interval_counts_its_own_bars(stage, scratch):
    experiment = {"name": "e", "first_as_of": "2024-01-20", "interval": "1h"}
    ours = stage(experiment, intervals=["5m", "1h"])
    ours.put_data(at(2024, 2, 3))
    ours.put_ensemble(scratch, "e", "2024-01-20")
    times = pl.datetime_range(at(2024, 2, 1), at(2024, 2, 3), "1h", closed="left", eager=True)
    for symbol in SYMBOLS:
        for stage_name in ("predictions", "forecast_log"):
            frame = pl.DataFrame({"open_time": times.cast(TIME)})
            ours.lake.write(f"e/{stage_name}", symbol, "2024-02-01", frame)
    assert predict(ours.night(2024, 2, 3, 0, 10)) == []
    ours.put("1h/features", at(2024, 2, 3, 1))
    ours.put("1h/labels", at(2024, 2, 3, 1))
    assert len(predict(ours.night(2024, 2, 3, 1))) == 1


def test_only_the_symbols_of_an_experiment_are_predicted(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-20", "symbols": ["AAAUSDT", "CCCUSDT"]})
    ours.put_data(at(2024, 2, 3))
    ours.put_ensemble(scratch, "e", "2024-02-03")
    assert [step.first for step in predict(ours.night(2024, 2, 3, 0, 10))] == []
    ours.put_data(at(2024, 2, 3, 0, 10))
    found = [step.first for step in predict(ours.night(2024, 2, 3, 0, 10))]
    assert found == ["2024-02-01|AAAUSDT", "2024-02-01|CCCUSDT"]


def test_an_experiment_is_reported_once_it_has_predicted_for_a_day(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-02-03"})
    ours.put_ensemble(scratch, "e", "2024-02-03")
    ours.put("e/predictions", at(2024, 2, 3, 23, 55), start=at(2024, 2, 1))
    assert evaluate(ours.night(2024, 2, 4)) == []
    ours.put("e/predictions", at(2024, 2, 4), start=at(2024, 2, 1))
    assert evaluate(ours.night(2024, 2, 4)) == [Step("e_evaluate")]


def test_an_experiment_on_day_bars_is_reported_once_it_has_predicted_two(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-02-03"}, intervals=["1d"])
    ours.put_ensemble(scratch, "e", "2024-02-03")
    ours.put("e/predictions", at(2024, 2, 4), start=at(2024, 2, 1))
    assert evaluate(ours.night(2024, 2, 4)) == []
    ours.put("e/predictions", at(2024, 2, 5), start=at(2024, 2, 1))
    assert evaluate(ours.night(2024, 2, 5)) == [Step("e_evaluate")]


# ---------------------------------------------------------------------- policies


def test_policies_are_made_for_models_that_have_none(stage, scratch):
    ours = stage(
        {"name": "e", "first_as_of": "2024-02-03", "policy": {}}, {"name": "plain", "first_as_of": "2024-02-03"}
    )
    assert policy(ours.night(2024, 2, 6)) == []
    for name in ("e", "plain"):
        for as_of in ("2024-02-03", "2024-02-04", "2024-02-05"):
            ours.put_ensemble(scratch, name, as_of)
    assert policy(ours.night(2024, 2, 6)) == [Step("e_policy", "2024-02-05|pooled", "2024-02-05|pooled")]
    ours.put_policy(scratch, "e", "2024-02-03")
    assert policy(ours.night(2024, 2, 6)) == [Step("e_policy", "2024-02-04|pooled", "2024-02-05|pooled")]
    ours.put_policy(scratch, "e", "2024-02-05")
    assert policy(ours.night(2024, 2, 6)) == [Step("e_policy", "2024-02-04|pooled", "2024-02-04|pooled")]
    ours.put_policy(scratch, "e", "2024-02-04")
    assert policy(ours.night(2024, 2, 6)) == []


def test_policies_found_under_other_settings_are_made_again(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-02-03", "policy": {}})
    for as_of in ("2024-02-03", "2024-02-04"):
        ours.put_ensemble(scratch, "e", as_of)
        ours.put_policy(scratch, "e", as_of)
    assert policy(ours.night(2024, 2, 5)) == []
    ours.put_policy(scratch, "e", "2024-02-03", made_by="others")
    assert policy(ours.night(2024, 2, 5)) == [Step("e_policy", "2024-02-03|pooled", "2024-02-03|pooled")]


def test_policies_of_as_ofs_that_the_experiment_no_longer_has_are_left(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-02-04", "policy": {}})
    for as_of in ("2024-02-03", "2024-02-04"):
        ours.put_ensemble(scratch, "e", as_of)
    assert policy(ours.night(2024, 2, 5)) == [Step("e_policy", "2024-02-04|pooled", "2024-02-04|pooled")]


def test_a_forecast_log_that_is_missing_is_made(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-20"})
    ours.put_data(at(2024, 2, 3))
    ours.put_ensemble(scratch, "e", "2024-01-20")
    ours.put("e/predictions", at(2024, 2, 3), logged=False)
    assert predict(ours.night(2024, 2, 3))[0].first == "2024-01-01|AAAUSDT"
    ours.put("e/predictions", at(2024, 2, 3))
    assert predict(ours.night(2024, 2, 3)) == []


# ---------------------------------------------------------------------- the order of a night


def test_the_layers_of_a_night_stand_in_the_order_of_the_line():
    names = ["ingest", "research", "tune", "train", "predict", "policy", "evaluate"]
    assert [layer.__name__ for layer in LAYERS] == names


def test_the_next_layer_is_the_first_one_that_has_something_to_do(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-20"})
    ours.put_data(at(2024, 2, 3, 0, 10))
    night = ours.night(2024, 2, 3, 0, 10)
    assert next_layer(0, night)[0] == LAYERS.index(train)
    ours.put_ensemble(scratch, "e", "2024-02-03")
    assert next_layer(0, night)[0] == LAYERS.index(predict)
    ours.put("e/predictions", at(2024, 2, 3, 0, 10), start=at(2024, 2, 1))
    assert next_layer(0, night) == (len(LAYERS), [])


def test_a_night_whose_bars_are_there_still_begins_when_a_later_layer_is_open(stage):
    ours = stage({"name": "e", "first_as_of": "2024-01-20"})
    ours.put_data(at(2024, 2, 3, 0, 10))
    night = ours.night(2024, 2, 3, 0, 10)
    assert ingest(night) == []
    assert first_layer(night) == [Step("ingest", "2024-02-01|AAAUSDT", "2024-02-01|CCCUSDT")]


def test_a_night_with_nothing_new_does_not_begin_for_its_reports(stage, scratch):
    ours = stage({"name": "e", "first_as_of": "2024-01-20", "retrain": "month"}, end="2024-02-03")
    ours.put_data(at(2024, 2, 3))
    ours.put_ensemble(scratch, "e", "2024-02-01")
    ours.put("e/predictions", at(2024, 2, 3), start=at(2024, 2, 1))
    night = ours.night(2024, 2, 4)
    assert evaluate(night)
    assert first_layer(night) == []
