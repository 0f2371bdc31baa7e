"""Numba kernels and TA-Lib, imported at first use: reading the catalog must not cost the second they take."""

from importlib import import_module
from typing import TYPE_CHECKING, Any


class LazyModule:
    """Stands in for a module until one of its attributes is wanted."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        """Import the module, and remember what was asked for."""
        value = getattr(import_module(self._name), attribute)
        setattr(self, attribute, value)
        return value


if TYPE_CHECKING:
    import talib

    from nightfold.features import column, finite, pattern, recursive, rolling
else:
    talib = LazyModule("talib")
    column = LazyModule("nightfold.features.column")
    finite = LazyModule("nightfold.features.finite")
    rolling = LazyModule("nightfold.features.rolling")
    recursive = LazyModule("nightfold.features.recursive")
    pattern = LazyModule("nightfold.features.pattern")

__all__ = ["column", "finite", "pattern", "recursive", "rolling", "talib"]
