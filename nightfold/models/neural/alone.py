"""One thread and exact kernels for a fit or a forecast, while others may run in the same process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

_LOCK = Lock()
_users: list[tuple[int, bool]] = []
"""One entry per fit or forecast under way: what was set as the first of them came."""


@contextmanager
def alone(device: torch.device) -> Iterator[None]:
    """Let torch use one thread, and only kernels that repeat themselves where that can be had.

    Both are settings of the whole process, so the first to come sets them and the last to leave sets them back. On a
    GPU results may differ from run to run, and nothing is set.
    """
    if device.type != "cpu":
        yield
        return
    with _LOCK:
        _users.append(_users[0] if _users else (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        with _LOCK:
            threads, deterministic = _users.pop()
            torch.set_num_threads(threads if not _users else 1)
            torch.use_deterministic_algorithms(deterministic or bool(_users))
