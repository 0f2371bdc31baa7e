"""Numba kernels, pyarrow and TA-Lib, imported at first use: reading the catalog must not cost the second they take."""

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
    import pyarrow
    import talib

    from nightfold.features import (
        about_zero,
        column,
        finite,
        formula,
        one_pass,
        pattern,
        recursive,
        rolling,
        spaced,
        steps,
    )
else:
    pyarrow = LazyModule("pyarrow")
    talib = LazyModule("talib")
    about_zero = LazyModule("nightfold.features.about_zero")
    column = LazyModule("nightfold.features.column")
    finite = LazyModule("nightfold.features.finite")
    formula = LazyModule("nightfold.features.formula")
    rolling = LazyModule("nightfold.features.rolling")
    recursive = LazyModule("nightfold.features.recursive")
    one_pass = LazyModule("nightfold.features.one_pass")
    pattern = LazyModule("nightfold.features.pattern")
    spaced = LazyModule("nightfold.features.spaced")
    steps = LazyModule("nightfold.features.steps")

__all__ = [
    "about_zero",
    "column",
    "finite",
    "formula",
    "one_pass",
    "pattern",
    "pyarrow",
    "recursive",
    "rolling",
    "spaced",
    "steps",
    "talib",
]
