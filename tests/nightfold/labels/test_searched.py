"""A month's searches as rows: what they depend on, that they are read back as they were, and how they are named."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from nightfold.bars.simulate import simulate_bars
from nightfold.errors import ConfigError
from nightfold.labels.barrier import TripleBarrier
from nightfold.labels.search import run_search
from nightfold.labels.searched import (
    PARAMS,
    TRIALS,
    data_names,
    param_rows,
    search_id,
    search_moment,
    search_reach,
    settled,
    trial_rows,
)
from nightfold.labels.table import LabelSet, label_columns, label_table
from nightfold.source import SimulatedSource
from nightfold.window import Window, window_of

FEBRUARY = datetime(2023, 2, 1, tzinfo=UTC)
MONTH, DAY = window_of(FEBRUARY, "month"), window_of(datetime(2023, 2, 9, tzinfo=UTC), "day")
SETS = LabelSet(
    horizons=[4, 8],
    barriers="searched",
    search={"window_days": 35, "least_days": 20, "trials": 60, "population": 20, "cost": 0.0001},
)


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    source = SimulatedSource(seed=11, trend_strength=0.3)
    return simulate_bars(["AUSDT"], "15m", FEBRUARY - timedelta(days=40), FEBRUARY, source)


@pytest.fixture(scope="module")
def trials(bars: pl.DataFrame) -> pl.DataFrame:
    return trial_rows(bars, SETS, MONTH, "15m", "abc")


def test_rows_keep_their_schema_and_hold_every_trial(trials: pl.DataFrame) -> None:
    assert TRIALS.validate(TRIALS.conform(trials)).equals(trials)
    assert trials.select("horizon", "trial").rows() == [(h, trial) for h in (4, 8) for trial in range(-1, 60)]
    assert trials.select("symbol", "open_time", "search").unique().rows() == [("AUSDT", FEBRUARY, "abc")]


def test_barriers_are_chosen_from_stored_rows_as_by_the_search_itself(bars: pl.DataFrame, trials: pl.DataFrame) -> None:
    searches = settled(trials, SETS, MONTH)
    for horizon, found in searches.items():
        direct = run_search(bars, FEBRUARY, horizon, SETS.search, SETS, "15m")
        assert (found.barrier, found.chosen, found.fallback) == (direct.barrier, direct.chosen, direct.fallback)
        assert found.tried.equals(direct.tried)
    params = param_rows(searches, SETS, "AUSDT", MONTH, "abc")
    assert PARAMS.validate(PARAMS.conform(params)).equals(params)
    assert params["window_start"].unique().to_list() == [FEBRUARY - timedelta(days=35)]
    for row in params.iter_rows(named=True):
        tried = trials.filter(horizon=row["horizon"], trial=-1 if row["trial"] is None else row["trial"])
        for name in ("upper", "lower", "holding", "holding_bars", "entropy", "timeouts", "ties", "log_return_per_bar"):
            assert row[name] == tried[name].item()
    assert not params["fallback"].all()


def test_days_of_a_month_share_its_search(bars: pl.DataFrame, trials: pl.DataFrame) -> None:
    of_day = trial_rows(bars, SETS, DAY, "15m", "abc")
    assert of_day["open_time"].unique().to_list() == [DAY.start]
    assert of_day.drop("open_time").equals(trials.drop("open_time"))
    assert search_moment(DAY) == search_moment(MONTH) == FEBRUARY


def test_a_search_reads_no_further_back_than_it_says(bars: pl.DataFrame, trials: pl.DataFrame) -> None:
    reach = search_reach(SETS, "15m")
    assert reach == timedelta(days=35) + 288 * timedelta(minutes=15)
    needed = bars.filter(pl.col("open_time") >= FEBRUARY - reach)
    assert needed.height < bars.height
    assert trial_rows(needed, SETS, MONTH, "15m", "abc").equals(trials)


def test_a_search_has_the_name_of_what_it_depends_on(bars: pl.DataFrame) -> None:
    name = search_id(bars, "v1")
    assert name == search_id(bars.clone(), "v1") != search_id(bars, "v2")
    for column in ("open", "high", "low", "close", "volume"):
        changed = pl.when(pl.int_range(pl.len()) == 7).then(pl.col(column) * 1.5).otherwise(pl.col(column))
        assert search_id(bars.with_columns(changed.alias(column)), "v1") != name
    assert search_id(bars[1:], "v1") != name


def test_without_history_there_are_no_trials_and_the_fixed_barriers_stand(bars: pl.DataFrame) -> None:
    for short in (bars.clear(), bars.tail(500)):
        none = trial_rows(short, SETS, MONTH, "15m", "abc")
        assert none.is_empty()
        assert TRIALS.validate(TRIALS.conform(none)).is_empty()
        params = param_rows(settled(none, SETS, MONTH), SETS, "AUSDT", MONTH, None)
        assert PARAMS.validate(PARAMS.conform(params))["fallback"].all()
        assert params.select("upper", "lower", "holding_bars").rows() == [(0.8, 0.8, 4), (0.8, 0.8, 8)]
        assert params["reason"].str.starts_with("fewer than 20 days").all()


def test_labels_take_the_barriers_of_their_row_and_forward_returns_the_whole_horizon(bars: pl.DataFrame) -> None:
    params = pl.DataFrame(
        {
            "horizon": [4, 8],
            "upper": [1.1, 0.5],
            "lower": [0.7, 2.0],
            "holding_bars": [3, 5],
            "fallback": [False, True],
        }
    )
    found = label_table(bars, SETS, "15m", params)
    assert label_columns(SETS).validate(label_columns(SETS).conform(found)).equals(found)
    own = LabelSet(horizons=[3], upper=1.1, lower=0.7)
    expected = label_table(bars, own, "15m")
    for name in ("label", "label_end", "touch", "log_return", "uniqueness", "weight"):
        assert found[f"{name}_4"].equals(expected[f"{name}_3"])
    plain = label_table(bars, LabelSet(horizons=[4]), "15m")
    for name in ("forward_log_return", "forward_end"):
        assert found[f"{name}_4"].equals(plain[f"{name}_4"])
    width = TripleBarrier(horizon=5).width
    assert found.select("upper_8", "lower_8", "holding_8", "fallback_8").unique().rows() == [
        (0.5 * width, 2.0 * width, 5, True)
    ]


def test_searches_are_made_before_the_sets_they_belong_to_and_share_no_name() -> None:
    sets = {"labels": LabelSet(barriers="searched"), "wide": LabelSet(name="wide")}
    assert data_names(sets) == ["barrier_trials", "barrier_params", "labels", "wide"]
    other = {"wide": LabelSet(name="wide", barriers="searched")}
    assert data_names(other) == ["wide_barrier_trials", "wide_barrier_params", "wide"]
    with pytest.raises(ConfigError, match="another set's search"):
        data_names(other | {"x": LabelSet(name="wide_barrier_trials")})


def test_a_window_is_a_partition(trials: pl.DataFrame) -> None:
    assert Window(FEBRUARY, datetime(2023, 3, 1, tzinfo=UTC)) == MONTH
    assert trials["open_time"].is_between(MONTH.start, MONTH.end, closed="left").all()
