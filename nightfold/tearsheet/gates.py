"""What a strategy must reach before anyone should trust it: thresholds people choose, and how it did against them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy.typing as npt
from pydantic import Field, NonNegativeFloat, NonNegativeInt, model_validator

from nightfold.spec import Spec
from nightfold.tearsheet import measures

Relation = Literal["above", "at least", "below"]
Unit = Literal["ratio", "score", "percent", "count"]
GateSet = Literal["standard", "checklist", "active", "models", "ensemble"]
Share = Annotated[float, Field(ge=0, le=1)]
Fall = Annotated[float, Field(gt=0, le=1)]

MACRO_F1 = "Macro F1"

GATE_SETS: Mapping[GateSet, Mapping[str, float]] = MappingProxyType(
    {
        "checklist": {
            "min_win_rate": 0.55,
            "min_sharpe": 1.5,
            "max_drawdown": 0.2,
            "min_trades": 500,
            "min_positive_folds": 0.8,
            "min_fold_return": -0.1,
            "min_years": 2.0,
            "min_regimes": 3,
            "min_crashes": 1,
        },
        "active": {"min_sharpe": 1.5, "min_trades_per_year": 50.0, "max_drawdown": 0.15, "min_win_rate": 0.5},
        "models": {"min_model_f1": 0.35, "min_model_sharpe": 0.3},
        "ensemble": {"min_sharpe": 0.5, "min_profit_factor": 1.3},
    }
)
"""What each set beside `standard` asks for; the defaults of `Gates` are the standard one."""


class Gates(Spec):
    """Thresholds of the verdict; all are judged after costs and on out-of-sample days.

    A threshold that stands in the file takes the place of the set's; null leaves a gate out.
    """

    set: GateSet = "standard"
    """Which gates are asked.

    `standard`: the defaults below; `checklist`: win rate, Sharpe ratio, drawdown, 500 trades, consistent windows, two
    years, several regimes, a crash; `active`: Sharpe ratio, 50 trades a year, drawdown, win rate; `models`: macro F1
    and Sharpe ratio of each model; `ensemble`: Sharpe ratio and profit factor.
    """
    min_macro_f1: Share | None = 0.35
    """Macro F1 of the forecasts must be above it; the value that chance reaches is shown beside."""
    min_sharpe: float | None = 0.5
    """Annual Sharpe ratio must be above it."""
    min_deflated_sharpe: Share | None = 0.9
    """Probability that the Sharpe ratio is more than the luck of the best trial must be above it."""
    max_drawdown: Fall | None = 0.2
    """The largest fall from a peak must be smaller, as a fraction of that peak."""
    min_profit_factor: NonNegativeFloat | None = 1.3
    """Sum of profits over sum of losses must be above it."""
    min_trades: NonNegativeInt | None = 100
    """Closed trades there must be at least; fewer prove nothing."""
    min_positive_folds: Share | None = 0.8
    """Share of as-of windows with a positive return there must be at least."""
    min_fold_return: Annotated[float, Field(ge=-1)] | None = -0.1
    """No as-of window may return less."""
    min_win_rate: Share | None = None
    """Share of closed trades with a profit must be above it."""
    min_trades_per_year: NonNegativeFloat | None = None
    """Closed trades a year there must be at least."""
    min_years: NonNegativeFloat | None = None
    """Years of out-of-sample days there must be at least."""
    min_regimes: Annotated[int, Field(ge=0, le=3)] | None = None
    """Of bull, bear and range so many must each have lasted 30 days or more."""
    min_crashes: NonNegativeInt | None = None
    """Falls of 20 % within 24 hours there must be at least."""
    max_overfitting: Fall | None = None
    """Probability of backtest overfitting must be below it."""
    min_model_f1: Share | None = None
    """Macro F1 of each model must be above it."""
    min_model_sharpe: float | None = None
    """Annual Sharpe ratio of trading each model alone must be above it."""

    @model_validator(mode="before")
    @classmethod
    def _take_the_sets(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("set") not in GATE_SETS:
            return value
        none = dict.fromkeys(name for name in cls.model_fields if name != "set")
        return {**none, **GATE_SETS[value["set"]], **value}


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
    relation: Relation = "above"
    unit: Unit = "ratio"


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What one model did alone: its forecasts, and an account that traded only them; None where unknown."""

    macro_f1: float | None
    chance_f1: float | None
    sharpe: float | None
    is_lost: bool = False


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
    overfitting: float | None = None,
    regimes: int | None = None,
    crashes: int | None = None,
    models: Mapping[str, ModelRecord] = MappingProxyType({}),
    has_classes: bool = True,
) -> list[Gate]:
    """Hold what was found against every gate that is asked.

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
    overfitting
        See `nightfold.tearsheet.measures.probability_of_overfitting`.
    regimes, crashes
        See `nightfold.tearsheet.regime.regimes_lived` and `nightfold.tearsheet.regime.count_crashes`.
    models
        What each model did alone, by name.
    has_classes
        Whether classes are forecast; forecasts of values have no F1, so that the gates on it are left out, and those
        beside them say so.

    Returns
    -------
    list of Gate
        In the order in which they are read; those that cannot be known are neither passed nor failed.
    """
    trades, folds = list(_numbers(trade_profits)), list(_numbers(fold_returns))
    f1 = gates if has_classes else gates.model_copy(update={"min_macro_f1": None, "min_model_f1": None})
    return [
        *_return_gates(gates, daily_returns, n_trials, trial_variance),
        *_judge("Overfitting", overfitting, gates.max_overfitting, "no variants", "below", "score"),
        *_trade_gates(gates, trades, len(_numbers(daily_returns)) / measures.DAYS_PER_YEAR),
        *_fold_gates(gates, folds),
        *_judge("Market regimes", regimes, gates.min_regimes, "no bars", "at least", "count"),
        *_judge("Crashes", crashes, gates.min_crashes, "no bars", "at least", "count"),
        *_judge(MACRO_F1, macro_f1, f1.min_macro_f1, _chance_note(chance_f1), unit="score"),
        *_model_gates(f1, models, "" if has_classes else "; forecasts of values have no F1"),
    ]


def _return_gates(
    gates: Gates, daily_returns: npt.ArrayLike, n_trials: int, trial_variance: float | None
) -> list[Gate]:
    if measures.is_ruined(daily_returns):
        return [replace(gate, passed=False, note="the account was lost") for gate in _lost(gates)]
    sharpe = measures.sharpe_ratio(daily_returns)
    deflated = measures.deflated_sharpe_ratio(daily_returns, n_trials, trial_variance)
    tried = f"{n_trials} trial{'s' if n_trials > 1 else ''}"
    still = "equity never moved"
    return [
        *_judge("Sharpe ratio", sharpe, gates.min_sharpe, still if sharpe is None else "after costs"),
        *_judge(
            "Deflated Sharpe ratio",
            deflated,
            gates.min_deflated_sharpe,
            still if deflated is None else tried,
            unit="score",
        ),
        *_judge(
            "Largest drawdown", measures.max_drawdown(daily_returns), _negative(gates.max_drawdown), unit="percent"
        ),
    ]


def _lost(gates: Gates) -> list[Gate]:
    return [
        *_judge("Sharpe ratio", None, gates.min_sharpe),
        *_judge("Deflated Sharpe ratio", None, gates.min_deflated_sharpe, unit="score"),
        *_judge("Largest drawdown", -1.0, _negative(gates.max_drawdown), unit="percent"),
    ]


def _trade_gates(gates: Gates, trades: Sequence[float], years: float) -> list[Gate]:
    factor, wins = measures.profit_factor(trades), measures.win_rate(trades)
    a_year = len(trades) / years if years else None
    return [
        *_judge("Profit factor", factor, gates.min_profit_factor, "" if factor is not None else _no_factor(trades)),
        *_judge("Win rate", wins, gates.min_win_rate, "" if trades else "no trades", unit="percent"),
        *_judge("Closed trades", len(trades), gates.min_trades, relation="at least", unit="count"),
        *_judge("Trades a year", a_year, gates.min_trades_per_year, "" if years else "no days", "at least"),
        *_judge("Years", years, gates.min_years, "out of sample", "at least"),
    ]


def _fold_gates(gates: Gates, folds: Sequence[float]) -> list[Gate]:
    positive = sum(fold > 0 for fold in folds) / len(folds) if folds else None
    note = "" if folds else "no as-of window"
    return [
        *_judge("Windows with a gain", positive, gates.min_positive_folds, note, "at least", "percent"),
        *_judge("Worst window", min(folds, default=None), gates.min_fold_return, note, "at least", "percent"),
    ]


def _model_gates(gates: Gates, models: Mapping[str, ModelRecord], lacking: str) -> list[Gate]:
    if not models:
        return [
            *_judge(f"{MACRO_F1} of each model", None, gates.min_model_f1, "no model was scored", unit="score"),
            *_judge("Sharpe ratio of each model", None, gates.min_model_sharpe, "no model was traded alone"),
        ]
    return [
        gate
        for name, record in models.items()
        for gate in (
            *_judge(
                f"{MACRO_F1} of {name}",
                record.macro_f1,
                gates.min_model_f1,
                _chance_note(record.chance_f1),
                unit="score",
            ),
            *_model_sharpe(name, record, gates.min_model_sharpe, lacking),
        )
    ]


def _model_sharpe(name: str, record: ModelRecord, threshold: float | None, lacking: str) -> list[Gate]:
    found = "traded alone, after costs" if record.sharpe is not None else "traded alone, its equity never moved"
    note = "traded alone, its account was lost" if record.is_lost else found
    judged = _judge(f"Sharpe ratio of {name}", record.sharpe, threshold, f"{note}{lacking}")
    return [replace(gate, passed=False) for gate in judged] if record.is_lost else judged


def _judge(
    name: str,
    value: float | None,
    threshold: float | None,
    note: str = "",
    relation: Relation = "above",
    unit: Unit = "ratio",
) -> list[Gate]:
    """Return one gate, or none where it is not asked."""
    if threshold is None:
        return []
    if value is None:
        return [Gate(name, None, threshold, None, note, relation, unit)]
    passes = {"above": value > threshold, "at least": value >= threshold, "below": value < threshold}
    return [Gate(name, value, threshold, passes[relation], note, relation, unit)]


def _negative(threshold: float | None) -> float | None:
    return None if threshold is None else -threshold


def _numbers(values: npt.ArrayLike) -> Sequence[float]:
    numbers: list[float] = measures.finite(values, "values").tolist()
    return numbers


def _no_factor(trades: Sequence[float]) -> str:
    return "no losing trade" if trades else "no trades"


def _chance_note(chance: float | None) -> str:
    return "" if chance is None else f"chance reaches {chance:.3f}"
