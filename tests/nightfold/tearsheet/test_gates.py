"""Gates: what passes, what fails, and what cannot be known."""

from typing import Any

import pytest
from pydantic import ValidationError

from nightfold.tearsheet import measures
from nightfold.tearsheet.gates import Gate, Gates, evaluate_gates

UP_AND_DOWN = [0.02, -0.01] * 50


def gates(spec: Gates | None = None, **replaced: Any) -> dict[str, Gate]:
    found: dict[str, Any] = {
        "daily_returns": UP_AND_DOWN,
        "trade_profits": [3.0, -1.0] * 60,
        "fold_returns": [0.01, 0.02, 0.03, 0.04, -0.1],
        "macro_f1": 0.36,
        "chance_f1": 0.33,
    }
    return {gate.name: gate for gate in evaluate_gates(spec or Gates(), **{**found, **replaced})}


def test_a_good_record_passes_every_gate() -> None:
    assert {name: gate.passed for name, gate in gates().items()} == dict.fromkeys(
        [
            "Sharpe ratio",
            "Deflated Sharpe ratio",
            "Largest drawdown",
            "Profit factor",
            "Closed trades",
            "Windows with a gain",
            "Worst window",
            "Macro F1",
        ],
        True,
    )


def test_values_are_those_of_the_measures() -> None:
    found = gates(n_trials=3)
    assert found["Sharpe ratio"].value == measures.sharpe_ratio(UP_AND_DOWN)
    assert found["Deflated Sharpe ratio"].value == measures.deflated_sharpe_ratio(UP_AND_DOWN, 3)
    assert found["Deflated Sharpe ratio"].note == "3 trials"
    assert found["Largest drawdown"].value == measures.max_drawdown(UP_AND_DOWN)
    assert found["Profit factor"].value == 3.0
    assert found["Closed trades"].value == 120
    assert found["Windows with a gain"].value == 0.8
    assert found["Worst window"].value == -0.1


@pytest.mark.parametrize(
    ("name", "replaced"),
    [
        ("Sharpe ratio", {"daily_returns": [-0.02, 0.01] * 50}),
        ("Deflated Sharpe ratio", {"n_trials": 10**6, "trial_variance": 1.0}),
        ("Largest drawdown", {"daily_returns": [0.3, -0.201]}),
        ("Profit factor", {"trade_profits": [1.3, -1.0] * 60}),
        ("Closed trades", {"trade_profits": [3.0, -1.0] * 49}),
        ("Windows with a gain", {"fold_returns": [0.1, 0.1, 0.1, 0.0]}),
        ("Worst window", {"fold_returns": [0.1] * 9 + [-0.101]}),
        ("Macro F1", {"macro_f1": 0.35}),
    ],
)
def test_each_gate_fails_alone_or_with_its_kin(name: str, replaced: dict[str, Any]) -> None:
    assert gates(**replaced)[name].passed is False


def test_thresholds_are_the_users() -> None:
    strict = Gates(min_macro_f1=0.5, min_sharpe=99.0, max_drawdown=0.001, min_profit_factor=4.0, min_trades=1000)
    failed = {name for name, gate in gates(strict).items() if gate.passed is False}
    assert failed == {"Macro F1", "Sharpe ratio", "Largest drawdown", "Profit factor", "Closed trades"}


def test_chance_stands_beside_the_f1() -> None:
    assert gates()["Macro F1"].note == "chance reaches 0.330"
    assert gates(chance_f1=None)["Macro F1"].note == ""


def test_what_cannot_be_known_neither_passes_nor_fails() -> None:
    found = gates(daily_returns=[0.0] * 9, trade_profits=[], fold_returns=[], macro_f1=None)
    unknown = {name: gate.note for name, gate in found.items() if gate.passed is None}
    assert unknown == {
        "Sharpe ratio": "equity never moved",
        "Deflated Sharpe ratio": "equity never moved",
        "Profit factor": "no trades",
        "Windows with a gain": "no as-of window",
        "Worst window": "no as-of window",
        "Macro F1": "chance reaches 0.330",
    }
    assert found["Closed trades"].passed is False
    assert gates(trade_profits=[1.0])["Profit factor"].note == "no losing trade"


def test_a_lost_account_fails_the_gates_on_returns() -> None:
    found = gates(daily_returns=[0.1, -1.2])
    for name in ("Sharpe ratio", "Deflated Sharpe ratio", "Largest drawdown"):
        assert found[name].passed is False
        assert found[name].note == "the account was lost"


@pytest.mark.parametrize("wrong", [{"max_drawdown": -0.2}, {"max_drawdown": 20}, {"min_trades": -1}, {"min_f1": 0.3}])
def test_wrong_thresholds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Gates.model_validate(wrong)
