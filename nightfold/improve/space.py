"""What a search over variants may change: fields of an experiment file, each with a list of values or a range."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from nightfold.configuration import read_mapping
from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.improve.variant import Check, vary
from nightfold.models.catalog import find_model
from nightfold.tuning.spec import Range

Values = Range | Annotated[list[Any], Field(min_length=1)]
Space = Mapping[str, Values]
"""Dotted field to the values it may take."""

_EDGES_BPS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0)
_LEAST_TRAIN_DAYS = 14

_VALUES: TypeAdapter[Values] = TypeAdapter(Values)


def load_space(path: Path, experiment: Experiment, check: Check = lambda _: None) -> dict[str, Values]:
    """Read a space from a YAML or JSON file.

    Parameters
    ----------
    path
        A mapping of dotted fields, each to a list of values or to ``low``, ``high`` and ``log``.
    experiment, check
        What is varied, and what its variants must keep to.

    Raises
    ------
    ConfigError
        If the file is wrong, or the experiment refuses a value where nothing else is changed.
    """
    found = {field: _values(path, field, said) for field, said in read_mapping(path).items()}
    if not found:
        raise ConfigError(f"{path} names no field; write one, such as strategy.min_edge_bps: [0, 5, 10].")
    for field, values in found.items():
        for value in [values.low, values.high] if isinstance(values, Range) else values:
            _check_value(path, experiment, field, value, check)
    return found


def default_space(experiment: Experiment, history_days: int) -> dict[str, Values]:
    """Choose what is worth varying: least edge, horizon traded, days trained on, and what each model suggests.

    Parameters
    ----------
    experiment
        Members that have a search of their own are left to it, and so are thresholds where a policy is searched.
    history_days
        Days before the first as-of: no model can train on more.
    """
    space: dict[str, Values] = {}
    if experiment.policy is None:
        space["strategy.min_edge_bps"] = [*_EDGES_BPS]
    if len(experiment.target.horizons) > 1:
        space["strategy.horizon"] = list(experiment.target.horizons)
    days = experiment.split.train_days
    lengths = [each for each in (days // 2, days, 2 * days) if _LEAST_TRAIN_DAYS <= each <= history_days]
    if not experiment.split.expanding and len(lengths) > 1:
        space["split.train_days"] = lengths
    for member, choice in experiment.models.items():
        if choice.tuning is None:
            space |= {f"models.{member}.{name}": values for name, values in _suggested(choice.model)}
    return space


def space_settings(space: Space) -> dict[str, Any]:
    """Return a space as plain data."""
    return {
        field: values.model_dump(mode="json") if isinstance(values, Range) else values
        for field, values in space.items()
    }


def _values(path: Path, field: str, said: Any) -> Values:
    try:
        return _VALUES.validate_python(said)
    except ValidationError as error:
        raise ConfigError(
            f"{path}: `{field}` is {said!r}; it must be a list of values, or a range such as "
            "{low: 0.01, high: 0.2, log: true}."
        ) from error


def _check_value(path: Path, experiment: Experiment, field: str, value: Any, check: Check) -> None:
    try:
        vary(experiment, {field: value}, check)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _suggested(model: str) -> Iterator[tuple[str, Values]]:
    """Ask a model family what it would vary."""
    entry, recorder = find_model(model), _Recorder()
    entry.search_space(recorder)  # type: ignore[arg-type]  # it has what spaces ask of a trial
    for name, values in recorder.asked.items():
        if name in entry.spec.model_fields:
            yield name, values


class _Recorder:
    """Stands in for a trial, and writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: dict[str, Values] = {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False, **_: Any) -> float:
        """Answer with the lower end."""
        self.asked[name] = Range(low=float(low), high=float(high), log=log)
        return low

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False, **_: Any) -> int:
        """Answer with the lower end."""
        self.asked[name] = Range(low=low, high=high, log=log)
        return low

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Answer with the first."""
        self.asked[name] = list(choices)
        return choices[0]
