"""Gates: what passes, what fails, and what cannot be known."""

from typing import Any

import pytest
from pydantic import ValidationError

from nightfold.tearsheet import measures
from nightfold.tearsheet.gates import GATE_SETS, Gate, Gates, ModelRecord, evaluate_gates

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


# A record that the checklist is content with: two years of days, 600 trades, three regimes and a crash.
TWO_YEARS = {
    "daily_returns": [0.02, -0.01] * 365,
    "trade_profits": [3.0, 2.0, -1.0] * 200,
    "regimes": 3,
    "crashes": 1,
    "overfitting": 0.1,
    "models": {"trees": ModelRecord(0.36, 0.33, 0.31), "linear": ModelRecord(0.37, 0.33, 0.4)},
}

ASKED = {
    "checklist": {
        "Win rate": 0.55,
        "Sharpe ratio": 1.5,
        "Largest drawdown": -0.2,
        "Closed trades": 500,
        "Windows with a gain": 0.8,
        "Worst window": -0.1,
        "Years": 2,
        "Market regimes": 3,
        "Crashes": 1,
    },
    "active": {"Sharpe ratio": 1.5, "Trades a year": 50, "Largest drawdown": -0.15, "Win rate": 0.5},
    "models": {
        "Macro F1 of trees": 0.35,
        "Macro F1 of linear": 0.35,
        "Sharpe ratio of trees": 0.3,
        "Sharpe ratio of linear": 0.3,
    },
    "ensemble": {"Sharpe ratio": 0.5, "Profit factor": 1.3},
}


@pytest.mark.parametrize("name", GATE_SETS)
def test_each_set_asks_for_what_it_says_and_a_good_record_passes(name: Any) -> None:
    found = gates(Gates(set=name), **TWO_YEARS)
    assert {gate.name: gate.threshold for gate in found.values()} == ASKED[name]
    assert {gate.passed for gate in found.values()} == {True}


def test_the_sets_are_all_tested() -> None:
    assert set(ASKED) == set(GATE_SETS)


@pytest.mark.parametrize(
    ("name", "replaced"),
    [
        ("Win rate", {"trade_profits": [3.0, -1.0] * 300}),
        ("Closed trades", {"trade_profits": [3.0, 2.0, -1.0] * 166}),
        ("Sharpe ratio", {"daily_returns": [0.0105, -0.01] * 365}),
        ("Years", {"daily_returns": [0.02, -0.01] * 364 + [0.0]}),
        ("Market regimes", {"regimes": 2}),
        ("Crashes", {"crashes": 0}),
    ],
)
def test_the_checklist_fails_for_one_thing_alone(name: str, replaced: dict[str, Any]) -> None:
    found = gates(Gates(set="checklist"), **{**TWO_YEARS, **replaced})
    assert [gate.name for gate in found.values() if gate.passed is False] == [name]


def test_trades_a_year_and_years_are_counted_by_days() -> None:
    found = gates(Gates(set="active", min_years=1.0), **{**TWO_YEARS, "daily_returns": [0.02, -0.01] * 219})
    assert found["Years"].value == 1.2
    assert found["Trades a year"].value == 500


def test_a_model_that_is_no_better_than_chance_fails_alone() -> None:
    weak = {
        "trees": ModelRecord(0.36, 0.33, 0.2),
        "linear": ModelRecord(0.3, 0.33, 0.4),
        "new": ModelRecord(None, None, None),
    }
    found = gates(Gates(set="models"), models=weak)
    assert {name: gate.passed for name, gate in found.items()} == {
        "Macro F1 of trees": True,
        "Sharpe ratio of trees": False,
        "Macro F1 of linear": False,
        "Sharpe ratio of linear": True,
        "Macro F1 of new": None,
        "Sharpe ratio of new": None,
    }
    assert found["Macro F1 of linear"].note == "chance reaches 0.330"


def test_a_model_that_lost_its_account_fails_and_one_that_never_moved_is_unknown() -> None:
    both = {"lost": ModelRecord(0.4, 0.33, None, is_lost=True), "still": ModelRecord(0.4, 0.33, None)}
    found = gates(Gates(set="models"), models=both)
    lost, still = found["Sharpe ratio of lost"], found["Sharpe ratio of still"]
    assert (lost.passed, lost.note) == (False, "traded alone, its account was lost")
    assert (still.passed, still.note) == (None, "traded alone, its equity never moved")


def test_values_have_no_gate_on_f1_and_those_beside_it_say_so() -> None:
    record = {"mean": ModelRecord(None, None, 0.4)}
    found = gates(Gates(set="models", min_macro_f1=0.35), models=record, has_classes=False)
    assert {name: (gate.passed, gate.note) for name, gate in found.items()} == {
        "Sharpe ratio of mean": (True, "traded alone, after costs; forecasts of values have no F1")
    }
    assert set(gates(has_classes=False)) == set(gates()) - {"Macro F1"}


def test_overfitting_must_lie_below_its_threshold() -> None:
    spec = Gates(max_overfitting=0.5)
    assert gates(spec, overfitting=0.49)["Overfitting"].passed is True
    assert gates(spec, overfitting=0.5)["Overfitting"].passed is False
    assert gates(spec)["Overfitting"].passed is None


def test_what_was_not_looked_at_is_unknown() -> None:
    found = gates(Gates(set="checklist", min_model_f1=0.35, min_model_sharpe=0.3), daily_returns=[], trade_profits=[])
    unknown = [name for name, gate in found.items() if gate.passed is None]
    assert {"Market regimes", "Crashes", "Win rate", "Macro F1 of each model", "Sharpe ratio of each model"} <= set(
        unknown
    )
    assert gates(Gates(set="active"), daily_returns=[])["Trades a year"].passed is None


def test_a_value_in_the_file_takes_the_place_of_the_sets_and_null_leaves_a_gate_out() -> None:
    spec = Gates.model_validate({"set": "checklist", "min_trades": 50, "min_crashes": None, "min_deflated_sharpe": 0.8})
    found = gates(spec, **TWO_YEARS)
    assert set(found) == set(ASKED["checklist"]) - {"Crashes"} | {"Deflated Sharpe ratio"}
    assert found["Closed trades"].threshold == 50
    assert set(gates(Gates(min_macro_f1=None))) == set(gates()) - {"Macro F1"}


def test_a_set_is_the_same_when_it_is_written_out_and_read_again() -> None:
    for name in ("standard", *GATE_SETS):
        spec = Gates.model_validate({"set": name, "min_sharpe": 0.7})
        assert Gates.model_validate(spec.model_dump(mode="json")) == spec
        assert Gates.model_validate(spec) == spec
    assert len({Gates.model_validate({"set": name}).fingerprint for name in ("standard", *GATE_SETS)}) == 5


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(ValidationError, match="set"):
        Gates.model_validate({"set": "lenient"})


def test_a_lost_account_fails_in_every_set_that_asks_for_returns() -> None:
    found = gates(Gates(set="active"), daily_returns=[0.1, -1.2])
    assert [gate.name for gate in found.values() if gate.note == "the account was lost"] == [
        "Sharpe ratio",
        "Largest drawdown",
    ]
