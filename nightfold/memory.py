"""What glibc does with memory that is freed: hands it back to the system, unless it has seen large pieces freed."""

import numpy as np

_KEPT = 31 * 2**20
"""Bytes whose release raises the bound over which glibc hands memory back, just under the most that it heeds."""


def keep_freed_memory() -> None:
    """Let glibc keep up to twice that many freed bytes for what comes next; elsewhere it does nothing.

    The piece is never touched, so it costs no memory, and freed at once. Without it work on arrays of a few megabytes
    may get its pages anew from the system each time, which takes as long as the work.
    """
    np.empty(_KEPT, dtype=np.uint8)
