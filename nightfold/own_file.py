"""Python files written outside the project: one name is taken from one of them."""

import importlib.util
from pathlib import Path
from types import ModuleType

from nightfold.errors import ConfigError


def load_own(place: str, kind: str, example: str, argument: str = "own") -> tuple[str, object]:
    """Load what a file of your own calls by a name.

    Parameters
    ----------
    place
        File and name, such as ``features.py:spread``. The file is executed.
    kind, example
        What it should be, and such a place, for the messages.
    argument
        What the place was given as, for the messages.

    Returns
    -------
    tuple
        The name, and what it means there.

    Raises
    ------
    ConfigError
        If there is no such file or name, or the file cannot be executed.
    """
    file, _, name = place.rpartition(":")
    if not file or not name.isidentifier():
        raise ConfigError(f"`{argument}` is {place!r}; it must be a file and a {kind}, such as {example}.")
    module = _module(Path(file), argument)
    if not hasattr(module, name):
        raise ConfigError(f"`{argument}` is {place!r}, but {file} has no {kind} `{name}`.")
    return name, getattr(module, name)


def _module(file: Path, argument: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ConfigError(f"`{argument}` names {file}, which is no Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{file} cannot be executed: {type(error).__name__}: {error}.") from error
    return module
