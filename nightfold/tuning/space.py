"""From a trial to the settings of a model, and whether what a file wants to vary can be varied."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.models.catalog import ModelEntry
from nightfold.models.contract import ModelSpec
from nightfold.tuning.spec import Range, TuningSpec

if TYPE_CHECKING:
    from optuna import Trial


def check_space(entry: ModelEntry, tuning: TuningSpec) -> None:
    """See that each setting exists, and takes each value it is to be tried with.

    Raises
    ------
    UnknownNameError
        If the model has no such setting.
    ConfigError
        If a value is refused, or the model suggests nothing to vary.
    """
    for name, values in tuning.space.items():
        if name not in entry.spec.model_fields:
            raise UnknownNameError(f"setting of `{entry.name}`", name, entry.spec.model_fields)
        for value in [values.low, values.high] if isinstance(values, Range) else values:
            _check_value(entry, name, value)
    if not tuning.space and not _suggests(entry):
        raise ConfigError(f"`{entry.name}` has nothing to vary of its own; name settings in `space`, or drop `tuning`.")


def ask(entry: ModelEntry, spec: ModelSpec, tuning: TuningSpec, trial: "Trial") -> ModelSpec:
    """Ask a trial for a configuration: ``spec`` with the settings of the space changed.

    Raises
    ------
    ConfigError
        If values that are allowed one by one do not go together.
    """
    if tuning.space:
        changed = {name: _suggest(trial, name, values) for name, values in tuning.space.items()}
    else:
        suggested = entry.search_space(trial)
        changed = {name: getattr(suggested, name) for name in suggested.model_fields_set}
    try:
        return type(spec).model_validate({**spec.model_dump(), **changed})
    except ValidationError as error:
        raise ConfigError(f"`space` of `{entry.name}` allows {changed}, which the model refuses: {error}") from error


def _suggest(trial: "Trial", name: str, values: Range | list[Any]) -> Any:
    if isinstance(values, list):
        return trial.suggest_categorical(name, values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return trial.suggest_int(name, values.low, values.high, log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def _check_value(entry: ModelEntry, name: str, value: Any) -> None:
    try:
        entry.spec.model_validate({name: value})
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ConfigError(f"`space.{name}` has {value!r}, which `{entry.name}` refuses: {reason}.") from error


class _Recorder:
    """Stands in for a trial, so that looking at a space needs no Optuna."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def suggest_float(self, name: str, low: float, high: float, **_: Any) -> float:
        """Answer with the lower end."""
        self.asked.append(name)
        return low

    def suggest_int(self, name: str, low: int, high: int, **_: Any) -> int:
        """Answer with the lower end."""
        self.asked.append(name)
        return low

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Answer with the first."""
        self.asked.append(name)
        return choices[0]


def _suggests(entry: ModelEntry) -> bool:
    recorder = _Recorder()
    entry.search_space(recorder)  # type: ignore[arg-type]  # it has what spaces ask of a trial
    return bool(recorder.asked)
