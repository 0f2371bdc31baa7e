"""Which trial is chosen, and what is written of it."""

import json
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np
import pytest

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.models.contract import ModelSpec
from nightfold.models.objective import Objective, Task
from nightfold.models.score import score
from nightfold.tuning.selection import METRICS, as_text, best_config, best_so_far, check_metric, select
from nightfold.tuning.trial import Outcome, Trial


class Plain(ModelSpec):
    """One number."""

    x: int = 0


def trial(number: int, state: str = "complete", **metrics: float | None) -> Trial:
    return made(number, metrics, state)


def made(number: int, metrics: dict[str, float | None], state: str = "complete") -> Trial:
    outcome = Outcome(0.0, metrics, 100, None, [])
    return Trial(number, Plain(x=number), state, 0, outcome)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("log_loss", 1), ("macro_f1", 2), ("rmse", 1), ("mae", 1), ("r2", 2), ("pinball", 1), ("pinball_05", 1)],
)
def test_less_of_a_loss_and_more_of_a_score_is_better(metric: str, expected: int) -> None:
    trials = [made(number, {metric: value}) for number, value in enumerate([0.5, 0.2, 0.9, 0.2, 0.9])]
    assert select(trials, metric).number == expected


def test_only_trials_run_to_the_end_are_chosen_from_and_only_those_that_have_the_metric() -> None:
    trials = [trial(0, "pruned", log_loss=0.1), trial(1, log_loss=None), trial(2, log_loss=0.7)]
    assert select(trials, "log_loss").number == 2
    with pytest.raises(ConfigError, match="none of 2 trials has"):
        select(trials[:2], "log_loss")


def test_an_unknown_metric_is_refused_with_the_close_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean log_loss"):
        select([trial(0, logloss=0.3)], "logloss")
    with pytest.raises(UnknownNameError, match="metric of the task regression `log_loss` is unknown"):
        check_metric("log_loss", Objective(task="regression"))
    check_metric("pinball_95", Objective(task="quantile"))
    with pytest.raises(UnknownNameError):
        check_metric("pinball_90", Objective(task="quantile"))


@pytest.mark.parametrize("task", [*get_args(Task)])
def test_a_task_can_be_searched_by_its_proper_score_and_by_measures_it_has(task: Task) -> None:
    objective = Objective(task=task)
    check_metric(objective.metric, objective)
    rows, width = 50, len(objective.columns)
    label = np.resize(objective.classes or [-0.5, 0.25, 1.0], rows)
    found = score(objective, np.full((rows, width), 1 / width), label)
    assert METRICS[task].keys() <= found.keys()


def test_the_next_bar_is_chosen_by_its_change_or_its_confidence() -> None:
    check_metric("confidence_log_loss", Objective(task="next_bar"))
    trials = [made(n, {"confidence_gain": value}) for n, value in enumerate([0.1, 0.3])]
    assert select(trials, "confidence_gain").number == 1
    trials = [made(n, {"confidence_brier": value}) for n, value in enumerate([0.1, 0.3])]
    assert select(trials, "confidence_brier").number == 0


def test_the_best_so_far_steps_where_a_whole_trial_is_better() -> None:
    trials = [trial(0, log_loss=0.9), trial(1, "pruned", log_loss=0.1), trial(2, log_loss=0.9), trial(3, log_loss=0.8)]
    assert best_so_far(trials, "log_loss") == [(0, 0.9), (3, 0.8)]


def test_the_best_configuration_is_written_with_metrics_address_and_date_and_no_clock() -> None:
    def write() -> dict[str, Any]:
        config = best_config(
            trial(4, log_loss=0.5, macro_f1=None),
            model="lightgbm",
            address="baseline/lightgbm/universe=pooled/2024-02-01",
            as_of=datetime(2024, 2, 1, tzinfo=UTC),
            search="abc",
            trials=30,
        )
        return dict(json.loads(as_text(config)))

    assert write() == {
        "config": {"x": 4},
        "date": "2024-02-01T00:00:00+00:00",
        "metrics": {"log_loss": 0.5, "macro_f1": None},
        "model": "lightgbm",
        "model_address": "baseline/lightgbm/universe=pooled/2024-02-01",
        "rows": 100,
        "search": "abc",
        "trial": 4,
        "trials": 30,
    }
