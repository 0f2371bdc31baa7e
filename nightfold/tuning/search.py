"""A search for the settings of one model: what was tried, and what was chosen."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nightfold.errors import ConfigError
from nightfold.models.catalog import ModelEntry
from nightfold.models.contract import ModelSpec, require_task
from nightfold.models.window import Windows
from nightfold.spec import fingerprint
from nightfold.tuning.fold import FoldRows, TuningRows, fold_rows, inner_folds
from nightfold.tuning.selection import select
from nightfold.tuning.space import ask, check_space, longest_window
from nightfold.tuning.spec import TuningSpec
from nightfold.tuning.study import Course, run_study
from nightfold.tuning.trial import Outcome, Trial, measure


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found.

    Parameters
    ----------
    id
        Sixteen hex digits of model, settings, rules and rows: the same search has the same.
    metric
        What `best` was chosen by.
    trials
        In the order they were asked.
    best
        The trial chosen.
    """

    id: str
    metric: str
    trials: tuple[Trial, ...]
    best: Trial


def tune(
    entry: ModelEntry,
    spec: ModelSpec,
    tuning: TuningSpec,
    table: TuningRows,
    *,
    purge: int,
    embargo: int,
    seed: int = 0,
    workers: int = 1,
    journal: Path | None = None,
) -> Search:
    """Search the settings of a model on inner folds of the rows it is given.

    Parameters
    ----------
    entry, spec
        A catalog entry, and the settings of those parameters which the search does not vary.
    tuning
        Method, budget, space, folds and halving.
    table
        Rows known before the as-of; nothing else is looked at.
    purge, embargo
        Bars between the parts of inner folds; labels that reach over a border go anyway.
    seed
        Start of every random choice.
    workers
        Fits that run side by side; the result does not depend on it.
    journal
        Folder for the study's journal, named after the search: one that was killed is taken up where it stood. None:
        in memory.

    Raises
    ------
    ConfigError
        If the space does not fit the model, the model lacks the task, rows are too few, or their windows shorter than
        the longest of the search.
    """
    check_space(entry, spec, tuning)
    require_task(entry.name, entry.capabilities, table.rows.objective.task)
    _require_window(longest_window(entry, spec, tuning), table)
    folds = inner_folds(table, tuning, purge, embargo, stops=entry.capabilities.early_stopping)
    name = search_id(entry, spec, tuning, table, purge=purge, embargo=embargo, seed=seed)

    @cache
    def rows_of(rung: int) -> list[FoldRows]:
        return [fold_rows(table, fold, tuning.every[rung]) for fold in folds]

    def score(candidate: ModelSpec, rung: int) -> Outcome:
        return measure(entry, candidate, table, rows_of(rung), seed)

    for rung in range(len(tuning.every)):  # made before fits run side by side, and refused before the first of them
        rows_of(rung)
    course = Course(
        tuning=tuning,
        ask=lambda trial: ask(entry, spec, tuning, trial),
        measure=score,
        seed=seed,
        workers=workers,
        read_spec=type(spec).model_validate,
    )
    trials = run_study(course, name, None if journal is None else journal / f"{name}.journal")
    metric = tuning.metric or table.rows.objective.metric
    return Search(name, metric, tuple(trials), select(trials, metric))


def _require_window(longest: int | None, table: TuningRows) -> None:
    features = table.rows.features
    found = features.length if isinstance(features, Windows) else None
    if longest is not None and (found or 1) < longest:
        raise ConfigError(
            f"the search tries a `window` of {longest} bars and was given windows of {found or 1}; all trials are "
            "scored on the same rows, so cut them for the longest window that is tried."
        )


def search_id(
    entry: ModelEntry, spec: ModelSpec, tuning: TuningSpec, table: TuningRows, *, purge: int, embargo: int, seed: int
) -> str:
    """Name a search by everything its result depends on but our own code."""
    settings: dict[str, Any] = {
        "model": entry.name,
        "spec": spec.model_dump(mode="json"),
        "tuning": tuning.model_dump(mode="json"),
    }
    settings |= {"libraries": {library: version(library) for library in entry.model.libraries}}
    return fingerprint({**settings, "rows": table.fingerprint, "gaps": [purge, embargo], "seed": seed})
