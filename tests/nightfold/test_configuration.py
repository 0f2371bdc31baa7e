"""Settings files: YAML and JSON, and errors that name file, key, value and what is allowed."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from nightfold.configuration import (
    experiment_schema,
    load_experiment,
    load_experiments,
    load_spec,
    load_specs,
    read_mapping,
)
from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.labels.table import LabelSet
from nightfold.universe import Universe

PROJECT = Path(__file__).parents[2]
SHIPPED = sorted(PROJECT.glob("configs/**/experiments/*.*"))
GOOD = "first_as_of: 2024-03-01\nmodels: {lightgbm: }\n"
WRONG = [
    ("horizon: 3", "`horizon`: setting `horizon` is unknown; known: capital, costs, "),
    ("split: {purg: 3}", "`split.purg`: setting `purg` is unknown; did you mean purge?"),
    ("split: {purge: -1}", "`split.purge` is -1; it must be greater than or equal to 0."),
    ("split: 3", "`split` is 3; it must be a mapping of settings."),
    ("split: {embargo: long}", "`split.embargo` is 'long'; it must be a valid integer, "),
    ("split: {in_force_delay: soon}", "`split.in_force_delay` is 'soon'; it must match ^\\d+[mhd]$."),
    ("pooling: both", "`pooling` is 'both'; it must be 'pooled' or 'per_symbol'."),
    ("retrain: hour", "`retrain` is 'hour'; it must be 'day', 'week' or 'month'."),
    ("max_model_age: 0", "`max_model_age` is 0; it must be greater than 0."),
    ("capital: .nan", "`capital` is nan; it must be a finite number."),
    ("seed: 7.5", "`seed` is 7.5; it must be a valid integer, "),
    ("owner: me", "`owner` is 'me'; "),
    ("interval: 2h", "`interval` is '2h'; it must be '1m', '5m', '15m', '1h', '4h' or '1d'."),
    ("symbols: BTCUSDT", "`symbols` is 'BTCUSDT'; it must be a valid list."),
    ("symbols: [BTC]", "`symbols`: Symbol 'BTC': no known quote currency ends it "),
    ("target: {horizons: []}", "`target.horizons` is []; "),
    ("target: {horizons: [0]}", "`target.horizons.0` is 0; it must be greater than 0."),
    ("target: {horizons: [10, 5]}", "`target.horizons`: `horizons` is [10, 5]; each may stand there once, "),
    ("strategy: {horizon: 7}", "`strategy.horizon` is 7; it must be one of `target.horizons`, [5, 10, 15, 20]."),
    ("features: {groups: [volatilty]}", "`features`: feature group `volatilty` is unknown; did you mean volatility?"),
    ("ensemble: {members: [lightgb]}", "ensemble member `lightgb` is unknown; did you mean lightgbm?"),
    ("name: bars", "the experiment name is 'bars'; it must be lower-case letters, digits and _, "),
    ("name: Mine", "the experiment name is 'Mine'; it must be lower-case letters, digits and _, "),
    ("first_as_of: 2024-13-01", "`first_as_of` is '2024-13-01'; it must be a valid date"),
    ("first_as_of: ", "`first_as_of` is None; it must be a valid date."),
    ("models: ", "`models` is None; it must be "),
    ("models: {}", "`models` is {}; "),
    ("models: {lightgbm: 3}", "`models.lightgbm` is 3; it must be a mapping of settings."),
    ("models: {lightgmb: }", "`models.lightgmb`: model `lightgmb` is unknown; did you mean lightgbm?"),
    ("models: {mine: {model: lightgmb}}", "`models.mine`: model `lightgmb` is unknown; did you mean lightgbm?"),
    ("models: {lightgbm: {leafs: 3}}", "`models.lightgbm.leafs`: setting `leafs` is unknown; did you mean leaves?"),
    ("models: {lightgbm: {leaves: 1}}", "`models.lightgbm.leaves` is 1; it must be greater than"),
    ("models: {bars: {model: lightgbm}}", "the model name is 'bars'; it must be lower-case letters, digits and _, "),
]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return put


# ---------------------------------------------------------------------- good files


def test_a_file_is_named_after_itself_unless_it_says_otherwise(write: Callable[[str, str], Path]) -> None:
    assert load_experiment(write("mine.yaml", GOOD)).name == "mine"
    assert load_experiment(write("mine.v2.yaml", GOOD)).name == "mine"
    assert load_experiment(write("other.yaml", GOOD + "name: named\n")).name == "named"


def test_yaml_and_json_say_the_same(write: Callable[[str, str], Path]) -> None:
    values = {"first_as_of": "2024-03-01", "models": {"lightgbm": None}, "description": "Größer"}
    from_json = load_experiment(write("mine.json", json.dumps(values, ensure_ascii=False)))
    from_yaml = load_experiment(write("mine.yaml", GOOD + "description: Größer\n"))
    assert from_json == from_yaml == load_experiment(write("mine.yml", GOOD + "description: Größer\n"))
    assert from_json.fingerprint == from_yaml.fingerprint
    assert from_json.first_as_of == date(2024, 3, 1)


def test_the_order_of_lines_and_quotes_do_not_matter(write: Callable[[str, str], Path]) -> None:
    turned = "models: {'lightgbm': {}}\n'first_as_of': '2024-03-01'\n"
    assert load_experiment(write("mine.yaml", turned)) == load_experiment(write("mine.yaml", GOOD))


def test_a_line_for_editors_is_no_setting(write: Callable[[str, str], Path]) -> None:
    text = '{"$schema": "../experiment.schema.json", "first_as_of": "2024-03-01", "models": {"lightgbm": null}}'
    assert load_experiment(write("mine.json", text)) == load_experiment(write("mine.yaml", GOOD))


def test_a_folder_is_read_by_name_and_other_files_are_left_alone(write: Callable[[str, str], Path]) -> None:
    for name in ("b.yaml", "a.json", "notes.md", ".hidden.yaml", "c.yaml~"):
        write(f"experiments/{name}", json.dumps({"first_as_of": "2024-03-01", "models": {"lightgbm": None}}))
    folder = write("experiments/c.yml", GOOD).parent
    assert list(load_experiments(folder)) == ["a", "b", "c"]


def test_specs_by_name_may_be_empty(write: Callable[[str, str], Path]) -> None:
    path = write("labels.yaml", "labels:\nwide: {horizons: [40]}\n")
    assert load_specs(path, LabelSet) == {"labels": LabelSet(), "wide": LabelSet(name="wide", horizons=[40])}


# ---------------------------------------------------------------------- wrong files


@pytest.mark.parametrize(("lines", "words"), WRONG, ids=[lines for lines, _ in WRONG])
@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_a_wrong_setting_is_named_with_file_value_and_what_is_allowed(
    write: Callable[[str, str], Path], lines: str, words: str, ending: str
) -> None:
    if ending == "yaml":
        kept = [line for line in GOOD.splitlines() if line.split(":")[0] != lines.split(":")[0]]
        path = write("wrong.yaml", "\n".join([*kept, lines]))
    else:
        settings = {**yaml.safe_load(GOOD), **yaml.safe_load(lines if "13-01" not in lines else "{}")}
        settings["first_as_of"] = "2024-13-01" if "13-01" in lines else settings["first_as_of"]
        path = write("wrong.json", json.dumps(settings, default=str))
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    assert str(caught.value).startswith(f"{path}: {words}")


def test_all_wrong_settings_are_named_at_once(write: Callable[[str, str], Path]) -> None:
    lines = "seed: -1\nsplit: {purge: x, purg: 1}\npooling: both\nmodels: {lightgbm: {leaves: 1, leafs: 1}}\n"
    path = write("wrong.yaml", f"first_as_of: 2024-03-01\n{lines}")
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    named = [line.removeprefix(f"{path}: ").split("`")[1] for line in str(caught.value).splitlines()]
    assert sorted(named) == [
        "models.lightgbm.leafs",
        "models.lightgbm.leaves",
        "pooling",
        "seed",
        "split.purg",
        "split.purge",
    ]


def test_what_is_missing_is_named(write: Callable[[str, str], Path]) -> None:
    with pytest.raises(ConfigError, match=r"wrong.yaml: `first_as_of` is missing; it has no default"):
        load_experiment(write("wrong.yaml", "models: {lightgbm: }"))


def test_a_long_value_is_cut(write: Callable[[str, str], Path]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_experiment(write("wrong.yaml", f"{GOOD}pooling: {'x' * 10_000}"))
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "", "a.yaml holds nothing; it must hold one mapping of settings"),
        ("a.json", "null", "a.json holds nothing; it must hold one mapping of settings"),
        ("a.yaml", "- lightgbm", "a.yaml holds a list; it must hold one mapping"),
        ("a.json", "[1]", "a.json holds a list; it must hold one mapping"),
        ("a.yaml", "just words", "a.yaml holds a str; it must hold one mapping"),
        ("a.yaml", "models: [", "a.yaml is not valid YAML: while parsing"),
        ("a.json", "{", "a.json is not valid JSON: Expecting property name"),
        ("a.yaml", f"{GOOD}seed: 1\nseed: 2", "a.yaml is not valid YAML: the key 'seed' stands there twice"),
        ("a.yaml", "models: {lightgbm: , lightgbm: }", "the key 'lightgbm' stands there twice"),
        ("a.json", '{"models": {"lightgbm": null, "lightgbm": null}}', "the key 'lightgbm' stands there twice"),
        ("a.yaml", "seed: !!python/object/apply:os.getcwd []", "a.yaml is not valid YAML: could not determine"),
        ("a.toml", "", r"a.toml ends in '.toml'; a settings file ends in .yaml, .yml, .json"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(
    write: Callable[[str, str], Path], name: str, text: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read_mapping(write(name, text))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml cannot be read: No such file or directory"):
        read_mapping(tmp_path / "none.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"folder.yaml cannot be read: Is a directory"):
        read_mapping(tmp_path / "folder.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"bytes.yaml is not valid YAML"):
        read_mapping(tmp_path / "bytes.yaml")
    with pytest.raises(ConfigError, match="experiments is no folder; it must hold one file an experiment"):
        load_experiments(tmp_path / "experiments")


def test_two_files_of_one_name_are_refused(write: Callable[[str, str], Path]) -> None:
    write("experiments/a.yaml", GOOD)
    folder = write("experiments/b.yaml", GOOD + "name: a\n").parent
    with pytest.raises(ConfigError, match=r"b.yaml: the name 'a' is taken by a.yaml; give it one of its own"):
        load_experiments(folder)


def test_a_check_that_fails_names_the_file(write: Callable[[str, str], Path]) -> None:
    def refuse(experiment: Experiment) -> None:
        raise ConfigError(f"`{experiment.name}` is not wanted.")

    folder = write("experiments/a.yaml", GOOD).parent
    with pytest.raises(ConfigError, match=r"a.yaml: `a` is not wanted"):
        load_experiments(folder, refuse)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wide: 3", "labels.yaml: `wide` is 3; it must be a mapping of settings, or empty"),
        ("wide: {horizon: [5]}", "labels.yaml: wide: `horizon`: setting `horizon` is unknown; did you mean horizons?"),
        ("Wide: ", "labels.yaml: Wide: `name` is 'Wide'; "),
        ("wide: {horizons: [10, 5]}", "labels.yaml: wide: `horizons` is [10, 5]; each may stand there once"),
    ],
)
def test_a_wrong_label_set_is_named(write: Callable[[str, str], Path], text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_specs(write("labels.yaml", text), LabelSet)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("source: foo", "`source` is 'foo'; it must be `simulated`, `folder:PATH`, "),
        ("source: {kind: folder}", "`source.folder.path` is missing; it has no default"),
        ("source: {kind: simulated, sed: 3}", "`source.simulated.sed`: setting `sed` is unknown; did you mean seed?"),
        ("grain: week", "`grain` is 'week'; it must be 'month' or 'day'"),
        ("cleaning: {outlier_deviation: 3}", "setting `outlier_deviation` is unknown; did you mean outlier_deviations"),
        ("end: 2023-01-01", "`end` is 2023-01-01; it must be after `start`, 2024-01-01"),
        ("intervals: [5m, 2m]", "`intervals.1` is '2m'; it must be '1m'"),
    ],
)
def test_a_wrong_universe_is_named(write: Callable[[str, str], Path], line: str, words: str) -> None:
    good = ["source: simulated", "symbols: [BTCUSDT]", "start: 2024-01-01"]
    kept = [each for each in good if each.split(":")[0] != line.split(":")[0]]
    with pytest.raises(ConfigError) as caught:
        load_spec(write("universe.yaml", "\n".join([*kept, line])), Universe)
    assert "universe.yaml: " in str(caught.value)
    assert words in str(caught.value)


# ---------------------------------------------------------------------- the schema for editors


def plain(path: Path) -> dict[str, Any]:
    """A file as an editor reads it: dates are text."""
    return dict(json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str)))


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = experiment_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_stored_schema_is_up_to_date() -> None:
    stored = (PROJECT / "configs" / "experiment.schema.json").read_text()
    fresh = json.dumps(experiment_schema(), indent=2) + "\n"
    assert stored == fresh, "run: nightfold experiments schema > configs/experiment.schema.json"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_experiments_are_valid_for_us_and_for_editors(
    path: Path, validator: jsonschema.Draft202012Validator
) -> None:
    load_experiment(path)
    validator.validate(plain(path))


def test_there_are_shipped_experiments() -> None:
    assert {path.suffix for path in SHIPPED} == {".yaml", ".json"}


SEEN_BY_EDITORS = [
    lines
    for lines, _ in WRONG
    if not lines.startswith(("features", "ensemble", "symbols: [BTC]", "name", "models: {bars", "strategy"))
    and lines not in ("target: {horizons: [10, 5]}", "first_as_of: 2024-13-01", "capital: .nan")
]


@pytest.mark.parametrize("lines", SEEN_BY_EDITORS)
def test_editors_see_what_is_wrong_within_a_line(lines: str, validator: jsonschema.Draft202012Validator) -> None:
    settings = {**yaml.safe_load(GOOD), **yaml.safe_load(lines)}
    assert not validator.is_valid(json.loads(json.dumps(settings, default=str)))


def test_editors_accept_members_by_any_name_that_say_their_model(validator: jsonschema.Draft202012Validator) -> None:
    for models in (
        {"lightgbm": None},
        {"lightgbm": {"leaves": 7}},
        {"slow": {"model": "lightgbm", "rounds": 300}},
        {"lightgbm": {"model": "logistic_regression", "l2": 0.1}},
    ):
        validator.validate({"first_as_of": "2024-03-01", "models": models, "$schema": "x"})
        assert Experiment.model_validate({"name": "a", "first_as_of": "2024-03-01", "models": models})
    for models in ({"slow": None}, {"slow": {"rounds": 300}}, {"lightgbm": {"l2_penalty": 1}}):
        assert not validator.is_valid({"first_as_of": "2024-03-01", "models": models})


def test_every_setting_is_described_to_editors() -> None:
    schema = experiment_schema()
    parts = {"Experiment": schema, **schema["$defs"]}
    silent = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, value in part.get("properties", {}).items()
        if "description" not in value and "$ref" not in value
    ]
    assert silent == []
