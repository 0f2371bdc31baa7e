"""What goes wrong inside Python files written outside the project, told as a setting that is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb

from nightfold.errors import ConfigError, NightfoldError


@contextmanager
def own_code(place: str, way_out: str) -> Iterator[None]:
    """Run code of a file of your own, and say where in it and with which words it failed.

    Parameters
    ----------
    place
        File and name, as `load_own` takes them.
    way_out
        A sentence: what the code was given and what it must do.

    Raises
    ------
    ConfigError
        If the code raises; the line is the innermost of the file, or of what it called where none of the file ran.

    Examples
    --------
    >>> with own_code("folds.py:made", "Give splits."):
    ...     [][3]
    Traceback (most recent call last):
        ...
    nightfold.errors.ConfigError: `own` is 'folds.py:made', and ... IndexError: list index out of range. Give splits.
    """
    try:
        yield
    except NightfoldError:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {error}".rstrip(". \n")
        raise ConfigError(f"`own` is {place!r}, and {_where(error, place)} raised {words}. {way_out}") from error


def _where(error: Exception, place: str) -> str:
    file = Path(place.rpartition(":")[0])
    lines = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    own = [(file, line) for name, line in lines if name.resolve() == file.resolve()]
    name, line = (own or lines)[-1]
    return f"{name}, line {line},"
