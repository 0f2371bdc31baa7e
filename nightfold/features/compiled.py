"""One way to compile array kernels: cached on disk, without the interpreter lock, dividing as numpy does."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """Compile at first call and keep the signature for readers and type checkers."""
    return cast(Kernel, njit(cache=True, nogil=True, error_model="numpy")(function))


def lean(function: Kernel) -> Kernel:
    """Compile a kernel that makes no array, so that references to arrays need not be counted.

    Counting takes 140 ns a call from kernel to kernel, as long as the work on 2,000 numbers. The option may go once
    numba prunes the counts itself.
    """
    options = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
    return cast(Kernel, njit(**options)(function))  # type: ignore[call-overload]  # numba's stubs lack `_nrt`
