"""Settings files, YAML or JSON, read into specs with errors that name file, key, value and what is allowed."""

import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.models.catalog import MODELS
from nightfold.spec import Spec

S = TypeVar("S", bound=Spec)

_ENDINGS = (".yaml", ".yml", ".json")


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
    settings = read_mapping(path)
    try:
        return spec.model_validate({**defaults, **settings})
    except ValidationError as error:
        raise ConfigError("\n".join(_fault(path, fault) for fault in error.errors())) from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """Parse a settings file into plain data.

    Raises
    ------
    ConfigError
        If the file is absent, broken, or not a mapping.
    """
    if path.suffix not in _ENDINGS:
        raise ConfigError(f"{path} ends in {path.suffix!r}; a settings file ends in {', '.join(_ENDINGS)}.")
    try:
        text = path.read_text()
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not valid {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds {type(content).__name__}; it must hold one mapping of settings.")
    return content


def load_experiments(folder: Path) -> dict[str, Experiment]:
    """Read every experiment file of a folder, by name.

    Raises
    ------
    ConfigError
        If a file is wrong or two files have one name.
    """
    found: dict[str, Experiment] = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix in _ENDINGS):
        experiment = load_experiment(path)
        if experiment.name in found:
            raise ConfigError(f"{path}: the name {experiment.name!r} is taken by another file; give it its own.")
        found[experiment.name] = experiment
    return found


def load_experiment(path: Path) -> Experiment:
    """Read one experiment file; its name is the file's unless it says another."""
    return load_spec(path, Experiment, name=path.name.split(".")[0])


def experiment_schema() -> dict[str, Any]:
    """JSON schema of an experiment file, for editors."""
    schema = Experiment.model_json_schema()
    schema["required"] = [key for key in schema["required"] if key != "name"]
    definitions = schema["$defs"]
    members = []
    for name, entry in MODELS.items():
        member = entry.spec.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= member.pop("$defs", {})
        member["properties"]["model"] = {"const": name, "description": "Name in the model catalog."}
        members.append(member)
    schema["properties"]["models"] = {
        "type": "object",
        "minProperties": 1,
        "description": "Members by name; a member named like a catalog entry needs no `model` line.",
        "additionalProperties": {"anyOf": [*members, {"type": "null"}]},
    }
    definitions.pop("ModelChoice", None)
    definitions.pop("ModelSpec", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Nightfold experiment", **schema}


def _fault(path: Path, fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"] if part != "function-after") or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{path}: `{key}` is not a setting; check its spelling, `nightfold experiments schema` lists all."
    message = str(fault["msg"]).removeprefix("Value error, ")
    value = fault.get("input")
    shown = "" if isinstance(value, dict) or fault["type"] == "missing" else f" is {value!r}"
    return f"{path}: `{key}`{shown}: {message}"
