"""Model families written outside the project, found by a file and a name and made entries like the catalog's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nightfold.errors import ConfigError
from nightfold.models.catalog import ModelEntry, find_model
from nightfold.models.contract import Capabilities, Model
from nightfold.models.objective import Task
from nightfold.own_file import load_own


def load_entry(place: str, tasks: Sequence[Task] = ()) -> ModelEntry:
    """Find a family by its name, or in a file.

    Parameters
    ----------
    place
        A name of the catalog or of an installed package, or a file and what it calls the entry or the class, such as
        ``my_model.py:ENTRY``. The file is executed.
    tasks
        What a bare class forecasts; an entry says so itself.

    Raises
    ------
    ConfigError
        If there is none, it is neither an entry nor a model class, or a bare class comes without tasks.
    """
    if ":" not in place and not place.endswith(".py"):
        return find_model(place)
    name, found = load_own(place, "model", "my_model.py:ENTRY", argument="NAME")
    if isinstance(found, ModelEntry):
        return replace(found, place=place)
    if not (isinstance(found, type) and issubclass(found, Model)):
        raise ConfigError(
            f"`NAME` is {place!r}, a {type(found).__name__}; it must be a ModelEntry or a subclass of Model."
        )
    if not tasks:
        raise ConfigError(
            f"`NAME` is {place!r}, a bare class; say with `--task` what it forecasts, or name a ModelEntry."
        )
    return _entry_of_class(name, found, tuple(tasks), place)


def _entry_of_class(name: str, model: type[Model[Any]], tasks: tuple[Task, ...], place: str) -> ModelEntry:
    spec = model.spec_type
    return ModelEntry(
        name=name,
        family="own",
        spec=spec,
        model=model,
        search_space=lambda _: spec(),
        capabilities=Capabilities(tasks, inputs="windows" if model(spec()).window else "rows"),
        place=place,
    )
