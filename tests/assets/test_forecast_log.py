"""The forecast log in the lake: every forecast, filled in as outcomes become known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
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


@pytest.mark.parametrize(("said", "passes"), [(0.9, False), (0.7, True), (0.5, True)])
def test_the_check_warns_where_fewer_sides_were_right_than_was_said(
    made: Any, tmp_path: Path, said: float, passes: bool
) -> None:
    """Seven of every ten sides come true; only who says nine of ten claims too much."""
    ours = made.copy(tmp_path)
    paths = sorted((ours.lake / "e/forecast_log").rglob("*.parquet"))
    assert len(paths) >= 2
    for path in paths:
        log = pl.read_parquet(path).sort("open_time")
        right = pl.int_range(pl.len()) % 10 < 7
        sides = pl.lit(said).alias("confidence"), pl.lit(0.01).alias("expected_move")
        came = pl.when(right).then(1).otherwise(-1).cast(pl.Int8).alias("actual_side")
        log.with_columns(*sides, came).write_parquet(path)
    found = reliability_check(ours.build()[1].plans["e"])(lake=ours.environment().lake)
    assert found.passed is passes
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert found.metadata["confidence"].value == pytest.approx(said)
    assert found.metadata["hit_rate"].value == pytest.approx(0.7, abs=0.01)
    assert found.metadata["gap"].value == pytest.approx(0.7 - said, abs=0.01)


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
