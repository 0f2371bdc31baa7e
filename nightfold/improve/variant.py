"""A variant: an experiment's file with some fields replaced, checked like a file, named after what it sets."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any

import yaml
from pydantic import ValidationError

from nightfold.configuration import describe_faults
from nightfold.errors import ConfigError, UnknownNameError
from nightfold.experiment import Experiment
from nightfold.spec import fingerprint

Overrides = Mapping[str, Any]
"""Dotted field of an experiment file to value: ``{"strategy.horizon": 10, "models.lightgbm.leaves": 7}``."""
Check = Callable[[Experiment], None]

_WORDS = frozenset({"name", "description", "owner", "gates"})
"""Fields that do not shape a result."""


def vary(experiment: Experiment, overrides: Overrides, check: Check = lambda _: None) -> Experiment:
    """Replace fields of an experiment.

    Parameters
    ----------
    experiment
        As its file says it.
    overrides
        Dotted fields with their values; a field that holds settings is kept but for what is named.
    check
        What else an experiment must keep to; it raises `ConfigError`.

    Returns
    -------
    Experiment
        Named ``<name>_s<hash of its settings>``, also where nothing differs: the experiment's own assets go on
        undisturbed.

    Raises
    ------
    ConfigError
        If a field does not exist, shapes no result or refuses its value, or the settings do not go together.
    """
    settings = file_settings(experiment)
    for field, value in overrides.items():
        _check_field(experiment, field)
        _put(settings, field.split("."), value)
    try:
        made = Experiment.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(describe_faults(f"{experiment.name} with {spell(overrides)}", error, Experiment)) from error
    shape = made.model_dump(mode="json", exclude=set(_WORDS))
    named = made.model_copy(
        update={
            "name": f"{experiment.name}_s{fingerprint(shape)[:8]}",
            "description": f"{experiment.name} with {spell(overrides)}",
        }
    )
    try:
        check(named)
    except ConfigError as error:
        raise ConfigError(f"{experiment.name} with {spell(overrides)}: {error}") from error
    return named


def file_settings(experiment: Experiment) -> dict[str, Any]:
    """Return the settings that were given, as a file would say them: a member's stand beside its model's name."""
    settings = experiment.model_dump(mode="json", exclude_unset=True, exclude={"models"})
    members = {}
    for name, choice in experiment.models.items():
        members[name] = {
            **({} if choice.model == name else {"model": choice.model}),
            **choice.spec.model_dump(mode="json", exclude_unset=True),
            **({} if choice.tuning is None else {"tuning": choice.tuning.model_dump(mode="json", exclude_unset=True)}),
            **({} if choice.retrain is None else {"retrain": choice.retrain}),
        }
    return {**settings, "models": members}


def as_file(experiment: Experiment) -> str:
    """Write an experiment as a YAML file; its name is the file's."""
    given = file_settings(experiment)
    settings = {name: given[name] for name in Experiment.model_fields if name in given and name != "name"}
    settings["models"] = {name: member or None for name, member in settings["models"].items()}
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=100)


def parse_axes(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Read the fields of a grid.

    Parameters
    ----------
    texts
        ``field=value,value``, each value as in a YAML file; a value that is a list stands in brackets.

    Raises
    ------
    ConfigError
        If a text has no field or no value, or a field stands there twice.

    Examples
    --------
    >>> parse_axes(["strategy.horizon=10,20", "features.groups=[returns],[returns, volatility]"])
    {'strategy.horizon': [10, 20], 'features.groups': [['returns'], ['returns', 'volatility']]}
    """
    axes: dict[str, list[Any]] = {}
    for text in texts:
        field, equals, values = (part.strip() for part in text.partition("="))
        if not field or not equals or not values:
            raise ConfigError(f"`set` is {text!r}; it must be a field and its values, such as strategy.horizon=10,20.")
        if field in axes:
            raise ConfigError(f"`set` has {field} twice; name all of its values in one.")
        axes[field] = _parse_values(text, values)
    return axes


def grid(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every combination, the last field running fastest.

    Examples
    --------
    >>> list(grid({"a": [1, 2], "b": [3]}))
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    for values in product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def spell(overrides: Overrides) -> str:
    """Say what a variant sets.

    Examples
    --------
    >>> spell({"strategy.horizon": 10, "features.groups": ["returns"]})
    'strategy.horizon=10 features.groups=["returns"]'
    """
    return " ".join(f"{field}={spell_value(value)}" for field, value in overrides.items()) or "nothing changed"


def spell_value(value: object) -> str:
    """Write a value as a command line takes it, floats with the digits that matter to a reader."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def _parse_values(text: str, values: str) -> list[Any]:
    try:
        parsed = yaml.safe_load(f"[{values}]")
    except yaml.YAMLError as error:
        raise ConfigError(f"`set` is {text!r}, whose values are not valid YAML: {error}") from error
    return [value.isoformat() if isinstance(value, date) else value for value in parsed]


def _check_field(experiment: Experiment, field: str) -> None:
    """Refuse what would add a member, or vary words."""
    first, *rest = field.split(".")
    if first in _WORDS:
        raise ConfigError(f"`{field}` does not shape a result; vary {', '.join(_shaping())}.")
    if first == "models":
        if len(rest) < 2:
            raise ConfigError(f"`{field}` names no setting of a member; write models.{next(iter(experiment.models))}.…")
        if rest[0] not in experiment.models:
            raise UnknownNameError("member", rest[0], experiment.models)


def _shaping() -> list[str]:
    return sorted(set(Experiment.model_fields) - _WORDS)


def _put(settings: dict[str, Any], place: Sequence[str], value: Any) -> None:
    *parents, last = place
    for name in parents:
        if not isinstance(settings.get(name), dict):
            settings[name] = {}
        settings = settings[name]
    settings[last] = value
