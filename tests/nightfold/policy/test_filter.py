"""The meta-label filter: finds which forecasts pay, and nothing where none does."""

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from nightfold.policy.filter import MetaFilter, filtered, fit_filter
from nightfold.schema import TIME

COST = 0.002


def forecasts(seed: int, size: int = 4_000, skill: float = 1.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Forecasts that are right only where the market is calm (a small width), if they have skill."""
    random = np.random.default_rng(seed)
    width = np.exp(random.normal(np.log(0.01), 0.5, size))
    side = random.choice([-1.0, 1.0], size)
    calm = width < 0.01
    right = random.random(size) < np.where(calm, 0.5 + 0.4 * skill, 0.5 - 0.4 * skill)
    outlooks = pl.DataFrame(
        {
            "symbol": "A",
            "open_time": pl.Series(3_600_000 * np.arange(size)).cast(TIME),
            "close": 100.0,
            "width": width,
            "move": 0.004 * side,
            "confidence": 0.55,
            "p_flat": 0.1,
            "cost": COST,
            "stop_long": width,
            "stop_short": width,
        }
    )
    return outlooks, pl.DataFrame({"actual_move": np.where(right, side, -side) * 0.01})


def test_what_pays_is_told_from_what_does_not() -> None:
    found = fit_filter(*forecasts(1), horizon=1)
    assert found is not None
    outlooks, came = forecasts(2)
    told = found.apply(outlooks)["confidence"].to_numpy()
    pays = (outlooks["move"].sign() * came["actual_move"] > COST).to_numpy()
    assert told[pays].mean() > told[~pays].mean() + 0.3
    assert told[(outlooks["width"] < 0.006).to_numpy()].mean() > 0.7


def test_without_skill_it_says_the_share_that_pays_whatever_the_forecast() -> None:
    found = fit_filter(*forecasts(1, skill=0.0), horizon=1)
    assert found is not None
    told = found.apply(forecasts(2)[0])["confidence"].to_numpy()
    assert told.mean() == pytest.approx(0.5, abs=0.03)
    assert told.std() < 0.03


def test_it_is_the_logistic_regression_of_the_library_on_standardised_inputs() -> None:
    outlooks, came = forecasts(3, 600)
    found = fit_filter(outlooks, came, horizon=1)
    assert found is not None
    move = outlooks["move"].abs().to_numpy()
    inputs = np.stack(
        [move / outlooks["width"], COST / outlooks["width"], outlooks["confidence"], outlooks["p_flat"]], axis=1
    )
    inputs = np.column_stack([inputs, np.log(outlooks["width"])])
    scale = np.where(np.ptp(inputs, axis=0) > 0, inputs.std(axis=0), 1)
    pays = (outlooks["move"].sign() * came["actual_move"] > COST).to_numpy()
    theirs = LogisticRegression().fit((inputs - inputs.mean(axis=0)) / scale, pays)
    expected = theirs.predict_proba((inputs - inputs.mean(axis=0)) / scale)[:, 1]
    assert found.apply(outlooks)["confidence"].to_numpy() == pytest.approx(expected, abs=1e-6)


def test_too_few_outcomes_teach_nothing() -> None:
    outlooks, came = forecasts(1, 400)
    assert fit_filter(outlooks, came, horizon=1) is not None
    assert fit_filter(outlooks, came, horizon=10) is None  # overlapping ones count once
    assert fit_filter(outlooks, came.with_columns(actual_move=0.0), horizon=1) is None
    unknown = came.with_columns(actual_move=pl.when(pl.int_range(pl.len()) < 60).then("actual_move"))
    assert fit_filter(outlooks, unknown, horizon=1) is None


def test_unknown_forecasts_stay_unknown() -> None:
    found = fit_filter(*forecasts(1), horizon=1)
    assert found is not None
    outlooks = forecasts(2, 4)[0].with_columns(move=pl.Series([0.004, None, 0.004, 0.004]))
    outlooks = outlooks.with_columns(width=pl.Series([0.01, 0.01, None, 0.01]))
    assert found.apply(outlooks)["confidence"].is_null().to_list() == [False, True, True, False]


def test_each_row_meets_the_filter_in_force() -> None:
    first, second = fit_filter(*forecasts(1), horizon=1), fit_filter(*forecasts(5, skill=0.5), horizon=1)
    assert first is not None
    assert second is not None
    assert MetaFilter.model_validate_json(first.model_dump_json()) == first
    outlooks = forecasts(2, 6)[0].with_columns(
        filter=pl.Series([None, first.model_dump_json(), second.model_dump_json()] * 2)
    )
    found = filtered(outlooks)
    assert found["open_time"].equals(outlooks["open_time"])
    assert found["confidence"][0] == 0.55
    assert found["confidence"][1] == first.apply(outlooks[1])["confidence"][0]
    assert found["confidence"][5] == second.apply(outlooks[5])["confidence"][0]
