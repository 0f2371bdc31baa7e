"""Trials of a search: drawn in batches of fixed size, sifted rung by rung, told in order, kept in a journal.

What a trial is asked depends on the search's seed, its number and the trials before its batch, so neither the number
of fits that run side by side nor a search that was killed and taken up again changes anything.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nightfold.models.contract import ModelSpec
from nightfold.tuning.spec import TuningSpec
from nightfold.tuning.trial import Outcome, Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

Ask = Callable[[Any], ModelSpec]
"""From an Optuna trial to a configuration."""
Measure = Callable[[ModelSpec, int], Outcome]
"""Score a configuration on a rung."""

_SPEC = "spec"
_CREATE_TRIAL, _SET_USER_ATTRIBUTE = 4, 8
"""Codes of entries in Optuna's journal."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """How a search goes: its rules, and what it asks and measures."""

    tuning: TuningSpec
    ask: Ask
    measure: Measure
    seed: int
    workers: int
    read_spec: Callable[[dict[str, Any]], ModelSpec]
    known: dict[tuple[str, int], Outcome] = field(default_factory=dict)
    """Outcomes by configuration and rung: one that is asked again is not fitted again."""


def run_study(course: Course, name: str, journal: Path | None = None) -> list[Trial]:
    """Make all trials, or those which the journal lacks.

    Parameters
    ----------
    course
        The search.
    name
        Of the study; a journal holds one.
    journal
        File that every step is written to, made where it is absent; none: kept in memory.

    Returns
    -------
    list of Trial
        In the order they were asked.
    """
    with _quiet():
        study, storage = _open(name, journal)
        for first in range(0, course.tuning.budget, course.tuning.batch):
            numbers = range(first, min(first + course.tuning.batch, course.tuning.budget))
            for number in numbers:
                _asked(course, study, storage, number)
            _compete(course, study, storage, numbers)
        return [_told(course, trial) for trial in study.get_trials(deepcopy=False)]


def _asked(course: Course, study: "Study", storage: "BaseStorage", number: int) -> None:
    """Ask the next trial, unless the journal has it."""
    if number < len(study.get_trials(deepcopy=False)):
        return
    study.sampler = _sampler(course, number)
    trial = study.ask()
    spec = course.ask(trial)
    storage.set_trial_user_attr(trial._trial_id, _SPEC, spec.model_dump(mode="json"))


def _compete(course: Course, study: "Study", storage: "BaseStorage", numbers: Sequence[int]) -> None:
    """Score a batch rung by rung; one of `reduction` goes on each time, the better first, of equals the earlier."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    alive, pruned = list(numbers), []
    rungs = len(course.tuning.every)
    for rung in range(rungs):
        scores = _climb(course, storage, [trials[number] for number in alive], rung)
        if rung + 1 < rungs:
            ranked = sorted(alive, key=lambda number: (scores[number], number))
            kept = max(1, len(alive) // course.tuning.reduction)
            pruned += ranked[kept:]
            alive = sorted(ranked[:kept])
    study.sampler = _sampler(course, 0, plain=True)
    for number in numbers:
        if trials[number].state.is_finished():
            continue
        if number in pruned:
            study.tell(number, state=TrialState.PRUNED)
        else:
            study.tell(number, scores[number])


def _climb(course: Course, storage: "BaseStorage", trials: "Sequence[FrozenTrial]", rung: int) -> dict[int, float]:
    """Score trials on a rung, several at a time, and write each down in their order."""
    scores = {trial.number: trial.intermediate_values[rung] for trial in trials if rung in trial.intermediate_values}
    open_trials = [trial for trial in trials if trial.number not in scores]
    for trial in trials:
        if trial.number in scores:
            course.known[_configuration(trial), rung] = Outcome(**trial.user_attrs[_outcome(rung)])
    specs = {_configuration(trial): course.read_spec(trial.user_attrs[_SPEC]) for trial in open_trials}
    new = {key: spec for key, spec in specs.items() if (key, rung) not in course.known}
    with ThreadPoolExecutor(course.workers) as pool:
        outcomes = zip(new, pool.map(lambda spec: course.measure(spec, rung), new.values()), strict=True)
        for trial in open_trials:
            while (_configuration(trial), rung) not in course.known:
                key, outcome = next(outcomes)
                course.known[key, rung] = outcome
            outcome = course.known[_configuration(trial), rung]
            scores[trial.number] = outcome.score
            storage.set_trial_user_attr(trial._trial_id, _outcome(rung), outcome.as_json())
            storage.set_trial_intermediate_value(trial._trial_id, rung, outcome.score)
    return scores


def _told(course: Course, trial: "FrozenTrial") -> Trial:
    rung = max(trial.intermediate_values)
    return Trial(
        number=trial.number,
        spec=course.read_spec(trial.user_attrs[_SPEC]),
        state="complete" if trial.state.name == "COMPLETE" else "pruned",
        rung=rung,
        outcome=Outcome(**trial.user_attrs[_outcome(rung)]),
    )


def _sampler(course: Course, number: int, *, plain: bool = False) -> "BaseSampler":
    """Make the sampler of a trial; `plain` while trials are told, when a grid would want to end the search."""
    from optuna.samplers import GridSampler, NSGAIISampler, RandomSampler, TPESampler

    seed = int(np.random.SeedSequence([course.seed, number]).generate_state(1)[0])
    method = "random" if plain else course.tuning.method
    if method == "grid":  # numbers its combinations by a seed of its own, so that must stay the same
        listed = {name: values for name, values in course.tuning.space.items() if isinstance(values, list)}
        return GridSampler(listed, seed=course.seed)
    if method == "genetic":
        return NSGAIISampler(population_size=max(2, course.tuning.batch), seed=seed)
    return TPESampler(seed=seed) if method == "tpe" else RandomSampler(seed)


def _open(name: str, journal: Path | None) -> "tuple[Study, BaseStorage]":
    from optuna import create_study
    from optuna.storages import InMemoryStorage, JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage: BaseStorage = InMemoryStorage()
    if journal is not None:
        journal.parent.mkdir(parents=True, exist_ok=True)
        _cut_back(journal)
        storage = JournalStorage(JournalFileBackend(str(journal)))
    return create_study(storage=storage, study_name=name, load_if_exists=True), storage


def _cut_back(journal: Path) -> None:
    """Drop what a killed search left half done: a lock, a torn line, a trial that was not asked to the end.

    A journal has one writer at a time, so a lock that is found is nobody's.
    """
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if not journal.exists():
        return
    lines = journal.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    begun = None
    for place, entry in enumerate(map(json.loads, lines)):
        if entry["op_code"] == _CREATE_TRIAL:
            begun = place
        elif entry["op_code"] == _SET_USER_ATTRIBUTE and _SPEC in entry["user_attr"]:
            begun = None
    whole = journal.with_name(f"{journal.name}.whole")
    whole.write_bytes(b"".join(lines[:begun]))
    whole.replace(journal)


def _configuration(trial: "FrozenTrial") -> str:
    return json.dumps(trial.user_attrs[_SPEC], sort_keys=True)


def _outcome(rung: int) -> str:
    return f"rung_{rung}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from telling each trial."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
