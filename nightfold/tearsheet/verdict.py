"""What a reader should believe, in plain words: the bad news first, and nothing that the figures do not say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from nightfold.backtest.baseline_random import TRADERS
from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.gates import Gate
from nightfold.tearsheet.measures import deflated_sharpe_ratio, is_ruined
from nightfold.tearsheet.measures.overfitting import FEWEST_DAYS, FEWEST_VARIANTS
from nightfold.tearsheet.summary import by_model, measure_returns, sum_costs

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
    chances: Sequence[str] = (),
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
    chances
        Further sentences on what luck and choice could explain.
    """
    outcome, headline = _headline(gates, total_return, n_trades)
    reasons = [
        _misses(gates),
        _money(total_return, held_returns, total_cost) if n_trades else "",
        _luck(n_trials, deflated_sharpe, is_lost=total_return is None),
        *chances,
        _skill(models),
    ]
    return Verdict(outcome, headline, [reason for reason in reasons if reason])


def verdict_of(report: TearsheetInput) -> Verdict:
    """Judge a report: what its headline says, and why."""
    held = {name: measure_returns(frame)["total_return"] for name, frame in report.baselines.items()}
    return judge(
        report.gates,
        total_return=measure_returns(report.daily)["total_return"],
        held_returns=held,
        n_trades=report.trades.height,
        total_cost=number.amount(sum_costs(report.fills, report.trades).total, report.currency),
        n_trials=report.n_trials,
        deflated_sharpe=deflated_sharpe(report),
        models=by_model(report.model_metrics),
        chances=[
            overfitting_words(report.overfitting, report.n_compared, report.daily.height, filtered=report.is_filtered),
            luck_words(report.luck, traded=not report.trades.is_empty()),
            *flat_words(report.record.policies),
        ],
    )


def deflated_sharpe(report: TearsheetInput) -> float | None:
    """Headline deflated Sharpe ratio: by all variants looked at on these days; None where the account was lost."""
    days = report.daily["daily_return"]
    return None if is_ruined(days) else deflated_sharpe_ratio(days, report.n_trials, report.trial_variance)


def flat_words(policies: pl.DataFrame | None) -> list[str]:
    """Say in how many periods the policy traded nothing, of those with a whole window before them.

    Nothing without a policy, or without such a period.
    """
    if policies is None or policies.is_empty():
        return []
    found = policies.filter("is_complete")["min_confidence"]
    if found.is_empty():
        return ["No policy has a whole window of predictions behind it yet, so nothing was traded."]
    flat = found.null_count()
    return (
        [f"Its policy traded nothing in {number.count(flat)} of {number.count(found.len())} periods."] if flat else []
    )


def overfitting_words(probability: float | None, variants: int, days: int, *, filtered: bool = False) -> str:
    """Say how likely the best variant of one half of the days is to fail in the other, or why that is unknown.

    A policy that is ``filtered`` is not held constant, so that only what was looked at is compared.
    """
    if probability is not None:
        said = number.chance(probability)
        return f"Probability that choosing the best of {variants} variants is overfitting: {said}."
    why = f"its {variants} variants share fewer than {FEWEST_DAYS} days"
    if days < FEWEST_DAYS:
        why = f"{number.days(days)} are fewer than {FEWEST_DAYS}"
    elif variants < FEWEST_VARIANTS:
        held = "policies with a filter are not held constant, and " if filtered else ""
        why = f"{held}{variants} variants are fewer than {FEWEST_VARIANTS}"
    return f"The probability of overfitting is unknown: {why}."


def luck_words(luck: Mapping[str, float | None] | None, *, traded: bool) -> str:
    """Say how many of the random traders the strategy outdid, or why that is unknown.

    Parameters
    ----------
    luck
        As from `nightfold.robustness.luck`; None: nothing is known of them.
    traded
        Whether the strategy ever did.
    """
    place = None if luck is None else luck["percentile"]
    if place is None:
        cut = "limits on all symbols together would cut their trades, or left no other times"
        why = "the backtest kept no record of them" if luck is None else cut if traded else "it never traded"
        return f"How it would stand among random traders is unknown: {why}."
    return (
        f"Of {TRADERS} traders who made the same trades at random times, it did better than "
        f"{number.percent(place, 0)}; luck alone gives half."
    )


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


def _luck(n_trials: int, deflated_sharpe: float | None, *, is_lost: bool) -> str:
    tried = f"{number.count(n_trials)} trial{'s' if n_trials > 1 else ''}"
    if deflated_sharpe is None:
        why = "the account was lost" if is_lost else "returns of days do not vary"
        return f"The deflated Sharpe ratio is unknown: {why}; {tried} on these days."
    if n_trials == 1:
        return f"Probability that the true Sharpe ratio is above 0, with {tried}: {number.chance(deflated_sharpe)}."
    return (
        f"Probability that the Sharpe ratio is more than the luck of the best of {tried}: "
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
    first = name.split()[0]
    return name if first in {"Sharpe", "Macro"} or first.isupper() else name[0].lower() + name[1:]


def _list(words: Sequence[str]) -> str:
    return ", ".join(words)
