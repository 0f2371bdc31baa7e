"""The verdict says what the gates say, the bad news first."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.gates import Gate
from nightfold.tearsheet.verdict import (
    Verdict,
    flat_words,
    gate_value,
    judge,
    luck_words,
    overfitting_words,
    verdict_of,
)

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


@pytest.mark.parametrize(
    ("probability", "variants", "days", "said"),
    [
        (0.62, 33, 400, "Probability that choosing the best of 33 variants is overfitting: 62 %."),
        (None, 33, 159, "The probability of overfitting is unknown: 159 days are fewer than 160."),
        (None, 9, 160, "The probability of overfitting is unknown: 9 variants are fewer than 10."),
        (None, 33, 170, "The probability of overfitting is unknown: its 33 variants share fewer than 160 days."),
    ],
)
def test_overfitting_is_a_number_or_unknown_for_a_reason(
    probability: float | None, variants: int, days: int, said: str
) -> None:
    assert plain(overfitting_words(probability, variants, days)) == said


def test_the_place_among_random_traders_is_said_in_words() -> None:
    assert "it did better than 37 %" in plain(luck_words({"percentile": 0.37}, traded=True))
    assert luck_words({"percentile": None}, traded=False).endswith("unknown: it never traded.")
    assert luck_words(None, traded=True).endswith("unknown: the backtest kept no record of them.")


@pytest.mark.parametrize(
    ("n_trades", "why"), [(0, "it never traded."), (9, "limits on all symbols together would cut")]
)
def test_who_traded_is_not_said_never_to_have(
    make_report: Callable[..., TearsheetInput], n_trades: int, why: str
) -> None:
    unknown = dict.fromkeys(("percentile", "median", "best"))
    said = verdict_of(make_report(n_trades=n_trades, luck=unknown)).reasons
    (sentence,) = [reason for reason in said if "random traders" in reason]
    assert sentence.startswith(f"How it would stand among random traders is unknown: {why}")


def test_flat_periods_of_the_policy_are_counted_from_the_first_whole_window_on() -> None:
    cards = pl.DataFrame({"is_complete": [False, True, True, True], "min_confidence": [None, None, 0.5, None]})
    assert flat_words(cards) == ["Its policy traded nothing in 2 of 3 periods."]
    assert flat_words(cards.head(1)) == [
        "No policy has a whole window of predictions behind it yet, so nothing was traded."
    ]
    assert flat_words(cards.drop_nulls()) == flat_words(cards.clear()) == flat_words(None) == []


def test_an_unknown_deflated_sharpe_ratio_still_names_the_trials() -> None:
    assert "is unknown: returns of days do not vary; 4 trials" in " ".join(verdict(GOOD, deflated_sharpe=None).reasons)
    lost = verdict(BAD, total_return=None, deflated_sharpe=None, n_trials=1)
    assert "is unknown: the account was lost; 1 trial on these days." in " ".join(lost.reasons)


def test_names_made_of_capitals_keep_them() -> None:
    said = " ".join(verdict(GOOD, held_returns={"RSI 14 reversal": 0.1, "Buy and hold": 0.2}).reasons)
    assert "RSI 14 reversal" in said
    assert "buy and hold" in said
