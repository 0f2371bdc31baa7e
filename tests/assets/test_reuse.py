"""A member that retrains less often than its experiment goes on with the model it has."""

import json

import polars as pl
import pytest

SETTINGS = {
    "first_as_of": "2024-01-29",
    "retrain": "week",
    "target": {"horizons": [5]},
    "features": {"names": ["log_return_1", "volatility_20"]},
    "split": {"train_days": 20, "purge": 5, "embargo": 5},
    "models": {"logistic_regression": None, "class_frequencies": {"retrain": "month"}},
    "strategy": {"horizon": 5},
}


@pytest.fixture(scope="module")
def made(deploy):
    place = deploy(experiments={"mixed": SETTINGS})
    place.nightfold("run", "--experiment", "mixed")
    return place


def frame(place, member: str, as_of: str) -> pl.DataFrame:
    (found,) = (place.lake / f"mixed/{member}/universe=pooled/{as_of}").rglob("validation.parquet")
    return pl.read_parquet(found)


def fitted(place, member: str, as_of: str) -> str:
    (found,) = (place.lake / f"mixed/{member}/universe=pooled/{as_of}").rglob("fitted.json")
    return json.loads(found.read_text())["as_of"]


def test_it_is_fitted_at_the_first_as_of_of_each_of_its_periods_only(made) -> None:
    stored = sorted(path.name for path in (made.lake / "mixed/class_frequencies/universe=pooled").iterdir())
    assert len(stored) >= 4
    for as_of in stored:
        first = next(each for each in stored if each[:7] == as_of[:7])
        assert fitted(made, "class_frequencies", as_of) == first
        assert fitted(made, "logistic_regression", as_of) == as_of


def test_its_forecasts_of_later_validation_rows_are_out_of_sample(made) -> None:
    stored = sorted(path.name for path in (made.lake / "mixed/class_frequencies/universe=pooled").iterdir())
    going_on = [as_of for as_of in stored if fitted(made, "class_frequencies", as_of) != as_of]
    assert going_on
    for as_of in going_on:
        own, other = frame(made, "class_frequencies", as_of), frame(made, "logistic_regression", as_of)
        assert own.height
        assert (own["learnt_until"] < own["open_time"]).all()
        assert own.join(other, on=["symbol", "open_time", "label", "label_end"], how="anti").is_empty()
        since = own.filter(
            pl.col("open_time")
            >= pl.lit(fitted(made, "class_frequencies", as_of)).str.to_datetime(time_zone="UTC", time_unit="ms")
        )
        assert since.select("p_down", "p_flat", "p_up").n_unique() == 1  # the model in force says the same of all


def test_a_member_may_not_be_fitted_more_often_than_the_experiment(deploy) -> None:
    from nightfold.experiment import Experiment

    changed = {**SETTINGS, "name": "mixed", "models": {"class_frequencies": {"retrain": "day"}}}
    with pytest.raises(ValueError, match="`retrain` of model `class_frequencies` is day; the experiment retrains each"):
        Experiment.model_validate(changed)
