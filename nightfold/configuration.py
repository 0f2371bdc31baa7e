"""Settings files, YAML or JSON, read into specs with errors that name file, key, value and what is allowed."""

import json
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.experiment import Experiment
from nightfold.models.catalog import find_model, model_names
from nightfold.spec import Spec

S = TypeVar("S", bound=Spec)

_ENDINGS = (".yaml", ".yml", ".json")
_SHOWN = 100


def load_spec(path: Path, spec: type[S], **defaults: Any) -> S:
    """Read one settings file.

    Parameters
    ----------
    path
        A ``.yaml``, ``.yml`` or ``.json`` file holding one mapping.
    spec
        What the mapping must be.
    defaults
        Values for keys that the file does not set.

    Raises
    ------
    ConfigError
        With file, key, value and what is allowed, for every fault.
    """
    return _build(str(path), spec, {**defaults, **read_mapping(path)})


def load_specs(path: Path, spec: type[S]) -> dict[str, S]:
    """Read a file of several specs of one kind: names, each with its settings or none.

    Raises
    ------
    ConfigError
        With file, name, key, value and what is allowed, for the first name that is wrong.
    """
    found = {}
    for name, settings in read_mapping(path).items():
        if not isinstance(settings, dict | None):
            raise ConfigError(f"{path}: `{name}` is {_shown(settings)}; it must be a mapping of settings, or empty.")
        found[name] = _build(f"{path}: {name}", spec, {"name": name, **(settings or {})})
    return found


def read_mapping(path: Path) -> dict[str, Any]:
    """Parse a settings file into plain data; a `$schema` line for editors is left out.

    Raises
    ------
    ConfigError
        If the file is absent, broken, or not a mapping, or has a key twice.
    """
    if path.suffix not in _ENDINGS:
        raise ConfigError(f"{path} ends in {path.suffix!r}; a settings file ends in {', '.join(_ENDINGS)}.")
    try:
        text = path.read_text(encoding="utf-8")
        # The loader is PyYAML's safe one, with a check added.
        content = _read_json(text) if path.suffix == ".json" else yaml.load(text, _StrictLoader)  # noqa: S506
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, yaml.YAMLError) as error:
        kind = "JSON" if path.suffix == ".json" else "YAML"
        raise ConfigError(f"{path} is not valid {kind}: {error}") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise ConfigError(f"{path} holds {found}; it must hold one mapping of settings.")
    return {key: value for key, value in content.items() if key != "$schema"}


def load_experiments(folder: Path, check: Callable[[Experiment], None] = lambda _: None) -> dict[str, Experiment]:
    """Read every experiment file of a folder, by name.

    Parameters
    ----------
    folder
        Where they lie; files whose name begins with a dot or ends otherwise are left alone.
    check
        What else an experiment must keep to; it raises `ConfigError`.

    Raises
    ------
    ConfigError
        If there is no such folder, a file is wrong, or two files have one name.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; it must hold one file an experiment.")
    found: dict[str, tuple[Path, Experiment]] = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix in _ENDINGS and not p.name.startswith(".")):
        experiment = load_experiment(path, check)
        if experiment.name in found:
            other = found[experiment.name][0].name
            raise ConfigError(f"{path}: the name {experiment.name!r} is taken by {other}; give it one of its own.")
        found[experiment.name] = (path, experiment)
    return {name: experiment for name, (_, experiment) in found.items()}


def load_experiment(path: Path, check: Callable[[Experiment], None] = lambda _: None) -> Experiment:
    """Read one experiment file; its name is the file's unless it says another.

    Raises
    ------
    ConfigError
        With file, key, value and what is allowed.
    """
    experiment = load_spec(path, Experiment, name=path.name.split(".")[0])
    try:
        check(experiment)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return experiment


def experiment_schema() -> dict[str, Any]:
    """JSON schema of an experiment file, for editors."""
    schema = Experiment.model_json_schema()
    definitions = schema["$defs"]
    members = {name: _member_schema(name, definitions) for name in model_names()}
    named = [{**member, "required": ["model"]} for member in members.values()]
    schema["required"] = [key for key in schema["required"] if key != "name"]
    schema["properties"] |= {
        "$schema": {"type": "string", "description": "Address of this schema, for editors."},
        "models": {
            "type": "object",
            "minProperties": 1,
            "description": "Members by name; a member named like a catalog entry needs no `model` line.",
            "properties": {name: {"anyOf": [member, *named, {"type": "null"}]} for name, member in members.items()},
            "additionalProperties": {"anyOf": named},
        },
    }
    for unused in ("ModelChoice", "ModelSpec"):
        definitions.pop(unused, None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Nightfold experiment"}


def _member_schema(model: str, definitions: dict[str, Any]) -> dict[str, Any]:
    member = find_model(model).spec.model_json_schema()
    definitions |= member.pop("$defs", {})
    line = {"const": model, "description": "Name in the model catalog."}
    tuning = {"$ref": "#/$defs/TuningSpec", "description": "A search for these settings; none: as they stand."}
    retrain = {
        "enum": ["day", "week", "month"],
        "description": "How often it is fitted anew, where less often than the experiment; in between it goes on.",
    }
    return {**member, "properties": {"model": line, **member["properties"], "tuning": tuning, "retrain": retrain}}


def describe_faults(where: str, error: ValidationError, spec: type[BaseModel]) -> str:
    """Put what pydantic found into sentences, one a line, that name key, value and what is allowed."""
    return "\n".join(f"{where}: {_fault(fault, spec)}" for fault in error.errors())


def _build(where: str, spec: type[S], settings: dict[str, Any]) -> S:
    try:
        return spec.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(describe_faults(where, error, spec)) from error


def _fault(fault: ErrorDetails, spec: type[BaseModel]) -> str:
    place = fault["loc"]
    key = f"`{'.'.join(str(part) for part in place)}`" if place else ""
    match fault["type"]:
        case "extra_forbidden":
            return f"{key}: {UnknownNameError('setting', str(place[-1]), _settings_at(spec, place[:-1]))}"
        case "missing":
            return f"{key} is missing; it has no default."
        case "value_error":  # raised by a spec itself, in a whole sentence
            message = fault["msg"].removeprefix("Value error, ")
            return message if message.startswith(key) else f"{key}: {message}"
        case _:
            return f"{key or 'it'} is {_shown(fault['input'])}; {_rule(fault)}."


def _rule(fault: ErrorDetails) -> str:
    if fault["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        return "it must be a mapping of settings"
    if fault["type"] == "string_pattern_mismatch":
        return f"it must match {fault['ctx']['pattern']}"
    return fault["msg"].replace("Input should", "it must", 1).replace("Input", "the input", 1)


def _settings_at(spec: type[BaseModel], place: tuple[int | str, ...]) -> set[str]:
    """Names of the settings that may stand at a place of a file."""
    if place and place[0] == "models":
        names = model_names()
        named = [str(place[1])] if len(place) > 1 and place[1] in names else names
        return {"model", "tuning", "retrain"}.union(*(find_model(name).spec.model_fields for name in named))
    for part in place:
        field = spec.model_fields.get(str(part))
        parts = [field.annotation, *get_args(field.annotation)] if field else []
        nested = [each for each in parts if isinstance(each, type) and issubclass(each, BaseModel)]
        spec = nested[0] if nested else spec
    return set(spec.model_fields)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def _read_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"the key {twice[0]!r} stands there twice")
    return dict(pairs)


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key said twice is an error, and dates are text: the spec reads them, and names a wrong one."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands there twice", key.start_mark
                )
        return super().construct_mapping(node, deep)
