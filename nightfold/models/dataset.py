"""Rows a model learns from: features, labels and weights as plain arrays, checked once at this door."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nightfold.errors import SchemaError

CLASSES: tuple[Literal[-1], Literal[0], Literal[1]] = (-1, 0, 1)
"""Labels in the order of probability columns: lower barrier first, neither, upper barrier first."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled rows, in time order.

    Parameters
    ----------
    features
        One row per labelled bar, one column per name; kept as C-contiguous float32.
    names
        Feature names in column order, each once.
    label
        -1, 0 or +1 per row.
    weight
        How much a row counts, 0 or more; a row of weight 0 is as good as absent. Models look at ratios only, so the
        scale is free; a split hands them out with mean 1.

    Raises
    ------
    SchemaError
        With every fault: lengths that differ, names given twice, NaN, infinity, unknown labels, negative weights.

    Examples
    --------
    >>> rows = Dataset([[0.5], [0.1]], ("rsi_14",), [1, -1], [1.0, 1.0])
    >>> rows.take([1]).label
    array([-1], dtype=int8)
    """

    features: NDArray[np.float32]
    names: tuple[str, ...]
    label: NDArray[np.int8]
    weight: NDArray[np.float64]

    def __post_init__(self) -> None:
        features = _as_float32(self.features)
        label, weight = np.asarray(self.label), np.ascontiguousarray(self.weight, dtype=np.float64)
        faults = [*_shape_faults(features, self.names, label, weight), *_value_faults(features, label, weight)]
        if faults:
            raise SchemaError(f"Rows to learn from have faults: {'; '.join(faults)}.")
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "label", np.ascontiguousarray(label, dtype=np.int8))
        object.__setattr__(self, "weight", weight)

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, names: Sequence[str], label: str, weight: str | None = None) -> Self:
        """Take rows from a frame.

        Parameters
        ----------
        frame
            Holds the columns ``names``, ``label`` and ``weight``, all without nulls.
        names
            Feature columns, in the order the model shall see them.
        label, weight
            Names of the label column and of the weight column; without a weight every row counts 1.

        Raises
        ------
        SchemaError
            If a column is absent or holds nulls, or the values are refused.
        """
        columns = [*names, label, *([weight] if weight else [])]
        absent = [name for name in columns if name not in frame.columns]
        if absent:
            raise SchemaError(f"The frame to learn from lacks the columns {', '.join(absent)}.")
        nulls = [f"{name} ({count})" for name in columns if (count := frame[name].null_count())]
        if nulls:
            raise SchemaError(f"Rows to learn from hold nulls: {', '.join(nulls)}; drop those rows first.")
        features = frame.select(pl.col(names).cast(pl.Float32)).to_numpy(order="c")
        weights = frame[weight].to_numpy() if weight else np.ones(frame.height)
        return cls(features, tuple(names), frame[label].to_numpy(), weights)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.label)

    @property
    def codes(self) -> NDArray[np.int8]:
        """Position of each label in `CLASSES`: 0, 1 or 2."""
        return self.label + np.int8(1)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of names and all values; equal rows in equal order give equal digits."""
        digest = hashlib.sha256("\n".join((str(len(self)), *self.names)).encode())
        for array in (self.features, self.label, self.weight):
            digest.update(array.data)
        return digest.hexdigest()[:16]

    def take(self, rows: ArrayLike) -> "Dataset":
        """Return some rows, chosen by positions or by a mask; weights keep their values."""
        chosen = np.asarray(rows)
        chosen = chosen if chosen.dtype == bool else chosen.astype(np.int64)
        return Dataset(self.features[chosen], self.names, self.label[chosen], self.weight[chosen])

    def join(self, later: "Dataset") -> "Dataset":
        """Return these rows followed by others with the same features.

        Raises
        ------
        SchemaError
            If the features differ in name or order.
        """
        if self.names != later.names:
            raise SchemaError(f"Rows have different features: {_difference(self.names, later.names)}.")
        return Dataset(
            np.concatenate([self.features, later.features]),
            self.names,
            np.concatenate([self.label, later.label]),
            np.concatenate([self.weight, later.weight]),
        )


def _as_float32(features: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what overflows becomes infinite, which is refused below with its column
        return np.ascontiguousarray(features, dtype=np.float32)


def _shape_faults(
    features: NDArray[np.float32], names: Sequence[str], label: NDArray[Any], weight: NDArray[np.float64]
) -> list[str]:
    faults = []
    if features.ndim != 2:
        return [f"features have {features.ndim} dimensions; a table of rows and columns is needed"]
    if len(names) != features.shape[1]:
        faults.append(f"{len(names)} names for {features.shape[1]} feature columns")
    if repeated := sorted({name for name in names if list(names).count(name) > 1}):
        faults.append(f"features named twice: {', '.join(repeated)}")
    faults += [
        f"{kind} has shape {array.shape}; {features.shape[0]} rows are needed"
        for kind, array in (("label", label), ("weight", weight))
        if array.shape != (features.shape[0],)
    ]
    return faults


def _value_faults(features: NDArray[np.float32], label: NDArray[Any], weight: NDArray[np.float64]) -> list[str]:
    faults = []
    if not np.isfinite(features).all():
        faults.append(f"{np.count_nonzero(~np.isfinite(features))} feature values are NaN or infinite")
    if not (known := np.isin(label, CLASSES)).all():
        faults.append(f"{np.count_nonzero(~known)} labels such as {label[~known][0]} are none of -1, 0, +1")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        faults.append("weights are negative, NaN or infinite")
    return faults


def _difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    lacking, unknown = sorted(set(ours) - set(theirs)), sorted(set(theirs) - set(ours))
    if lacking or unknown:
        return f"lacking {', '.join(lacking) or 'none'}, unknown {', '.join(unknown) or 'none'}"
    return "the same names in another order"
