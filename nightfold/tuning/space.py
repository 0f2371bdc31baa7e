"""From a trial to the settings of a model, and whether what a file wants to vary can be varied."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.models.catalog import ModelEntry
from nightfold.models.contract import ModelSpec
from nightfold.tuning.spec import Range, TuningSpec

if TYPE_CHECKING:
    from optuna import Trial

MOST = 4096
"""Combinations that are tried when a file is checked; where there are more, every two settings are combined."""
_WITHIN = 64
"""Whole numbers tried within a range, spread over it."""


def check_space(entry: ModelEntry, spec: ModelSpec, tuning: TuningSpec) -> None:
    """See that each setting exists, and that what is to be tried goes together, beside the settings that stay.

    Raises
    ------
    UnknownNameError
        If the model has no such setting.
    ConfigError
        If a value or a combination is refused, or the model suggests nothing to vary.
    """
    for name in tuning.space:
        if name not in entry.spec.model_fields:
            raise UnknownNameError(f"setting of `{entry.name}`", name, entry.spec.model_fields)
    if not _axes(entry, tuning):
        raise ConfigError(f"`{entry.name}` has nothing to vary of its own; name settings in `space`, or drop `tuning`.")
    for _ in candidates(entry, spec, tuning):
        pass


def candidates(entry: ModelEntry, spec: ModelSpec, tuning: TuningSpec) -> Iterator[ModelSpec]:
    """Yield what a search may come to try: all combinations of listed values and the ends of ranges.

    Of more than `MOST` combinations it is those of every two settings, the others at their first value. Whole numbers
    within a range come one by one, the other settings at their first value.

    Raises
    ------
    ConfigError
        At the first one that the model refuses.
    """
    for chosen in _combinations(_axes(entry, tuning)):
        yield ask(entry, spec, tuning, _Stand(chosen))  # type: ignore[arg-type]  # it has what spaces ask of a trial


def longest_window(entry: ModelEntry, spec: ModelSpec, tuning: TuningSpec) -> int | None:
    """Most bars that a model may come to look at in a search; None where it looks at single rows."""
    if entry.capabilities.inputs == "rows":
        return None
    return max(entry.model(each).window or 1 for each in candidates(entry, spec, tuning))


def ask(entry: ModelEntry, spec: ModelSpec, tuning: TuningSpec, trial: "Trial") -> ModelSpec:
    """Ask a trial for a configuration: ``spec`` with the settings of the space changed.

    Raises
    ------
    ConfigError
        If the model refuses it.
    """
    changed = _suggested(entry, tuning, trial)
    try:
        return type(spec).model_validate({**spec.model_dump(), **changed})
    except ValidationError as error:
        raise ConfigError(_refusal(entry, changed, error)) from error


def _suggested(entry: ModelEntry, tuning: TuningSpec, trial: "Trial") -> dict[str, Any]:
    if tuning.space:
        return {name: _suggest(trial, name, values) for name, values in tuning.space.items()}
    suggested = entry.search_space(trial)
    return {name: getattr(suggested, name) for name in suggested.model_fields_set}


def _suggest(trial: "Trial", name: str, values: Range | list[Any]) -> Any:
    if isinstance(values, list):
        return trial.suggest_categorical(name, values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return trial.suggest_int(name, values.low, values.high, log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def _refusal(entry: ModelEntry, changed: Mapping[str, Any], error: ValidationError) -> str:
    fault = error.errors()[0]
    reason = fault["msg"].removeprefix("Value error, ").rstrip(".")
    place = fault["loc"][0] if fault["loc"] else None
    if place in changed:
        return f"`space.{place}` has {changed[str(place)]!r}, which `{entry.name}` refuses: {reason}."
    tried = ", ".join(f"{name} {value!r}" for name, value in changed.items())
    return (
        f"`space` of `{entry.name}` allows {tried}, which the model refuses: {reason}. List only values that go "
        "together, and with the settings beside `tuning`."
    )


class _Axis(NamedTuple):
    """What one setting may be."""

    values: Sequence[Any]
    """Listed values, or the ends of a range."""
    within: Sequence[int] = ()
    """Whole numbers between the ends."""


class _Stand:
    """Stands in for a trial, so that looking at a space needs no Optuna: answers as told, else with the first value."""

    def __init__(self, chosen: Mapping[str, Any]) -> None:
        self.chosen = chosen
        self.asked: dict[str, _Axis] = {}

    def suggest_float(self, name: str, low: float, high: float, **_: Any) -> Any:
        """Answer between two ends."""
        return self._answer(name, _Axis([low, high]))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, **_: Any) -> Any:
        """Answer between two ends with a whole number."""
        numbers = range(low, high + 1, step)
        within = numbers[1:-1]
        return self._answer(name, _Axis([numbers[0], numbers[-1]], within[:: 1 + len(within) // _WITHIN]))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Answer with a listed value."""
        return self._answer(name, _Axis(list(choices)))

    def _answer(self, name: str, axis: _Axis) -> Any:
        self.asked[name] = axis
        return self.chosen.get(name, axis.values[0])


def _axes(entry: ModelEntry, tuning: TuningSpec) -> dict[str, _Axis]:
    stand = _Stand({})
    _suggested(entry, tuning, stand)  # type: ignore[arg-type]  # it has what spaces ask of a trial
    return stand.asked


def _combinations(axes: Mapping[str, _Axis]) -> Iterator[dict[str, Any]]:
    names = list(axes)
    first = {name: axis.values[0] for name, axis in axes.items()}
    is_small = prod(len(axis.values) for axis in axes.values()) <= MOST
    for group in [names] if is_small else combinations(names, 2):
        for values in product(*(axes[name].values for name in group)):
            yield {**first, **dict(zip(group, values, strict=True))}
    for name, axis in axes.items():
        yield from ({**first, name: number} for number in axis.within)
