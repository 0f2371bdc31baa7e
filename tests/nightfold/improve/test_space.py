"""Spaces: what a file may ask for, and what is varied where none is given."""

import pytest
import yaml

from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.improve.space import default_space, load_space, space_settings
from nightfold.improve.variant import vary
from nightfold.tuning.spec import Range

BASE = {
    "name": "base",
    "first_as_of": "2024-04-01",
    "target": {"horizons": [5, 20]},
    "split": {"train_days": 60},
    "models": {"lightgbm": None, "logistic_regression": None},
}


def experiment(**changed) -> Experiment:
    return Experiment.model_validate({**BASE, **changed})


def settings_of(made: Experiment, member: str) -> dict[str, object]:
    return made.models[member].spec.model_dump()


def space_file(tmp_path, settings):
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_file_gives_lists_and_ranges(tmp_path) -> None:
    said = {
        "strategy.min_edge_bps": [0, 5.5],
        "models.lightgbm.leaves": {"low": 4, "high": 63, "log": True},
        "split.train_days": {"low": 30, "high": 60},
        "features.groups": [["returns"], ["returns", "volatility"]],
    }
    found = load_space(space_file(tmp_path, said), experiment())
    assert found["strategy.min_edge_bps"] == [0, 5.5]
    assert found["models.lightgbm.leaves"] == Range(low=4, high=63, log=True)
    assert found["features.groups"] == [["returns"], ["returns", "volatility"]]
    assert space_settings(found)["split.train_days"] == {"low": 30, "high": 60, "log": False}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "names no field"),
        ({"strategy.min_edge_bps": 5}, "must be a list of values, or a range"),
        ({"strategy.min_edge_bps": []}, "must be a list of values, or a range"),
        ({"strategy.min_edge_bps": {"low": 5, "high": 1}}, "must be a list of values, or a range"),
        ({"strategy.min_edge": [5]}, "did you mean min_edge_bps"),
        ({"split.train_days": {"low": -5, "high": 30}}, "`split.train_days` is -5"),
        ({"models.svm.c": [1]}, "member `svm` is unknown"),
        ({"strategy.horizon": [5, 10]}, "`strategy.horizon` is 10"),
    ],
)
def test_what_the_experiment_would_refuse_is_refused_at_once(tmp_path, said, message) -> None:
    with pytest.raises(ConfigError) as refused:
        load_space(space_file(tmp_path, said), experiment())
    assert message in str(refused.value)
    assert "space.yaml" in str(refused.value)


def test_the_default_varies_edge_horizon_days_and_what_models_suggest() -> None:
    found = default_space(experiment(), 91)
    assert found["strategy.min_edge_bps"][0] == 0
    assert found["strategy.horizon"] == [5, 20]
    assert found["split.train_days"] == [30, 60]  # 120 days of history there are not
    assert found["models.lightgbm.leaves"] == Range(low=4, high=63, log=True)
    assert found["models.logistic_regression.l2"] == Range(low=1e-4, high=1.0, log=True)


def test_every_value_of_the_default_makes_a_variant_of_its_own_that_has_it() -> None:
    base = experiment()
    own = {"strategy.min_edge_bps": base.strategy.min_edge_bps, "strategy.horizon": base.strategy.horizon}
    own |= {f"models.{name}.{field}": value for name in base.models for field, value in settings_of(base, name).items()}
    own |= {"split.train_days": 60}
    same, others = vary(base, {}).name, []
    for field, values in default_space(base, 400).items():
        for value in [values.low, values.high] if isinstance(values, Range) else values:
            made = vary(base, {field: value})
            first, *rest = field.split(".")
            found = settings_of(made, rest[0])[rest[1]] if first == "models" else getattr(getattr(made, first), rest[0])
            assert found == value
            assert (made.name == same) == (own[field] == value), f"{field}={value}"
            others += [made.name] * (made.name != same)
    assert others
    assert len(set(others)) == len(others)


def test_the_default_leaves_alone_what_has_a_search_of_its_own() -> None:
    models = {"lightgbm": {"tuning": {"trials": 3}}, "logistic_regression": None}
    found = default_space(
        experiment(models=models, policy={}, target={"horizons": [20]}, split={"expanding": True}), 400
    )
    assert list(found) == ["models.logistic_regression.l2"]
