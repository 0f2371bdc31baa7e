"""The forecast log in the lake: every forecast, filled in as outcomes become known."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from assets.forecast_log import reliability_check
from nightfold.target import Target
from resources.warehouse import query


@pytest.fixture(scope="module")
def made(deploy: Callable[..., Any]) -> Any:
    deployment = deploy(experiments={"e": {}})
    with deployment.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict"):
            workshop.backfill(layer)
    return deployment


def test_every_prediction_is_logged_with_what_came(made: Any) -> None:
    lake = made.environment().lake
    found = query(
        lake,
        """
        select count(*) as rows, count(actual_move) as known,
               max(abs(actual_move - log_return_5)) as off, count(distinct version) as versions,
               max(case when actual_move is not null and known_at <= open_time then 1 else 0 end) as early
        from e.forecast_log join labels using (symbol, open_time)
        """,
    )
    said = query(
        lake,
        "select count(p_up_5) as rows, count(log_return_5) as known from e.predictions "
        "join labels using (symbol, open_time) where p_up_5 is not null",
    )
    assert found["rows"][0] == said["rows"][0] > 500
    assert found["known"][0] == said["known"][0]
    assert found["off"][0] == 0
    assert found["versions"][0] == 3
    assert found["early"][0] == 0


def test_outcomes_that_are_not_known_yet_are_open(made: Any) -> None:
    plan, lake = made.build()[1].plans["e"], made.environment().lake
    key, last = plan.key("forecast_log"), max(lake.partitions("e/forecast_log", plan.symbols))
    stored = lake.require(key, plan.symbols, last.start, last.end)
    assert stored["actual_move"].null_count() <= 2 * 5
    assert pl.Series(stored["known_at"].is_null()).equals(stored["actual_move"].is_null())


def test_the_check_holds_confidence_against_outcomes(made: Any) -> None:
    line = made.build()[1]
    check = reliability_check(line.plans["e"])
    result = check(lake=made.environment().lake)
    assert result.metadata["forecasts_known"].value > 500
    assert 0 <= result.metadata["hit_rate"].value <= 1
    assert "calibration" in result.metadata


def test_extremes_name_no_side_and_have_no_log(deploy: Callable[..., Any]) -> None:
    target = Target(kind="mfe", horizons=[5]).model_dump(include={"kind", "horizons"})
    deployment = deploy(experiments={"e": {"target": target, "models": {"training_mean": None}}})
    assert deployment.build()[1].layers["e_predict"] == ["e/predictions"]


def test_quantiles_are_logged_with_how_far_their_mean_lies_beyond_cost(deploy: Callable[..., Any]) -> None:
    target = {"kind": "return", "task": "quantile", "horizons": [5]}
    costs = {"taker_fee_bps": 1, "half_spread_bps": 0, "slippage_bps": 0, "volatility_slippage": 0.1}
    deployment = deploy(
        universe={"symbols": ["AAAUSDT"]},
        experiments={"e": {"target": target, "models": {"climatological_quantiles": None}, "costs": costs}},
    )
    with deployment.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict"):
            workshop.backfill(layer)
    found = query(
        deployment.environment().lake,
        """
        select strength,
               (abs(.275 * q05_5 + .45 * q50_5 + .275 * q95_5) - .0002 - 2 * .1 * volatility) / (q95_5 - q05_5) as own
        from e.forecast_log join e.predictions using (symbol, open_time)
        """,
    )
    assert found.height > 400
    assert found["strength"].to_list() == pytest.approx(found["own"].to_list(), rel=1e-9)
