"""One way to compile array kernels: cached on disk, without the interpreter lock, dividing as numpy does."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """Compile at first call and keep the signature for readers and type checkers."""
    return cast(Kernel, njit(cache=True, nogil=True, error_model="numpy")(function))
