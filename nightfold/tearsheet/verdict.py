"""What a reader should believe, in plain words: the bad news first, and nothing that the figures do not say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.gates import Gate

Outcome = Literal["failed", "unknown", "passed"]

_SIGNS_OF_AN_EDGE = ("Sharpe ratio", "Deflated Sharpe ratio", "Profit factor")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line that decides, whether it is good, and the sentences that explain it."""

    outcome: Outcome
    headline: str
    reasons: Sequence[str]


def judge(
    gates: Sequence[Gate],
    *,
    total_return: float | None,
    held_returns: Mapping[str, float | None],
    n_trades: int,
    total_cost: str,
    n_trials: int,
    deflated_sharpe: float | None,
    models: pl.DataFrame,
) -> Verdict:
    """Say what the figures say.

    Parameters
    ----------
    gates
        As `nightfold.tearsheet.gates.evaluate_gates` found them.
    total_return, held_returns
        Return of the strategy (None: the account was lost), and of each baseline by name.
    n_trades
        Number of trades, open ones counted.
    total_cost
        What trading cost, as text with its unit.
    n_trials, deflated_sharpe
        Variants looked at, and the probability that the Sharpe ratio is more than the luck of the best of them.
    models
        As from `nightfold.tearsheet.summary.by_model`.
    """
    outcome, headline = _headline(gates, total_return, n_trades)
    reasons = [
        _misses(gates),
        _money(total_return, held_returns, total_cost) if n_trades else "",
        _luck(n_trials, deflated_sharpe),
        _skill(models),
    ]
    return Verdict(outcome, headline, [reason for reason in reasons if reason])


def gate_value(gate: Gate, value: float | None) -> str:
    """Write a value in the unit of its gate."""
    if gate.unit == "percent":
        return number.percent(value)
    digits = {"ratio": 2, "score": 3, "count": 0}[gate.unit]
    return number.ratio(value, digits)


def needed(gate: Gate) -> str:
    """Write what a gate asks for, `above 0.50`."""
    return f"{gate.relation} {gate_value(gate, gate.threshold)}"


def _headline(gates: Sequence[Gate], total_return: float | None, trades: int) -> tuple[Outcome, str]:
    failed = [gate for gate in gates if gate.passed is False]
    unknown = [gate for gate in gates if gate.passed is None]
    if total_return is None:
        return "failed", "The account was lost: equity fell to nothing and trading ended there."
    if not trades:
        return "failed", "No trades: nothing was bought or sold, so no edge is shown."
    if failed:
        start = "No edge found" if any(gate.name in _SIGNS_OF_AN_EDGE for gate in failed) else "Not good enough"
        return "failed", f"{start}: {len(failed)} of {len(gates)} gates fail."
    if unknown or not gates:
        return "unknown", f"Undecided: {_list([gate.name for gate in unknown]) or 'every gate'} cannot be known yet."
    return "passed", f"All {len(gates)} gates pass. A good past is a reason to test further, not a promise."


def _misses(gates: Sequence[Gate]) -> str:
    failed = [gate for gate in gates if gate.passed is False and gate.value is not None]
    misses = [f"{_lower(gate.name)} {gate_value(gate, gate.value)} (needed {needed(gate)})" for gate in failed]
    return f"Missed: {'; '.join(misses)}." if misses else ""


def _money(total_return: float | None, held_returns: Mapping[str, float | None], total_cost: str) -> str:
    if total_return is None:
        return f"Trading cost {total_cost} until then."
    ending = f"After costs of {total_cost} the account returned {number.percent(total_return, signed=True)}"
    held = [f"{_lower(name)} {number.percent(held, signed=True)}" for name, held in held_returns.items()]
    return f"{ending}; over the same days {_list(held)}." if held else f"{ending}."


def _luck(n_trials: int, deflated_sharpe: float | None) -> str:
    if deflated_sharpe is None:
        return ""
    if n_trials == 1:
        return f"Probability that the true Sharpe ratio is above 0, with 1 trial: {number.chance(deflated_sharpe)}."
    return (
        f"Probability that the Sharpe ratio is more than the luck of the best of {number.count(n_trials)} trials: "
        f"{number.chance(deflated_sharpe)}."
    )


def _skill(models: pl.DataFrame) -> str:
    known = models.drop_nulls(["direction_gain", "direction_error"])
    if known.is_empty():
        return _skill_in_values(models.filter(pl.col("direction_gain").is_null()).drop_nulls("loss_error"))
    skilled = known.filter(pl.col("direction_gain") > 2 * pl.col("direction_error"))
    if skilled.is_empty():
        return "No model forecast direction better than its base rate (gain over 2 standard errors)."
    names = [f"{model} at {horizon} bars" for model, horizon in skilled.select("model", "horizon").iter_rows()]
    return f"Direction was forecast better than its base rate, by over 2 standard errors, by {_list(names)}."


def _skill_in_values(models: pl.DataFrame) -> str:
    if models.is_empty():
        return ""
    skilled = models.filter(pl.col("loss_gain") > 2 * pl.col("loss_error"))
    if skilled.is_empty():
        return "No model forecast better than the constant of its training rows (gain over 2 standard errors)."
    names = [f"{model} at {horizon} bars" for model, horizon in skilled.select("model", "horizon").iter_rows()]
    return f"Better than the constant of their training rows, by over 2 standard errors: {_list(names)}."


def _lower(name: str) -> str:
    """Start a name with a small letter, names of their own apart."""
    return name if name.split()[0] in {"Sharpe", "Macro"} else name[0].lower() + name[1:]


def _list(words: Sequence[str]) -> str:
    return ", ".join(words)
