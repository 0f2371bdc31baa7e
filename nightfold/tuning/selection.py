"""Which trial is chosen: by the scores on inner validation rows alone, and written down where people look."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.models.objective import Objective
from nightfold.tuning.trial import Trial

BEST_CONFIG = "best_config.json"

_CLASSES = {"log_loss": -1, "brier_score": -1, "macro_f1": 1, "accuracy": 1, "direction_gain": 1}
_VALUES = {"rmse": -1, "mae": -1, "r2": 1}
METRICS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "three_class": _CLASSES,
        "binary": _CLASSES,
        "regression": _VALUES,
        "quantile": {"pinball": -1},
        "next_bar": _VALUES | {"confidence_log_loss": -1, "confidence_brier": -1, "confidence_gain": 1},
    }
)
"""What a configuration may be chosen by, per task: 1 where more is better, -1 where less is."""


def direction(metric: str) -> int:
    """Tell whether more (1) or less (-1) of a metric is better.

    Raises
    ------
    UnknownNameError
        If nothing can be chosen by it.

    Examples
    --------
    >>> direction("macro_f1"), direction("pinball_05")
    (1, -1)
    """
    known = {name: sign for metrics in METRICS.values() for name, sign in metrics.items()}
    if metric.startswith("pinball_"):
        return -1
    if metric not in known:
        raise UnknownNameError("metric", metric, known)
    return known[metric]


def check_metric(metric: str, objective: Objective) -> None:
    """See that a metric is one of the task.

    Raises
    ------
    UnknownNameError
        If not.
    """
    levels = [f"pinball_{column[1:]}" for column in objective.columns] if objective.task == "quantile" else []
    known = [*METRICS[objective.task], *levels]
    if metric not in known:
        raise UnknownNameError(f"metric of the task {objective.task}", metric, known)


def select(trials: Sequence[Trial], metric: str) -> Trial:
    """Choose the best of the trials that were run to the end; of equals the first.

    Parameters
    ----------
    trials
        Of one search.
    metric
        One of `METRICS`, or of a quantile such as ``pinball_05``.

    Raises
    ------
    ConfigError
        If no trial has it.
    """
    sign = direction(metric)
    known = [(sign * value, -trial.number, trial) for trial in trials if (value := _value(trial, metric)) is not None]
    if not known:
        raise ConfigError(f"`metric` is {metric}, which none of {len(trials)} trials has; choose by another.")
    return max(known, key=lambda each: each[:2])[2]


def best_so_far(trials: Sequence[Trial], metric: str) -> list[tuple[int, float]]:
    """Each trial that was better than all before it, with its value."""
    steps: list[tuple[int, float]] = []
    sign = direction(metric)
    for trial in trials:
        value = _value(trial, metric)
        if value is not None and (not steps or sign * value > sign * steps[-1][1]):
            steps.append((trial.number, value))
    return steps


def best_config(best: Trial, *, model: str, address: str, as_of: datetime, search: str, trials: int) -> dict[str, Any]:
    """Gather what is known of a configuration in force, as plain JSON data without the time it was made.

    Parameters
    ----------
    best
        The trial chosen.
    model, address
        Name in the model catalog, and where the models fitted with it lie.
    as_of
        The moment that its rows were known before.
    search, trials
        The search behind it, and how many configurations that tried.
    """
    return {
        "model": model,
        "config": best.spec.model_dump(mode="json"),
        "metrics": best.outcome.metrics,
        "rows": best.outcome.rows,
        "model_address": address,
        "date": as_of.isoformat(),
        "search": search,
        "trial": best.number,
        "trials": trials,
    }


def as_text(config: Mapping[str, Any]) -> str:
    """Write `best_config.json`."""
    return json.dumps(config, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _value(trial: Trial, metric: str) -> float | None:
    return trial.outcome.metrics.get(metric) if trial.state == "complete" else None
