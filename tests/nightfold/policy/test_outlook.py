"""Forecasts of every task brought to an expected move and a confidence."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from nightfold.models.objective import Objective
from nightfold.policy.outlook import OUTLOOK, outlook

COST = pl.lit(0.002)
QUANTILES = Objective(task="quantile")


def seen(objective: Objective, width: float = 0.02, **said: Sequence[float | None]) -> pl.DataFrame:
    size = len(next(iter(said.values())))
    rows = pl.DataFrame(dict(said), strict=False)
    key = {"symbol": pl.lit("A"), "open_time": pl.int_range(size), "close": pl.lit(100.0), "width": pl.lit(width)}
    distances = {"upper": 0.735, "lower": 0.5} if objective.task == "three_class" else {}
    return outlook(rows.with_columns(**key), objective, COST, **distances)


def test_classes_weigh_their_barriers_and_are_sure_of_the_side_they_favour() -> None:
    """Worked example 6: up .36, none .10, down .54, u .0147, d .01: gross -.000108, so short, right 54 of 90 times."""
    found = seen(Objective(), p_down=[0.54, 0.2], p_flat=[0.10, 0.2], p_up=[0.36, 0.6])
    assert tuple(found.columns) == OUTLOOK
    assert found["move"].to_list() == pytest.approx([0.36 * 0.0147 - 0.54 * 0.01, 0.6 * 0.0147 - 0.2 * 0.01])
    assert found["confidence"].to_list() == pytest.approx([0.54 / 0.9, 0.75])
    assert found["stop_long"].to_list() == pytest.approx([0.01, 0.01])
    assert found["stop_short"].to_list() == pytest.approx([0.0147, 0.0147])


def test_what_a_timeout_returns_joins_the_move_and_may_turn_it() -> None:
    """Worked example 6 with a timeout worth .003: gross -.000108 + .10 x .003, so long, right 36 of 90 times."""
    said = {"p_down": [0.54, 0.54], "p_flat": [0.10, 0.10], "p_up": [0.36, 0.36]}
    found = seen(Objective(), **said, timeout_return=[0.003, 0.0])
    assert found["move"].to_list() == pytest.approx([0.36 * 0.0147 - 0.54 * 0.01 + 0.0003, 0.36 * 0.0147 - 0.54 * 0.01])
    assert found["confidence"].to_list() == pytest.approx([0.4, 0.6])
    assert found["timeout_return"].to_list() == [0.003, 0.0]
    assert seen(Objective(), **said)["timeout_return"].to_list() == [0.0, 0.0]


def test_quantiles_have_the_mean_of_their_function_and_the_share_on_its_side_of_zero() -> None:
    """Worked example 6: means .0073 and -.01005."""
    found = seen(QUANTILES, q05=[-0.03, -0.05], q50=[0.004, -0.004], q95=[0.05, 0.02])
    assert found["move"].to_list() == pytest.approx([0.0073, -0.01005])
    above = 1 - (0.05 + 0.45 * 0.03 / 0.034)
    below = 0.5 + 0.45 * 0.004 / 0.024
    assert found["confidence"].to_list() == pytest.approx([above, below])


def test_beyond_the_outer_quantiles_nothing_is_surer_than_they_are() -> None:
    found = seen(QUANTILES, q05=[0.01, -0.03], q50=[0.02, -0.02], q95=[0.03, -0.01])
    assert found["confidence"].to_list() == pytest.approx([0.95, 0.95])


def test_quantile_shares_agree_with_samples_of_the_piecewise_linear_law() -> None:
    random = np.random.default_rng(3)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    knots = np.sort(random.normal(0.005, 0.02, (50, 5)), axis=1)
    draws = random.uniform(size=200_000)
    objective = Objective(task="quantile", quantiles=levels)
    found = seen(objective, **dict(zip(objective.columns, knots.T.tolist(), strict=True)))
    for place, row in enumerate(knots):
        values = np.interp(draws, levels, row)
        side = np.sign(values.mean())
        assert found["move"][place] == pytest.approx(values.mean(), abs=3e-4)
        share = float(np.clip((np.sign(values) == side).mean(), 0.05, 0.95))
        assert found["confidence"][place] == pytest.approx(share, abs=0.01)


def test_a_mean_alone_is_as_sure_as_the_volatility_leads_to_expect() -> None:
    found = seen(Objective(task="regression"), width=0.01, mean=[0.01, -0.005, 0.0])
    normal = NormalDist()
    assert found["confidence"].to_list() == pytest.approx([normal.cdf(1), normal.cdf(0.5), 0.5])
    assert found["stop_long"].to_list() == [0.01] * 3


def test_the_next_bar_brings_its_own_confidence() -> None:
    found = seen(Objective(task="next_bar"), mean=[0.01], confidence=[0.61])
    assert found.select("move", "confidence").row(0) == (0.01, 0.61)


def test_two_classes_are_sure_of_the_likelier() -> None:
    found = seen(Objective(task="binary"), width=0.02, p_no=[0.3, 0.8], p_yes=[0.7, 0.2])
    assert found["confidence"].to_list() == pytest.approx([0.7, 0.8])
    assert found["move"].to_list() == pytest.approx([x * 0.02 * math.sqrt(2 / math.pi) for x in (0.4, -0.6)])


@pytest.mark.parametrize("task", ["three_class", "binary", "quantile", "regression", "next_bar"])
def test_without_a_forecast_there_is_no_outlook(task: str) -> None:
    objective = Objective(task=task)  # type: ignore[arg-type]
    found = seen(objective, **{name: [None, 0.3] for name in objective.columns})
    assert found["move"].is_null().to_list() == found["confidence"].is_null().to_list() == [True, False]
