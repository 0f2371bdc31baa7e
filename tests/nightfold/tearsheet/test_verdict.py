"""The verdict says what the gates say, the bad news first."""

from typing import Any

import polars as pl
import pytest

from nightfold.tearsheet.gates import Gate
from nightfold.tearsheet.verdict import Verdict, gate_value, judge

GOOD = Gate("Sharpe ratio", 1.0, 0.5, passed=True)
BAD = Gate("Sharpe ratio", 0.2, 0.5, passed=False)
UNKNOWN = Gate("Profit factor", None, 1.3, passed=None)
MODELS = pl.DataFrame(
    {
        "model": ["a", "b"],
        "horizon": [5, 20],
        "direction_gain": [0.001, 0.01],
        "direction_error": [0.001, 0.004],
        "loss_gain": [0.0, 0.0],
        "loss_error": [0.1, 0.1],
    }
)


def verdict(*gates: Gate, **replaced: Any) -> Verdict:
    given: dict[str, Any] = {
        "total_return": 0.1,
        "held_returns": {"Buy and hold": 0.3},
        "n_trades": 10,
        "total_cost": "12.00 USDT",
        "n_trials": 4,
        "deflated_sharpe": 0.25,
        "models": MODELS.clear(),
    }
    return judge(gates, **{**given, **replaced})


def plain(text: str) -> str:
    return " ".join(text.split())


def test_a_failed_sign_of_an_edge_is_no_edge_whatever_passes() -> None:
    said = verdict(BAD, GOOD)
    assert (said.outcome, said.headline) == ("failed", "No edge found: 1 of 2 gates fail.")
    assert said.reasons[0] == "Missed: Sharpe ratio 0.20 (needed above 0.50)."


def test_other_failures_are_not_good_enough() -> None:
    said = verdict(GOOD, Gate("Closed trades", 40, 100, False, relation="at least", unit="count"))
    assert said.headline == "Not good enough: 1 of 2 gates fail."
    assert said.reasons[0] == "Missed: closed trades 40 (needed at least 100)."


def test_failure_outweighs_the_unknown_and_the_unknown_outweighs_success() -> None:
    assert verdict(GOOD, UNKNOWN, BAD).outcome == "failed"
    assert verdict(GOOD, UNKNOWN).headline == "Undecided: Profit factor cannot be known yet."
    assert verdict().headline == "Undecided: every gate cannot be known yet."


def test_success_promises_nothing() -> None:
    said = verdict(GOOD)
    assert said.outcome == "passed"
    assert "not a promise" in said.headline


def test_no_trades_and_ruin_are_said_before_anything_else() -> None:
    assert verdict(GOOD, n_trades=0).headline.startswith("No trades: ")
    lost = verdict(BAD, total_return=None)
    assert lost.headline.startswith("The account was lost")
    assert "Trading cost 12.00 USDT until then." in lost.reasons


def test_the_return_stands_beside_that_of_holding() -> None:
    said = [plain(reason) for reason in verdict(GOOD).reasons]
    assert "After costs of 12.00 USDT the account returned +10.0 %; over the same days buy and hold +30.0 %." in said
    alone = [plain(reason) for reason in verdict(GOOD, held_returns={}).reasons]
    assert "After costs of 12.00 USDT the account returned +10.0 %." in alone


@pytest.mark.parametrize(
    ("n_trials", "deflated", "said"),
    [
        (4, 0.25, "Probability that the Sharpe ratio is more than the luck of the best of 4 trials: 25 %."),
        (1, 0.999, "Probability that the true Sharpe ratio is above 0, with 1 trial: over 99 %."),
    ],
)
def test_luck_is_stated_with_the_number_of_trials(n_trials: int, deflated: float, said: str) -> None:
    reasons = verdict(GOOD, n_trials=n_trials, deflated_sharpe=deflated).reasons
    assert said in [plain(reason) for reason in reasons]


def test_skill_in_direction_needs_two_standard_errors() -> None:
    assert "by b at 20 bars." in verdict(GOOD, models=MODELS).reasons[-1]
    assert verdict(GOOD, models=MODELS.head(1)).reasons[-1].startswith("No model forecast direction better")


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [("ratio", 1.234, "1.23"), ("score", 0.3541, "0.354"), ("count", 1234, "1,234"), ("percent", None, "\N{EN DASH}")],
)
def test_values_are_written_in_the_unit_of_their_gate(unit: Any, value: float | None, text: str) -> None:
    assert gate_value(Gate("x", value, 0.0, None, unit=unit), value) == text
