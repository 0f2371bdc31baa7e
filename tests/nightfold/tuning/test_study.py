"""Trials of a search: same result with any number of workers, and after being killed at any point."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nightfold.models.contract import ModelSpec
from nightfold.tuning.spec import TuningSpec
from nightfold.tuning.study import Course, run_study
from nightfold.tuning.trial import Outcome, Trial


class Point(ModelSpec):
    """A place on a plane."""

    x: float = 0.0
    y: int = 0


def ask(trial: Any) -> Point:
    return Point(x=trial.suggest_float("x", -1, 1), y=trial.suggest_int("y", 0, 9))


def ask_listed(trial: Any) -> Point:
    return Point(x=trial.suggest_categorical("x", [0.0, 0.5, 1.0]), y=trial.suggest_categorical("y", [1, 2]))


def loss(point: ModelSpec, rung: int) -> float:
    """Measure the depth of a bowl; early rungs are off by a little that differs from place to place."""
    assert isinstance(point, Point)
    return (point.x - 0.3) ** 2 + 0.1 * (point.y - 4) ** 2 + 0.05 * (2 - rung) * (point.x * 7 % 1)


class Bowl:
    """Measures places, and counts how often."""

    def __init__(self, pause: float = 0.0) -> None:
        self.calls: list[tuple[Point, int]] = []
        self.pause = pause
        self.at_once = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, point: ModelSpec, rung: int) -> Outcome:
        assert isinstance(point, Point)
        with self.lock:
            self.calls.append((point, rung))
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(self.pause)
        with self.lock:
            self.at_once -= 1
        value = loss(point, rung)
        return Outcome(value, {"log_loss": value, "macro_f1": None}, 10, 19_700, [value, 0.0])


def make_course(
    tuning: TuningSpec, bowl: Bowl, *, seed: int = 3, workers: int = 1, ask: Callable[[Any], Point] = ask
) -> Course:
    return Course(tuning, ask, bowl, seed, workers, Point.model_validate)


HALVED = TuningSpec(method="tpe", trials=14, batch=6, rungs=2, reduction=3)


@pytest.mark.parametrize("method", ["random", "tpe", "genetic", "grid"])
def test_the_result_does_not_depend_on_the_number_of_workers(method: str) -> None:
    space = {"x": [0.0, 0.5, 1.0], "y": [1, 2]} if method == "grid" else {}
    tuning = TuningSpec(method=method, trials=14, batch=5, space=space)
    asking = ask_listed if method == "grid" else ask
    alone, crowd = Bowl(), Bowl(pause=0.002)
    one = run_study(make_course(tuning, alone, ask=asking), "s")
    other = run_study(make_course(tuning, crowd, workers=4, ask=asking), "s")
    assert one == other
    assert alone.most == 1 < crowd.most


def test_another_seed_asks_otherwise_and_the_same_seed_the_same() -> None:
    first, again, other = (run_study(make_course(HALVED, Bowl(), seed=seed), "s") for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_of_a_batch_one_in_so_many_goes_on_and_the_others_are_pruned_with_their_early_score() -> None:
    bowl = Bowl()
    trials = run_study(make_course(HALVED, bowl), "s")
    assert [trial.number for trial in trials] == list(range(14))
    for batch in (trials[:6], trials[6:12], trials[12:]):
        early = {trial.number: loss(trial.spec, 0) for trial in batch}
        best = sorted(early, key=lambda number: early[number])[: 2 if len(batch) == 6 else 1]
        assert {trial.number for trial in batch if trial.state == "complete"} == set(best)
        for trial in batch:
            assert trial.rung == (trial.number in best)
            assert trial.outcome.score == loss(trial.spec, trial.rung)
    assert len(bowl.calls) == 14 + 5


def test_a_grid_tries_every_combination_once() -> None:
    tuning = TuningSpec(method="grid", trials=50, batch=4, rungs=1, space={"x": [0.0, 0.5, 1.0], "y": [1, 2]})
    trials = run_study(make_course(tuning, Bowl(), ask=ask_listed), "s")
    places = [(trial.spec.x, trial.spec.y) for trial in trials]  # type: ignore[attr-defined]
    assert sorted(places) == [(x, y) for x in (0.0, 0.5, 1.0) for y in (1, 2)]


def test_what_is_asked_again_is_not_measured_again() -> None:
    tuning = TuningSpec(method="random", trials=30, batch=5, rungs=1)
    bowl = Bowl()
    trials = run_study(make_course(tuning, bowl, ask=ask_listed), "s")
    assert len(trials) == 30
    assert len(bowl.calls) == len({(trial.spec.fingerprint) for trial in trials}) == 6


@pytest.mark.parametrize("method", ["tpe", "genetic"])
def test_later_batches_learn_from_earlier_ones(method: str) -> None:
    tuning = TuningSpec(method=method, trials=72, batch=12, rungs=1)
    trials = run_study(make_course(tuning, Bowl()), "s")

    def mean(part: list[Trial]) -> float:
        return sum(trial.outcome.score for trial in part) / len(part)

    assert mean(trials[36:]) < 0.5 * mean(trials[:12])


@pytest.mark.parametrize(("method", "step"), [("tpe", 1), ("genetic", 5), ("grid", 5), ("random", 5)])
def test_a_search_killed_at_any_line_of_its_journal_ends_as_if_it_had_not_been(
    tmp_path: Path, method: str, step: int
) -> None:
    space = {"x": [0.0, 0.5, 1.0], "y": [1, 2]} if method == "grid" else {}
    tuning = TuningSpec(method=method, trials=4, batch=2, rungs=1 if method == "genetic" else 2, space=space)
    asking = ask_listed if method == "grid" else ask
    whole = tmp_path / "whole.journal"
    bowl = Bowl()
    expected = run_study(make_course(tuning, bowl, ask=asking), "s", whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    assert len(lines) > 20
    for count in range(0, len(lines), step):
        journal = tmp_path / f"{count}.journal"
        journal.write_bytes(b"".join(lines[:count]) + lines[count][: len(lines[count]) // 2 * (count % 2)])
        (tmp_path / f"{count}.journal.lock").symlink_to(journal)
        rest = Bowl()
        assert run_study(make_course(tuning, rest, ask=asking), "s", journal) == expected
        measured = sum(b'"rung_' in line for line in lines[:count])
        assert len(rest.calls) <= len(bowl.calls) - measured + 1


def test_a_finished_search_is_read_and_not_made_again(tmp_path: Path) -> None:
    journal = tmp_path / "deep" / "s.journal"
    expected = run_study(make_course(HALVED, Bowl()), "s", journal)
    idle = Bowl()
    assert run_study(make_course(HALVED, idle), "s", journal) == expected
    assert not idle.calls
