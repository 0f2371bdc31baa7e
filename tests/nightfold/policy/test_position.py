"""Which forecasts pass their thresholds, and how large the position is."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from nightfold.backtest.signal import Strategy
from nightfold.policy.position import in_force, judged, policy_targets, position_size, thresholds_columns
from nightfold.policy.record import passing
from nightfold.policy.spec import PolicySpec, Thresholds
from nightfold.schema import TIME

HOUR = 3_600_000
DAY = timedelta(days=1)


def rows(move: list[float | None], confidence: list[float | None], **more: Any) -> pl.DataFrame:
    size = len(move)
    return pl.DataFrame(
        {
            "symbol": ["A"] * size,
            "open_time": pl.Series([HOUR * place for place in range(size)]).cast(TIME),
            "close": [100.0] * size,
            "move": move,
            "confidence": confidence,
            "cost": [0.002] * size,
            "stop_long": [0.01] * size,
            "stop_short": [0.02] * size,
            **more,
        },
        strict=False,
    )


def policy(**changed: float) -> Thresholds:
    given = {"min_confidence": 0.5, "min_edge": 1.0, "base_risk_fraction": 0.01, "max_risk_fraction": 0.05}
    return Thresholds(**{**given, **changed})


def sides(spec: PolicySpec, found: pl.DataFrame, **changed: float) -> list[int]:
    return judged(found.with_columns(**thresholds_columns(policy(**changed))), spec)["side"].to_list()


def test_a_side_needs_confidence_and_an_edge_after_cost() -> None:
    """Cost .002, edge of one cost: a move of .004 or more passes, up or down; and one sure enough."""
    found = rows([0.0041, 0.0039, -0.0041, 0.0041, None], [0.5, 0.9, 0.5, 0.49, None])
    assert sides(PolicySpec(), found) == [1, 0, -1, 0, 0]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("spec", "least", "move"),  # costs and moves are powers of two, so that nothing is rounded
    [
        (PolicySpec(), 1.0, 0.5),
        (PolicySpec(edge="gross"), 1.0, 0.25),
        (PolicySpec(edge_unit="return"), 0.125, 0.375),
        (PolicySpec(edge_unit="return", edge="gross"), 0.125, 0.125),
    ],
)
def test_exactly_what_is_asked_is_enough(spec: PolicySpec, least: float, move: float, side: int) -> None:
    """Cost a quarter: confidence and edge are asked to be at least, not above."""
    bit = 2**-40
    moves = [side * move, side * (move - bit), side * move]
    found = rows(moves, [0.5, 0.5, 0.5 - bit]).with_columns(cost=pl.lit(0.25))
    assert sides(spec, found, min_confidence=0.5, min_edge=least) == [side, 0, 0]


def test_units_and_gross_edges() -> None:
    found = rows([0.00211, 0.0019, 0.0011], [0.6] * 3)
    assert sides(PolicySpec(edge_unit="return"), found, min_edge=0.0001) == [1, 0, 0]
    assert sides(PolicySpec(edge_unit="return", edge="gross"), found, min_edge=0.0015) == [1, 1, 0]
    assert sides(PolicySpec(edge="gross"), found, min_edge=0.5) == [1, 1, 1]


def test_without_any_least_edge_a_move_that_does_not_pay_its_cost_is_still_not_traded() -> None:
    found = rows([0.002, 0.0020001, 0.0], [0.9] * 3)
    assert sides(PolicySpec(), found, min_edge=0.0) == [0, 1, 0]
    assert sides(PolicySpec(edge="gross"), found, min_edge=0.0) == [1, 1, 0]


@pytest.mark.parametrize(
    ("sizing", "side", "confidence", "size"),
    [
        ("risk", 1, 0.5, 1.0),  # .01 at risk, stop 1 % away
        ("risk", -1, 0.5, 0.5),  # the short's stop is 2 % away
        ("risk", -1, 0.75, 1.5),  # half way to certainty: .03
        ("risk", 1, 1.0, 2.0),  # .05 / .01 = 5, capped
        ("notional", 1, 0.75, 0.03),
    ],
)
def test_a_stop_out_loses_the_risk_fraction(sizing: Any, side: int, confidence: float, size: float) -> None:
    """Worked example 9: risk .02 with a stop 1 % away is a position of 2.0, capped."""
    row = rows([0.01], [confidence], side=[side]).with_columns(**thresholds_columns(policy()))
    assert row.select(position_size(PolicySpec(sizing=sizing), 2.0)).item() == pytest.approx(size)


def test_the_size_of_a_position_is_that_of_its_entry() -> None:
    found = rows([0.01, 0.01, None, 0.01, -0.01, None], [0.5, 0.9, None, 0.9, 0.5, None])
    spec, columns = PolicySpec(sizing="notional"), thresholds_columns(policy())
    wanted = policy_targets(found, columns, Strategy(horizon=4), spec, 1.0)["target"]
    assert wanted.to_list() == pytest.approx([0.01] * 4 + [-0.01, -0.01])


def test_brackets_lie_where_each_side_is_wrong() -> None:
    found = rows([0.01, None, None, -0.01], [0.9, None, None, 0.9])
    strategy = Strategy(horizon=2, exit="barrier")
    wanted = policy_targets(found, thresholds_columns(policy()), strategy, PolicySpec(), 1.0)
    long, short = wanted.row(0, named=True), wanted.row(3, named=True)
    assert long["stop"] == pytest.approx(100 * 0.9900498337)
    assert long["take_profit"] == pytest.approx(100 * 1.0202013400)
    assert short["stop"] == pytest.approx(100 * 1.0202013400)
    assert short["take_profit"] == pytest.approx(99.00498337)


def test_a_policy_is_in_force_from_its_as_of_and_flat_periods_let_nothing_pass() -> None:
    found = rows([0.01] * 5, [0.9] * 5)
    names = list(Thresholds.model_fields)
    policies = pl.DataFrame(
        {"symbol": ["A"] * 2, "as_of": pl.Series([HOUR, 3 * HOUR]).cast(TIME)}
        | {name: [getattr(policy(), name), None] for name in names}
    )
    held = in_force(found, policies, DAY)
    assert held["min_edge"].to_list() == [None, 1.0, 1.0, None, None]
    assert judged(held, PolicySpec())["side"].to_list() == [0, 1, 1, 0, 0]
    other = in_force(found.with_columns(symbol=pl.lit("B")), policies, DAY)
    assert other["min_edge"].null_count() == 5


def test_forecasts_that_pass_are_counted_by_symbol() -> None:
    found = rows([0.01, 0.01, -0.01, 0.001, None], [0.9, 0.1, 0.9, 0.9, None])
    both = pl.concat([found, found.with_columns(symbol=pl.lit("B"), move=-pl.col("move"))])
    counted = passing(both, PolicySpec(), policy())
    assert counted.rows() == [("A", 4, 3, 3, 1, 1), ("B", 4, 3, 3, 1, 1)]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"min_confidence": (0.7, 0.4)}, "`policy.min_confidence` is 0.7 to 0.4"),
        ({"base_risk_fraction": (0.2, 0.3)}, "the base must not lie above"),
        ({"min_edge": (-1.0, 1.0)}, "greater than or equal to 0"),
    ],
)
def test_ranges_that_cannot_be_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PolicySpec(**changed)


def test_a_policy_that_was_not_replaced_ends_as_a_model_does() -> None:
    found = rows([0.01] * 5, [0.9] * 5)
    policies = pl.DataFrame({"symbol": ["A"], "as_of": pl.Series([0]).cast(TIME)} | policy().model_dump())
    held = in_force(found, policies, timedelta(hours=2))
    assert held["min_edge"].to_list() == [1.0, 1.0, 1.0, None, None]


def test_ranges_of_edges_follow_their_unit() -> None:
    assert PolicySpec().edges == (0.0, 2.0)
    assert PolicySpec(edge_unit="return").edges == (0.0001, 0.002)
    assert PolicySpec(edge_unit="return", min_edge=(0.001, 0.001)).edges == (0.001, 0.001)
