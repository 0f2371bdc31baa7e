"""What fits on the very same rows make once: bins, which take longer than many a tree."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar

T = TypeVar("T")


class Shared:
    """Keeps what was made for some rows, for all fits on these rows and no others.

    A search hands one to every trial of a fold; whoever makes something names in the key all it depends on beside the
    rows. It is made once also where fits run side by side.

    Examples
    --------
    >>> shared = Shared()
    >>> shared.once("bins", lambda: [1]) is shared.once("bins", lambda: [2])
    True
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, object] = {}
        self._lock = Lock()

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made under a key, made now if this is the first time."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]  # type: ignore[return-value]  # whoever knows the key knows the type
