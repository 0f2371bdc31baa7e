"""What a strategy must reach before anyone should trust it: thresholds people choose, and how it did against them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy.typing as npt
from pydantic import Field, NonNegativeFloat, NonNegativeInt

from nightfold.spec import Spec
from nightfold.tearsheet import measures

Unit = Literal["ratio", "score", "percent", "count"]


MACRO_F1 = "Macro F1"


class Gates(Spec):
    """Thresholds of the verdict; all are judged after costs and on out-of-sample days."""

    min_macro_f1: float = Field(default=0.35, ge=0, le=1)
    """Macro F1 of the forecasts must be above it; the value that chance reaches is shown beside."""
    min_sharpe: float = 0.5
    """Annual Sharpe ratio must be above it."""
    min_deflated_sharpe: float = Field(default=0.9, ge=0, le=1)
    """Probability that the Sharpe ratio is more than the luck of the best trial must be above it."""
    max_drawdown: float = Field(default=0.2, gt=0, le=1)
    """The largest fall from a peak must be smaller, as a fraction of that peak."""
    min_profit_factor: NonNegativeFloat = 1.3
    """Sum of profits over sum of losses must be above it."""
    min_trades: NonNegativeInt = 100
    """Closed trades there must be at least; fewer prove nothing."""
    min_positive_folds: float = Field(default=0.8, ge=0, le=1)
    """Share of as-of windows with a positive return there must be at least."""
    min_fold_return: float = Field(default=-0.1, ge=-1)
    """No as-of window may return less."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One threshold and how it was met.

    Parameters
    ----------
    name
        What is measured, in words.
    value
        What was found; None where it cannot be known.
    threshold
        What was asked for.
    passed
        None where the value is unknown.
    note
        What a reader should know beside it; may be empty.
    relation
        How a passing value stands to the threshold.
    unit
        How value and threshold are written; a score lies within 0 and 1.
    """

    name: str
    value: float | None
    threshold: float
    passed: bool | None
    note: str = ""
    relation: Literal["above", "at least"] = "above"
    unit: Unit = "ratio"


def evaluate_gates(
    gates: Gates,
    *,
    daily_returns: npt.ArrayLike,
    trade_profits: npt.ArrayLike,
    fold_returns: npt.ArrayLike,
    macro_f1: float | None,
    chance_f1: float | None,
    n_trials: int = 1,
    trial_variance: float | None = None,
) -> list[Gate]:
    """Hold what was found against every gate.

    Parameters
    ----------
    gates
        The thresholds.
    daily_returns
        Simple returns by UTC day, after costs. A day that lost everything fails the gates on returns.
    trade_profits
        Profits of the closed trades, after fees and funding.
    fold_returns
        Returns of the as-of windows, see `nightfold.tearsheet.summary.fold_returns`.
    macro_f1, chance_f1
        Of the forecasts that were traded, and of the same forecasts dealt out at random.
    n_trials, trial_variance
        Variants looked at on this range, and the variance of their daily Sharpe ratios; see
        `nightfold.tearsheet.measures.deflated_sharpe_ratio`.

    Returns
    -------
    list of Gate
        In the order in which they are read; those that cannot be known are neither passed nor failed.
    """
    trades, folds = list(_numbers(trade_profits)), list(_numbers(fold_returns))
    factor = measures.profit_factor(trades)
    positive = sum(fold > 0 for fold in folds) / len(folds) if folds else None
    no_folds = "" if folds else "no as-of window"
    return [
        *_return_gates(gates, daily_returns, n_trials, trial_variance),
        _judge("Profit factor", factor, gates.min_profit_factor, "" if factor is not None else _no_factor(trades)),
        _judge("Closed trades", len(trades), gates.min_trades, relation="at least", unit="count"),
        _judge(
            "Windows with a gain", positive, gates.min_positive_folds, no_folds, relation="at least", unit="percent"
        ),
        _judge(
            "Worst window",
            min(folds, default=None),
            gates.min_fold_return,
            no_folds,
            relation="at least",
            unit="percent",
        ),
        _judge(MACRO_F1, macro_f1, gates.min_macro_f1, _chance_note(chance_f1), unit="score"),
    ]


def _return_gates(
    gates: Gates, daily_returns: npt.ArrayLike, n_trials: int, trial_variance: float | None
) -> list[Gate]:
    if measures.is_ruined(daily_returns):
        lost = [
            Gate("Sharpe ratio", None, gates.min_sharpe, passed=False),
            Gate("Deflated Sharpe ratio", None, gates.min_deflated_sharpe, passed=False, unit="score"),
            Gate("Largest drawdown", -1.0, -gates.max_drawdown, passed=False, unit="percent"),
        ]
        return [replace(gate, note="the account was lost") for gate in lost]
    sharpe = measures.sharpe_ratio(daily_returns)
    deflated = measures.deflated_sharpe_ratio(daily_returns, n_trials, trial_variance)
    tried = f"{n_trials} trial{'s' if n_trials > 1 else ''}"
    still = "equity never moved"
    return [
        _judge("Sharpe ratio", sharpe, gates.min_sharpe, still if sharpe is None else "after costs"),
        _judge(
            "Deflated Sharpe ratio",
            deflated,
            gates.min_deflated_sharpe,
            still if deflated is None else tried,
            unit="score",
        ),
        _judge("Largest drawdown", measures.max_drawdown(daily_returns), -gates.max_drawdown, unit="percent"),
    ]


def _judge(
    name: str,
    value: float | None,
    threshold: float,
    note: str = "",
    relation: Literal["above", "at least"] = "above",
    unit: Unit = "ratio",
) -> Gate:
    if value is None:
        return Gate(name, None, threshold, None, note, relation, unit)
    passed = value > threshold if relation == "above" else value >= threshold
    return Gate(name, value, threshold, passed, note, relation, unit)


def _numbers(values: npt.ArrayLike) -> Sequence[float]:
    numbers: list[float] = measures.finite(values, "values").tolist()
    return numbers


def _no_factor(trades: Sequence[float]) -> str:
    return "no losing trade" if trades else "no trades"


def _chance_note(chance: float | None) -> str:
    return "" if chance is None else f"chance reaches {chance:.3f}"
