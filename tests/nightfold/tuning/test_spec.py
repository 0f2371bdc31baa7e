"""What a file may say of a search."""

from contextlib import nullcontext
from typing import Any

import pytest
from pydantic import ValidationError

from nightfold.errors import ConfigError
from nightfold.models.catalog import MODELS
from nightfold.models.contract import ModelSpec
from nightfold.tuning.space import MOST, ask, candidates, check_space, longest_window
from nightfold.tuning.spec import Range, TuningSpec

LIGHTGBM = MODELS["lightgbm"]
GRID = {
    "learning_rate": [0.05, 0.1, 0.2],
    "leaves": [15, 31, 63],
    "depth": [3, 6, 9],
    "min_data_in_leaf": [50, 100, 200],
}


class Fixed:
    """A trial that answers with the upper end or the last value, and records what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, object] = {}

    def suggest_categorical(self, name: str, values: list[object]) -> object:
        self.asked[name] = values
        return values[-1]

    def suggest_int(self, name: str, low: int, high: int, log: bool = False) -> int:
        self.asked[name] = (int, low, high, log)
        return high

    def suggest_float(self, name: str, low: float, high: float, log: bool = False) -> float:
        self.asked[name] = (float, low, high, log)
        return high


def test_the_example_grid_has_81_combinations_and_is_accepted() -> None:
    tuning = TuningSpec(method="grid", trials=100, space=GRID)
    for name in ("lightgbm", "xgboost", "catboost"):
        check_space(MODELS[name], MODELS[name].spec(), tuning)
        tried = [spec.model_dump(include=set(GRID)) for spec in candidates(MODELS[name], MODELS[name].spec(), tuning)]
        assert len({tuple(each.values()) for each in tried}) == len(tried) == 81
    assert tuning.budget == 81
    assert TuningSpec(method="grid", trials=30, space=GRID).budget == 30


def test_each_rung_looks_at_as_many_times_the_rows_as_one_trial_in_so_many_goes_on() -> None:
    assert TuningSpec(rungs=2, reduction=4).every == [4, 1]
    assert TuningSpec(rungs=1).every == [1]
    assert TuningSpec(method="genetic").every == [1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "grid"}, "`space` is empty; a grid needs a list"),
        ({"method": "grid", "space": {"leaves": {"low": 3, "high": 9}}}, "leaves is a range; a grid needs a list"),
        ({"method": "genetic", "rungs": 2}, "`rungs` is 2; `genetic` breeds from whole scores"),
        ({"scheme": "purged_kfold", "folds": 1}, "`folds` is 1"),
        ({"space": {"leaves": {"low": 9, "high": 3}}}, "a range runs from 9 to 3; it must ascend"),
        ({"space": {"l2": {"low": 0, "high": 3, "log": True}}}, "it must ascend above 0"),
        ({"space": {"leaves": []}}, "at least 1 item"),
        ({"method": "annealing"}, "'grid', 'random', 'tpe' or 'genetic'"),
    ],
)
def test_rules_that_cannot_work_are_refused_with_the_reason(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, ValidationError), match="(?s).*" + message.replace("(", r"\(")):
        TuningSpec.model_validate(settings)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"leafs": [15]}, "setting of `lightgbm` `leafs` is unknown; did you mean leaves"),
        ({"leaves": [15, 1]}, "`space.leaves` has 1, which `lightgbm` refuses: .*greater than or equal to 2"),
        ({"feature_fraction": {"low": 0.5, "high": 1.5}}, "`space.feature_fraction` has 1.5"),
    ],
)
def test_a_space_that_does_not_fit_the_model_is_refused_before_anything_is_fitted(
    space: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_space(LIGHTGBM, LIGHTGBM.spec(), TuningSpec(space=space))


def test_a_model_without_a_space_of_its_own_cannot_be_tuned_without_one() -> None:
    with pytest.raises(ConfigError, match="`class_frequencies` has nothing to vary of its own"):
        check_space(MODELS["class_frequencies"], MODELS["class_frequencies"].spec(), TuningSpec())


@pytest.mark.parametrize("name", [name for name, entry in MODELS.items() if entry.family != "baseline"])
def test_every_learner_suggests_something_of_its_own(name: str) -> None:
    check_space(MODELS[name], MODELS[name].spec(), TuningSpec())


TIED = [
    ("catboost", {}, {"leaves": [15, 31], "min_data_in_leaf": [50, 100]}, None),
    ("catboost", {"leaves": 31}, {"min_data_in_leaf": [50, 100]}, None),
    (
        "catboost",
        {},
        {"min_data_in_leaf": [50, 100]},
        "min_data_in_leaf 50, which the model refuses: .* set `leaves` too",
    ),
    ("catboost", {}, {"leaves": [15, None], "min_data_in_leaf": [50]}, "leaves None, min_data_in_leaf 50, which the"),
    ("transformer", {"hidden": 30, "heads": 5}, {"heads": [3, 5, 10]}, None),
    ("transformer", {"hidden": 30, "heads": 5}, {"heads": [5, 4]}, "heads 4, which .* divide `hidden`, which is 30"),
    ("transformer", {"hidden": 30, "heads": 5}, {}, "hidden 16, .* `heads` is 5; it must divide `hidden`, which is 16"),
    ("transformer", {}, {"hidden": {"low": 16, "high": 64}}, "hidden 17, which the model refuses: `heads` is 4"),
    ("transformer", {}, {"hidden": [16, 24, 36], "heads": [4, 8]}, "hidden 36, heads 8, which .* refuses"),
    ("tft", {"heads": 3, "hidden": 12}, {}, "hidden 8, .* `heads` is 3"),
]


@pytest.mark.parametrize(("model", "settings", "space", "message"), TIED)
def test_values_are_tried_with_each_other_and_with_the_settings_that_stay(
    model: str, settings: dict[str, Any], space: dict[str, Any], message: str | None
) -> None:
    entry = MODELS[model]
    with (
        nullcontext()
        if message is None
        else pytest.raises(ConfigError, match=f"`space` of `{model}` allows .*{message}")
    ):
        check_space(entry, entry.spec.model_validate(settings), TuningSpec(space=space))


def test_of_too_many_combinations_every_two_settings_are_combined() -> None:
    many = [0.5 + number / 100 for number in range(30)]
    space = {
        "l2": many,
        "bagging_fraction": many,
        "feature_fraction": many,
        "leaves": [15, None],
        "min_data_in_leaf": [9],
    }
    with pytest.raises(ConfigError, match="set `leaves` too"):
        check_space(MODELS["catboost"], MODELS["catboost"].spec(), TuningSpec(space=space))
    free = TuningSpec(space={**space, "leaves": [15, 31]})
    tried = [each.model_dump() for each in candidates(MODELS["catboost"], MODELS["catboost"].spec(), free)]
    assert len(tried) < MOST < 30**3
    assert {(each["l2"], each["bagging_fraction"]) for each in tried} == {(x, y) for x in many for y in many}


WINDOWED = [name for name, entry in MODELS.items() if entry.capabilities.inputs == "windows"]


@pytest.mark.parametrize("name", WINDOWED)
def test_the_longest_window_is_that_of_any_trial(name: str) -> None:
    """Real trials of Optuna's, of which the upper end is one."""
    import optuna

    entry = MODELS[name]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    asked = [entry.model(ask(entry, entry.spec(), TuningSpec(), study.ask())).window or 0 for _ in range(40)]
    assert longest_window(entry, entry.spec(), TuningSpec()) == max(asked)


def test_the_longest_window_is_that_of_the_space_else_that_of_the_spec() -> None:
    gru = MODELS["gru"]
    assert longest_window(gru, gru.spec(), TuningSpec(space={"window": [3, 6]})) == 6
    assert longest_window(gru, gru.spec(), TuningSpec(space={"window": {"low": 4, "high": 40}})) == 40
    assert longest_window(gru, gru.spec.model_validate({"window": 50}), TuningSpec(space={"hidden": [4, 8]})) == 50
    assert longest_window(LIGHTGBM, LIGHTGBM.spec(), TuningSpec()) is None


def ask_fixed(space: dict[str, Any], **settings: Any) -> tuple[ModelSpec, dict[str, object]]:
    trial = Fixed()
    asked = ask(LIGHTGBM, LIGHTGBM.spec.model_validate(settings), TuningSpec(space=space), trial)  # type: ignore[arg-type]
    return asked, trial.asked


def test_a_trial_changes_the_settings_of_its_space_and_keeps_the_others() -> None:
    spec, asked = ask_fixed({"leaves": {"low": 4, "high": 31, "log": True}, "depth": [None, 6]}, rounds=77)
    assert asked == {"leaves": (int, 4, 31, True), "depth": [None, 6]}
    assert spec == LIGHTGBM.spec.model_validate({"rounds": 77, "leaves": 31, "depth": 6})


def test_without_a_space_the_model_suggests_and_the_settings_it_does_not_vary_are_kept() -> None:
    spec, asked = ask_fixed({}, rounds=77, early_stopping_rounds=9)
    assert "learning_rate" in asked
    assert "rounds" not in asked
    assert spec.model_dump()["rounds"] == 77
    assert spec.model_dump()["early_stopping_rounds"] == 9


def test_whole_ends_draw_whole_numbers_and_others_do_not() -> None:
    _, asked = ask_fixed({"leaves": Range(low=4, high=31), "learning_rate": Range(low=0.01, high=1)})
    assert asked == {"leaves": (int, 4, 31, False), "learning_rate": (float, 0.01, 1, False)}
