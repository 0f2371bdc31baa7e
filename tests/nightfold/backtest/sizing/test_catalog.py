"""Every rule of size by its worked example, and what all of them promise."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from nightfold.backtest.sizing.bet import Bets
from nightfold.backtest.sizing.catalog import SIZINGS, SizingChoice, find_sizing
from nightfold.backtest.sizing.fixed import FixedFraction, RiskAtStop, VolatilityTarget
from nightfold.backtest.sizing.kelly import Kelly
from nightfold.backtest.sizing.probability import SizeFromProbability, bet_size
from nightfold.errors import UnknownNameError

EVERY = sorted(SIZINGS)
NUMBERS = ("p_win", "p_flat", "p_lose", "gain", "loss", "flat_return", "cost", "volatility")


TYPICAL = Bets(*np.array([[0.55], [0.0], [0.45], [0.015], [0.010], [0.0], [0.001], [0.8]]))


def bets(**columns: Any) -> Bets:
    """Rows that differ from the typical one in some columns."""
    given = {name: np.asarray(values, float) for name, values in columns.items()}
    length = max((values.size for values in given.values()), default=1)
    whole = {name: np.resize(getattr(TYPICAL, name), length) for name in NUMBERS}
    return Bets(**whole | {name: np.resize(values, length) for name, values in given.items()})


def test_kelly_as_worked_by_hand() -> None:
    """Net .014 and .011: .55 / .011 - .45 / .014 = 17.86, a quarter 4.46, capped at 1."""
    assert Kelly(part=1, max_fraction=50).fraction(bets()) == pytest.approx([17.86], abs=0.005)
    assert Kelly(max_fraction=50).fraction(bets()) == pytest.approx([4.46], abs=0.005)
    assert Kelly().fraction(bets()).tolist() == [1.0]


def test_size_from_probability_as_worked_by_hand() -> None:
    assert bet_size(np.array([0.6]), 2) == pytest.approx([0.1617], abs=5e-5)
    assert bet_size(np.array([0.6, 0.45]), 3) == pytest.approx([0.4138, 0.1854], abs=5e-5)
    rule = SizeFromProbability(size=0.5)
    assert rule.fraction(bets(p_win=[0.6, 0.45, 0.2])) == pytest.approx([0.2069, 0.0927, 0.0], abs=5e-5)


def test_certain_forecasts_are_all_or_nothing() -> None:
    assert bet_size(np.array([1.0, 0.0, 1 / 3]), 3).tolist() == [1.0, -1.0, 0.0]


def test_risk_at_the_stop_as_worked_by_hand() -> None:
    """.02 of equity with a stop 1 % away: 2.0 of equity, capped at 1."""
    assert RiskAtStop(risk=0.02, max_fraction=5).fraction(bets()) == pytest.approx([2.0])
    assert RiskAtStop(risk=0.02).fraction(bets()).tolist() == [1.0]
    assert np.isnan(RiskAtStop().fraction(bets(loss=0.0))).all()


def test_a_volatility_target_divides_and_a_fixed_fraction_does_not_care() -> None:
    assert VolatilityTarget(volatility=0.2).fraction(bets(volatility=[0.8, 0.1])) == pytest.approx([0.25, 1.0])
    assert np.isnan(VolatilityTarget().fraction(bets(volatility=[0.0, np.nan]))).all()
    assert FixedFraction(size=0.4).fraction(bets(p_win=[0.9, np.nan])).tolist() == [0.4, 0.4]


@pytest.mark.parametrize("name", EVERY)
def test_every_rule_is_listed_whole_and_read_from_a_file(name: str) -> None:
    entry = find_sizing(name)
    assert entry.name == name
    assert entry.formula.endswith(".")
    assert entry.reference
    read = TypeAdapter(SizingChoice).validate_python({"rule": name})
    assert read == entry.spec()
    with pytest.raises(ValidationError):
        TypeAdapter(SizingChoice).validate_python({"rule": name, "max_fraction": 0})
    with pytest.raises(ValidationError):
        TypeAdapter(SizingChoice).validate_python({"rule": name, "leverage": 3})


@pytest.mark.parametrize("name", EVERY)
def test_every_rule_stays_within_its_cap_row_by_row_and_leaves_its_input_alone(name: str) -> None:
    rng = np.random.default_rng(5)
    chances = rng.dirichlet((1, 1, 1), 300)
    columns: dict[str, Any] = dict(zip(("p_win", "p_flat", "p_lose"), chances.T, strict=True))
    columns |= {"gain": rng.uniform(0.001, 0.1, 300), "loss": rng.uniform(0.001, 0.1, 300)}
    columns |= {"flat_return": rng.normal(0, 0.01, 300), "volatility": rng.uniform(0.1, 2, 300)}
    before = {key: np.copy(value) for key, value in columns.items()}
    rule = find_sizing(name).spec(max_fraction=0.7)
    found = rule.fraction(bets(**columns))
    assert found.shape == (300,)
    assert ((found >= 0) & (found <= 0.7)).all()
    one_by_one = [
        rule.fraction(bets(**{key: value[row : row + 1] for key, value in columns.items()})) for row in range(300)
    ]
    assert np.array_equal(np.concatenate(one_by_one), found)
    assert all(np.array_equal(columns[key], before[key]) for key in columns)
    assert rule.fraction(bets(p_win=np.array([]))).shape == (0,)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("kelly", ["p_win", "p_flat", "p_lose", "gain", "loss", "flat_return", "cost"]),
        ("volatility_target", ["volatility"]),
        ("size_from_probability", ["p_win"]),
        ("risk_at_stop", ["loss"]),
        ("fixed_fraction", []),
    ],
)
def test_what_is_unknown_makes_the_size_unknown_only_where_it_is_needed(name: str, needs: list[str]) -> None:
    rule = find_sizing(name).spec()
    for column in NUMBERS:
        unknown = np.isnan(rule.fraction(bets(**{column: np.array([np.nan])})))
        assert unknown.all() == (column in needs), column


def test_an_unknown_rule_offers_the_close_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean kelly"):
        find_sizing("kely")


def test_a_short_sees_the_row_turned_round() -> None:
    rows = pl.DataFrame(
        {
            "side": [1, -1, -1],
            "p_down": [0.2, 0.2, None],
            "p_flat": 0.3,
            "p_up": 0.5,
            "upper": 0.02,
            "lower": 0.01,
            "timeout_return": 0.001,
            "cost": 0.002,
            "volatility": 0.6,
        }
    )
    seen = Bets.of_sides(rows, classes=2)
    assert seen.p_win[:2].tolist() == [0.5, 0.2]
    assert seen.p_lose.tolist() == [0.2, 0.5, 0.5]
    assert seen.gain[:2].tolist() == [0.02, 0.01]
    assert seen.loss[:2].tolist() == [0.01, 0.02]
    assert seen.flat_return[:2].tolist() == [0.001, -0.001]
    assert np.isnan(seen.p_win[2])
    assert seen.classes == 2
