"""Sizes by the rules of the catalog, from outlooks; Kelly's only with what earlier outcomes vouch for."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.signal import Strategy
from nightfold.backtest.sizing.bound import shrunk
from nightfold.models.calibration_curve import calibration_curve
from nightfold.models.objective import Objective
from nightfold.policy.outlook import outlook
from nightfold.policy.sizes import bets, position_sizes, vouched
from nightfold.schema import TIME
from nightfold.splits.as_of import SplitSpec

HOUR = 3_600_000
STEP = timedelta(hours=1)
SPLIT = SplitSpec(in_force_delay="3h")


def outlooks(**said: list[float]) -> pl.DataFrame:
    size = len(said["p_up"])
    rows = pl.DataFrame(
        {
            "symbol": "A",
            "open_time": pl.Series([HOUR * row for row in range(size)]).cast(TIME),
            "close": 100.0,
            "width": 0.02,
            **said,
        }
    )
    return outlook(rows, Objective(), pl.lit(0.001), upper=0.75, lower=0.5)


def outcomes(as_of: list[int], known_at: list[int | None], came: list[float | None]) -> pl.DataFrame:
    def times(hours: list[Any]) -> pl.Series:
        return pl.Series([None if hour is None else HOUR * hour for hour in hours], dtype=pl.Int64).cast(TIME)

    return pl.DataFrame({"as_of": times(as_of), "known_at": times(known_at), "actual_move": came})


UNKNOWN = outcomes([0, 0], [None, None], [None, None])


def test_an_outlook_is_a_bet_on_its_side_with_the_forecasts_own_probabilities() -> None:
    found = bets(outlooks(p_down=[0.2, 0.6], p_flat=[0.2, 0.1], p_up=[0.6, 0.3]), 4, STEP)
    assert found.p_win.tolist() == pytest.approx([0.6, 0.6])
    assert found.p_flat.tolist() == pytest.approx([0.2, 0.1])
    assert found.p_lose.tolist() == pytest.approx([0.2, 0.3])
    assert found.gain.tolist() == pytest.approx([0.015, 0.01])
    assert found.loss.tolist() == pytest.approx([0.01, 0.015])
    assert found.flat_return.tolist() == [0.0, 0.0]
    assert found.volatility.tolist() == pytest.approx([0.01 * np.sqrt(365 * 24)] * 2)


def test_what_a_timeout_returns_is_won_by_one_side_and_lost_by_the_other() -> None:
    said = {"p_down": [0.2, 0.6], "p_flat": [0.2, 0.1], "p_up": [0.6, 0.3]}
    assert bets(outlooks(**said, timeout_return=[0.002, 0.002]), 4, STEP).flat_return.tolist() == [0.002, -0.002]


@pytest.mark.parametrize(
    ("rule", "sizes"),
    [
        ({"rule": "fixed_fraction", "size": 0.2}, [0.2, 0.2]),
        ({"rule": "risk_at_stop", "risk": 0.005}, [0.5, 1 / 3]),
        ({"rule": "volatility_target", "volatility": 0.5}, [0.5 / (0.01 * np.sqrt(365 * 24))] * 2),
    ],
)
def test_rules_size_each_side(rule: dict[str, Any], sizes: list[float]) -> None:
    seen = outlooks(p_down=[0.2, 0.6], p_flat=[0.2, 0.1], p_up=[0.6, 0.3])
    strategy = Strategy(horizon=4, sizing=rule)  # type: ignore[arg-type]  # read as from a file
    assert position_sizes(seen, UNKNOWN, strategy, SPLIT, STEP).to_list() == pytest.approx(sizes)


def test_without_a_rule_the_size_is_the_strategys() -> None:
    seen = outlooks(p_down=[0.2], p_flat=[0.2], p_up=[0.6])
    assert position_sizes(seen, UNKNOWN.head(1), Strategy(size=0.4), SPLIT, STEP).to_list() == [0.4]


def test_a_forecast_that_is_not_there_has_no_size() -> None:
    seen = outlooks(p_down=[0.2, 0.6], p_flat=[0.2, 0.1], p_up=[0.6, 0.3]).with_columns(
        move=pl.Series([0.01, None]), confidence=pl.Series([0.6, None])
    )
    strategy = Strategy(horizon=4, sizing={"rule": "size_from_probability"})  # type: ignore[arg-type]
    assert position_sizes(seen, UNKNOWN, strategy, SPLIT, STEP)[1] == 0


def history(size: int = 400) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Forecasts of a model that is right as often as it says, replaced at row 200."""
    random = np.random.default_rng(1)
    confidence = random.uniform(0.5, 0.9, size)
    up = random.choice([True, False], size)
    p_up = np.where(up, confidence, 1 - confidence)
    came = np.where(random.uniform(size=size) < p_up, 0.01, -0.01)
    seen = outlooks(p_down=(1 - p_up).tolist(), p_flat=[0.0] * size, p_up=p_up.tolist())
    seen = seen.with_columns(move=pl.Series(np.where(up, 0.01, -0.01)), confidence=pl.Series(confidence))
    as_of = [0] * 200 + [200] * (size - 200)
    return seen, outcomes(as_of, [row + 5 for row in range(size)], came.tolist())


def test_kelly_is_told_only_what_outcomes_that_the_model_may_know_vouch_for() -> None:
    seen, came = history()
    found = vouched(seen, came, 5, SPLIT)
    assert np.isnan(found[:200]).all()
    before = slice(0, 193)  # row 192 is known at 197, three hours before the as-of; 193 at 198 is too late
    right = (np.sign(seen["move"]) == np.sign(came["actual_move"])).to_numpy()[before]
    curve = calibration_curve(seen["confidence"].to_numpy()[before], right)
    curve = curve.with_columns((pl.col("rows") / 5).clip(lower_bound=1))
    assert found[200:] == pytest.approx(shrunk(seen["confidence"].to_numpy()[200:], curve))
    assert (found[200:] <= seen["confidence"].to_numpy()[200:]).all()


def test_kelly_does_not_see_what_came_later() -> None:
    seen, came = history()
    other = came.with_columns(
        actual_move=pl.when(pl.int_range(pl.len()) > 192).then(-pl.col("actual_move")).otherwise("actual_move")
    )
    assert vouched(seen, other, 5, SPLIT).tolist() == pytest.approx(vouched(seen, came, 5, SPLIT).tolist(), nan_ok=True)


def test_kelly_bets_nothing_until_something_vouches_for_it() -> None:
    seen, came = history()
    strategy = Strategy(horizon=5, sizing={"rule": "kelly"})  # type: ignore[arg-type]
    found = position_sizes(seen, came, strategy, SPLIT, STEP)
    assert found[:200].sum() == 0
    assert found[200:].max() > 0
