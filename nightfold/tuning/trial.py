"""One configuration scored on the inner folds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from nightfold.errors import ConfigError
from nightfold.models.catalog import ModelEntry
from nightfold.models.contract import ModelSpec, corrected, correction
from nightfold.models.dataset import Dataset
from nightfold.models.score import score_beside_constant
from nightfold.models.window import Windows
from nightfold.tuning.fold import FoldRows, TuningRows
from nightfold.tuning.reference import Days, daily_returns, series, sides

State = Literal["complete", "pruned"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured of a configuration on one rung, as plain JSON data.

    Parameters
    ----------
    score
        The task's proper score; lower is better.
    metrics
        All measures of the task, each the mean over the folds; None where a fold has none.
    rows
        Rows scored.
    first_day, daily_returns
        Days from 1970 to the first of the reference policy's returns, and a return for each day from there on; none
        where returns are not known.
    """

    score: float
    metrics: dict[str, float | None]
    rows: int
    first_day: int | None
    daily_returns: list[float]

    def as_json(self) -> dict[str, Any]:
        """Return the values by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration that was tried."""

    number: int
    spec: ModelSpec
    state: State
    """`pruned`: it lost against others of its batch before the last rung, and was not scored on all rows."""
    rung: int
    """The last one it was scored on, from 0."""
    outcome: Outcome
    """What was measured there."""


def measure(entry: ModelEntry, spec: ModelSpec, table: TuningRows, folds: Sequence[FoldRows], seed: int) -> Outcome:
    """Fit a configuration on each fold and score its forecasts of the rows it has not seen."""
    metric = table.rows.objective.metric
    measured: list[Mapping[str, float | None]] = []
    days: Days = {}
    for fold in folds:
        model = entry.model(spec, seed)
        model.shared = fold.shared
        train, test = _windowed(fold.train, model.window), _windowed(fold.test, model.window)
        model.fit(train, None if fold.stopping is None else _windowed(fold.stopping, model.window))
        prediction = corrected(model.predict(test.features), correction(train))
        measured.append(score_beside_constant(prediction, train, test))
        if table.log_return is not None:
            side = sides(table.rows.objective, prediction)
            ends = table.label_end[fold.test_rows].dt.epoch("ms").to_numpy()
            stake = 1.0 / (table.horizon * table.symbols)
            for day, earned in daily_returns(side, table.log_return[fold.test_rows], ends, stake).items():
                days[day] = days.get(day, 0.0) + earned
    metrics = {name: _mean([scores[name] for scores in measured]) for name in measured[0] if name != "rows"}
    score = metrics[metric]
    if score is None:
        raise ConfigError(f"an inner fold of {entry.name} has no {metric}; ask for fewer folds, or a longer history.")
    return Outcome(score, metrics, sum(len(fold.test) for fold in folds), *series(days))


def _windowed(rows: Dataset, length: int | None) -> Dataset:
    """Shorten windows to those that a configuration looks at."""
    features = rows.features
    if length is None or not isinstance(features, Windows) or length >= features.length:
        return rows
    return replace(rows, features=replace(features, length=length))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
