"""Variants: the same experiment but for what is named, refused like a wrong file, named after their settings."""

import pytest
import yaml

from nightfold.configuration import load_experiment
from nightfold.errors import ConfigError, UnknownNameError
from nightfold.experiment import Experiment
from nightfold.improve.variant import as_file, file_settings, grid, parse_axes, spell, vary

FILE = {
    "name": "base",
    "description": "words",
    "first_as_of": "2024-04-01",
    "retrain": "day",
    "target": {"horizons": [5, 10, 20]},
    "split": {"train_days": 60},
    "models": {
        "lightgbm": {"leaves": 15, "tuning": {"trials": 5}, "retrain": "week"},
        "plain": {"model": "logistic_regression"},
    },
    "strategy": {"horizon": 20},
    "policy": {},
    "limits": {"max_position": 0.5},
    "seed": 3,
}
BASE = Experiment.model_validate(FILE)


def test_what_a_file_said_is_what_it_would_say_again() -> None:
    assert file_settings(BASE) == {
        **FILE,
        "models": {"lightgbm": FILE["models"]["lightgbm"], "plain": FILE["models"]["plain"]},
    }
    assert Experiment.model_validate(file_settings(BASE)) == BASE


def test_a_written_file_reads_as_the_variant(tmp_path) -> None:
    made = vary(BASE, {"strategy.horizon": 10, "models.plain.l2": 0.5, "target.horizons": [10, 20]})
    path = tmp_path / "found.yaml"
    path.write_text(as_file(made))
    read = load_experiment(path)
    assert read.name == "found"
    assert read.model_dump(exclude={"name"}) == made.model_dump(exclude={"name"})


def test_only_what_is_named_differs() -> None:
    made = vary(BASE, {"strategy.hold_bars": 5, "models.lightgbm.leaves": 7, "policy.window_days": 10})
    expected = yaml.safe_load(yaml.safe_dump(FILE))
    expected["strategy"]["hold_bars"] = 5
    expected["models"]["lightgbm"]["leaves"] = 7
    expected["policy"] = {"window_days": 10}
    words = {"name", "description"}
    assert made.model_dump(exclude=words) == Experiment.model_validate(expected).model_dump(exclude=words)
    assert made.description == "base with strategy.hold_bars=5 models.lightgbm.leaves=7 policy.window_days=10"
    assert Experiment.model_validate(FILE) == BASE


def test_a_variant_is_called_after_its_settings_however_they_are_reached() -> None:
    one = vary(BASE, {"strategy.horizon": 10, "seed": 4})
    other = vary(BASE, {"seed": "4", "strategy": {"horizon": 10.0}})
    assert one.name == other.name
    assert one.name.startswith("base_s")
    assert len(one.name) == len("base_s") + 8
    assert vary(BASE, {"seed": 5}).name != one.name


def test_points_that_change_nothing_are_one_variant_that_is_not_the_experiment() -> None:
    same = [{}, {"strategy.horizon": 20, "models.lightgbm.leaves": 15}, {"capital": 10_000}]  # capital is by default so
    (name,) = {vary(BASE, overrides).name for overrides in same}
    assert name != BASE.name


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"strategy.horizn": 10}, "`strategy.horizn`: setting `horizn` is unknown; did you mean horizon?"),
        ({"stratgy.horizon": 10}, "setting `stratgy` is unknown; did you mean strategy"),
        ({"models.xgboost.max_depth": 3}, "member `xgboost` is unknown; known: lightgbm, plain."),
        ({"models.plain.leaves": 3}, "setting `leaves` is unknown"),
        ({"models.plain": None}, "names no setting of a member"),
        ({"models": {}}, "names no setting of a member"),
        ({"name": "other"}, "does not shape a result; vary capital, "),
        ({"gates": {}}, "does not shape a result"),
        ({"strategy.horizon": 15}, "must be one of `target.horizons`"),
        ({"split.train_days": 0}, "`split.train_days` is 0; it must be greater than 0"),
        ({"seed.deep": 1}, "`seed` is {'deep': 1}"),
        ({"strategy.min_edge_bps": 5}, "beside a `policy` nothing reads it: set `policy.min_edge` instead"),
    ],
)
def test_a_wrong_field_is_refused_with_what_there_is(overrides, message) -> None:
    with pytest.raises(ConfigError) as refused:
        vary(BASE, overrides)
    assert message in str(refused.value)


def test_a_variant_keeps_to_what_its_deployment_has() -> None:
    def check(experiment: Experiment) -> None:
        raise UnknownNameError("symbol", "XUSDT", experiment.symbols or [])

    with pytest.raises(ConfigError, match=r"base with symbols=\[\"XUSDT\"\]: symbol `XUSDT` is unknown"):
        vary(BASE, {"symbols": ["XUSDT"]}, check)


def test_values_are_read_as_in_a_file() -> None:
    said = ["a=1,2.5", "b=day, week", "c=null,true", "d=[x],[x, y]", "e={low: 1}", "f=2024-04-01", "g = 0.1"]
    assert parse_axes(said) == {
        "a": [1, 2.5],
        "b": ["day", "week"],
        "c": [None, True],
        "d": [["x"], ["x", "y"]],
        "e": [{"low": 1}],
        "f": ["2024-04-01"],
        "g": [0.1],
    }


@pytest.mark.parametrize("text", ["a", "a=", "=1", ""])
def test_a_field_without_values_is_refused(text) -> None:
    with pytest.raises(ConfigError, match="must be a field and its values"):
        parse_axes([text])


def test_a_field_stands_once_and_its_values_are_valid() -> None:
    with pytest.raises(ConfigError, match="has a twice"):
        parse_axes(["a=1", "a=2"])
    with pytest.raises(ConfigError, match="not valid YAML"):
        parse_axes(["a=[1"])


def test_a_grid_has_every_combination_once() -> None:
    found = list(grid({"a": [1, 2, 3], "b": ["x", "y"]}))
    assert len(found) == 6
    assert {(each["a"], each["b"]) for each in found} == {(a, b) for a in (1, 2, 3) for b in "xy"}
    assert list(grid({})) == [{}]


def test_settings_are_spelled_as_they_are_given() -> None:
    assert spell({"a.b": 1, "c": 0.1 + 0.2, "d": "day", "e": None, "f": True}) == "a.b=1 c=0.3 d=day e=null f=true"
    assert spell({}) == "nothing changed"
