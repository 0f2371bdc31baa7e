"""How the kernel is compiled: cached on disk under a digest of the whole package, without counting references."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import IndexDataCacheFile

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_PACKAGE = hashlib.sha256(
    b"\0".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()[:16]


def compiled(function: Kernel) -> Kernel:
    """Compile a function, keeping the result on disk.

    Nothing here allocates, so numba need not count references: it would do so for each array of each tuple at each
    call, which takes ten times as long as the work. The option may go once numba prunes these counts itself.
    """
    return _compile(function, forceinline=False)


def inlined(function: Kernel) -> Kernel:
    """Compile a function that is asked about every bar into its callers; a call passes all those tuples."""
    return _compile(function, forceinline=True)


def _compile(function: Kernel, forceinline: bool) -> Kernel:
    """Compile under a name for all files: numba's own stamp knows only that of the function, not of its callees."""
    options = {"cache": True, "error_model": "numpy", "nogil": True, "_nrt": False, "forceinline": forceinline}
    dispatcher: Any = njit(**options)(function)  # type: ignore[call-overload]  # numba's stubs lack `_nrt`
    cache = dispatcher._cache
    name = f"{cache._impl.filename_base}.{_PACKAGE}"
    make: Any = IndexDataCacheFile
    cache._cache_file = make(cache.cache_path, name, source_stamp=_PACKAGE)
    return cast(Kernel, dispatcher)
