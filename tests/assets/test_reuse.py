"""A member that retrains less often than its experiment goes on with the model it has."""

import json

import polars as pl
import pytest


@pytest.fixture(scope="module")
def made(deploy):
    members = {"logistic_regression": None, "class_frequencies": {"retrain": "month"}}
    place = deploy(
        universe={"end": "2024-04-01"}, experiments={"mixed": {"models": members, "first_as_of": "2024-02-19"}}
    )
    with place.workshop() as workshop:
        for layer in ("ingest", "research", "train"):
            workshop.backfill(layer)
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


def test_a_member_may_not_be_fitted_more_often_than_the_experiment() -> None:
    from nightfold.experiment import Experiment

    settings = {"name": "mixed", "first_as_of": "2024-02-19", "retrain": "week", "strategy": {"horizon": 20}}
    with pytest.raises(ValueError, match="`retrain` of model `class_frequencies` is day; the experiment retrains each"):
        Experiment.model_validate({**settings, "models": {"class_frequencies": {"retrain": "day"}}})
