"""The forecast log: forecasts beside what came, and whether confidence was kept."""

import numpy as np
import polars as pl
import pytest

from nightfold.errors import SchemaError
from nightfold.experiment import Experiment
from nightfold.policy.log import forecast_log, log_table, reliability
from nightfold.schema import TIME

HOUR = 3_600_000


def times(*hours: int | None) -> pl.Series:
    return pl.Series([None if hour is None else HOUR * hour for hour in hours]).cast(TIME)


def experiment(**target: object) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "e",
            "first_as_of": "2024-01-01",
            "models": {"class_frequencies": None} if not target else {"lightgbm": None},
            "target": {"horizons": [5], **target},
            "strategy": {"horizon": 5},
        }
    )


def made(size: int, honest: bool, seed: int = 1) -> pl.DataFrame:
    """A log of forecasts that are right as often as they say, or at random."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.5, 0.9, size)
    right = random.uniform(size=size) < (confidence if honest else 0.5)
    said = random.choice([-0.01, 0.01], size)
    return pl.DataFrame(
        {
            "symbol": "A",
            "open_time": times(*range(size)),
            "horizon": 5,
            "expected_move": said,
            "confidence": confidence,
            "actual_move": np.where(right, said, -said),
            "actual_side": np.sign(np.where(right, said, -said)),
        }
    )


def test_each_forecast_stands_beside_what_came_once_that_is_known() -> None:
    key = {"symbol": ["A"] * 4, "open_time": times(0, 1, 2, 3)}
    outlooks = pl.DataFrame({**key, "move": [0.01, -0.02, None, 0.03], "confidence": [0.6, 0.7, None, 0.8]})
    said = pl.DataFrame({**key, "as_of": times(0, 0, 0, 0), "version": ["v"] * 4})
    labels = pl.DataFrame(
        {**key, "label_5": [1, 0, 1, None], "log_return_5": [0.02, -0.001, 0.1, None], "label_end_5": times(3, 6, 7, 8)}
    )
    found = log_table("log").conform(forecast_log(outlooks, said, labels, experiment()))
    log_table("log").validate(found)
    assert found["expected_move"].to_list() == [0.01, -0.02, 0.03]
    assert found["actual_move"].to_list() == [0.02, -0.001, None]
    assert found["actual_side"].to_list() == [1, 0, None]
    assert found["known_at"].to_list() == times(3, 6, None).to_list()


def test_what_was_known_later_than_asked_stays_open() -> None:
    key = {"symbol": ["A"] * 2, "open_time": times(0, 1)}
    outlooks = pl.DataFrame({**key, "move": [0.01, -0.02], "confidence": [0.6, 0.7]})
    said = pl.DataFrame({**key, "as_of": times(0, 0), "version": ["v"] * 2})
    labels = pl.DataFrame({**key, "label_5": [1, -1], "log_return_5": [0.02, -0.01], "label_end_5": times(6, 7)})
    found = log_table("log").conform(forecast_log(outlooks, said, labels, experiment(), times(6)[0]))
    assert found["expected_move"].to_list() == [0.01, -0.02]
    for name in ("known_at", "actual_move", "actual_side"):
        assert found[name].is_null().to_list() == [False, True], name


def test_the_strength_of_quantiles_is_logged() -> None:
    """Worked example 6, cost .002: strengths .066 and .115; none without a distance, none for other forecasts."""
    ours = experiment(kind="return", task="quantile")
    key = {"symbol": ["A"] * 3, "open_time": times(0, 1, 2)}
    outlooks = pl.DataFrame({**key, "move": [0.0073, -0.01005, 0.01], "confidence": [0.5, 0.6, 0.9], "cost": 0.002})
    said = {"q05_5": [-0.03, -0.05, 0.01], "q50_5": [0.004, -0.004, 0.01], "q95_5": [0.05, 0.02, 0.01]}
    predictions = pl.DataFrame({**key, "as_of": times(0, 0, 0), "version": ["v"] * 3, **said})
    labels = pl.DataFrame({**key, "forward_log_return_5": [0.02] * 3, "forward_end_5": times(6, 7, 8)})
    table = log_table("log", ours.target.objective)
    found = table.validate(table.conform(forecast_log(outlooks, predictions, labels, ours)))
    assert found["strength"].to_list() == [pytest.approx(0.066, abs=5e-4), pytest.approx(0.115, abs=5e-4), None]
    assert "strength" not in log_table("log", experiment().target.objective).columns


def test_bars_without_a_model_in_force_are_not_logged() -> None:
    key = {"symbol": ["A"], "open_time": times(0)}
    outlooks = pl.DataFrame({**key, "move": [0.01], "confidence": [0.6]})
    said = pl.DataFrame({**key, "as_of": times(None), "version": pl.Series([None], dtype=pl.String)})
    labels = pl.DataFrame({**key, "label_5": [1], "log_return_5": [0.02], "label_end_5": times(3)})
    assert forecast_log(outlooks, said, labels, experiment()).is_empty()


def test_a_target_that_names_no_side_has_no_log() -> None:
    empty = pl.DataFrame({"symbol": [], "open_time": []})
    with pytest.raises(SchemaError, match="names no side"):
        forecast_log(empty, empty, empty, experiment(kind="mfe"))


def test_forecasts_as_right_as_they_say_are_reliable() -> None:
    found = reliability(made(4_000, honest=True))
    assert found.rows == 4_000
    assert found.confidence == pytest.approx(0.7, abs=0.01)
    assert found.hit_rate == pytest.approx(0.7, abs=0.03)
    assert not found.is_overconfident


def test_a_coin_that_claims_skill_is_found_out() -> None:
    found = reliability(made(4_000, honest=False))
    assert found.hit_rate == pytest.approx(0.5, abs=0.03)
    assert found.is_overconfident


def test_only_outcomes_that_are_known_and_moved_count() -> None:
    log = made(4, honest=True).with_columns(actual_side=pl.Series([1, 0, None, -1]), expected_move=pl.lit(0.01))
    found = reliability(log)
    assert (found.rows, found.hit_rate) == (2, 0.5)
    none = reliability(log.head(0))
    assert (none.rows, none.hit_rate, none.gap) == (0, None, None)
    assert not none.is_overconfident
