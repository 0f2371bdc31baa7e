"""The extra `neural`: what needs it says so by name where it is not installed."""

from importlib.util import find_spec

from nightfold.errors import NightfoldError


class MissingExtraError(NightfoldError, ImportError):
    """A model is used whose library is not installed; the message names the extra that brings it."""


def require_neural(user: str, *libraries: str) -> None:
    """Refuse to go on without the libraries of the extra.

    Raises
    ------
    MissingExtraError
        With what is missing and how to get it.
    """
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        raise MissingExtraError(
            f"{user} needs {' and '.join(missing)}, not installed here; take the extra `neural`: "
            "`make neural`, or pip install 'nightfold[neural]'."
        )
