"""Rows a model learns from: features, labels and weights as plain arrays, checked once at this door."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nightfold.errors import SchemaError
from nightfold.models.objective import Objective
from nightfold.models.window import Windows

THREE_CLASSES = Objective()
Features = NDArray[np.float32] | Windows
"""A table of rows and columns, or a window of consecutive rows for each labelled bar."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled rows, in time order.

    Parameters
    ----------
    features
        One row per labelled bar, one column per name, kept as C-contiguous float32; or `Windows` that end there.
    names
        Feature names in column order, each once.
    label
        One per row: a class of the objective, kept as int8, or a finite value, kept as float64.
    weight
        How much a row counts, 0 or more; a row of weight 0 is as good as absent. Models look at ratios only, so the
        scale is free; a split hands them out with mean 1.
    objective
        What is to be forecast.
    balanced
        Whether a fit on these rows weighs all classes alike, by the weights they have among its own rows.

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

    features: Features
    names: tuple[str, ...]
    label: NDArray[Any]
    weight: NDArray[np.float64]
    objective: Objective = THREE_CLASSES
    balanced: bool = False

    def __post_init__(self) -> None:
        features = self.features if isinstance(self.features, Windows) else _as_float32(self.features)
        label, weight = np.asarray(self.label), np.ascontiguousarray(self.weight, dtype=np.float64)
        faults = [
            *_shape_faults(features, self.names, label, weight),
            *_value_faults(features, label, weight, self.objective),
        ]
        if faults:
            raise SchemaError(f"Rows to learn from have faults: {'; '.join(faults)}.")
        kind = np.int8 if self.objective.classes else np.float64
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "label", np.ascontiguousarray(label, dtype=kind))
        object.__setattr__(self, "weight", weight)

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        names: Sequence[str],
        label: str,
        weight: str | None = None,
        objective: Objective | None = None,
    ) -> Self:
        """Take rows from a frame.

        Parameters
        ----------
        frame
            Holds the columns ``names``, ``label`` and ``weight``, all without nulls.
        names
            Feature columns, in the order the model shall see them.
        label, weight
            Names of the label column and of the weight column; without a weight every row counts 1.
        objective
            What is to be forecast; none: three classes.

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
        return cls(features, tuple(names), frame[label].to_numpy(), weights, objective or Objective())

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.label)

    @property
    def table(self) -> NDArray[np.float32]:
        """Features of each labelled bar itself, one row each."""
        return self.features.newest if isinstance(self.features, Windows) else self.features

    @property
    def codes(self) -> NDArray[np.int8]:
        """Position of each label among the objective's classes: 0, 1, ..."""
        return self.label - np.int8(self.objective.classes[0])

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of names and all values; equal rows in equal order give equal digits."""
        told = (str(len(self)), *self.names, *(["balanced"] if self.balanced else []))
        digest = hashlib.sha256("\n".join(told).encode())
        for array in (self.features, self.label, self.weight):
            digest.update(array.fingerprint.encode() if isinstance(array, Windows) else array.data)
        return digest.hexdigest()[:16]

    def take(self, rows: ArrayLike) -> "Dataset":
        """Return some rows, chosen by positions or by a mask; weights keep their values."""
        chosen = np.asarray(rows)
        chosen = chosen if chosen.dtype == bool else chosen.astype(np.int64)
        return replace(self, features=self.features[chosen], label=self.label[chosen], weight=self.weight[chosen])

    def join(self, later: "Dataset") -> "Dataset":
        """Return these rows followed by others with the same features.

        Raises
        ------
        SchemaError
            If the features differ in name or order.
        """
        if self.names != later.names:
            raise SchemaError(f"Rows have different features: {_difference(self.names, later.names)}.")
        return replace(
            self,
            features=_joined(self.features, later.features),
            label=np.concatenate([self.label, later.label]),
            weight=np.concatenate([self.weight, later.weight]),
        )


def _joined(first: Features, second: Features) -> Features:
    if isinstance(first, Windows) and isinstance(second, Windows):
        return first.join(second)
    if isinstance(first, Windows) or isinstance(second, Windows):
        raise SchemaError("Rows and windows do not join; both parts of a split come from the same sample.")
    return np.concatenate([first, second])


def _as_float32(features: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what overflows becomes infinite, which is refused below with its column
        return np.ascontiguousarray(features, dtype=np.float32)


def _shape_faults(
    features: Features, names: Sequence[str], label: NDArray[Any], weight: NDArray[np.float64]
) -> list[str]:
    faults = []
    if isinstance(features, np.ndarray) and features.ndim != 2:
        return [f"features have {features.ndim} dimensions; a table of rows and columns is needed"]
    rows, width = len(features), features.shape[-1]
    if len(names) != width:
        faults.append(f"{len(names)} names for {width} feature columns")
    if repeated := sorted({name for name in names if list(names).count(name) > 1}):
        faults.append(f"features named twice: {', '.join(repeated)}")
    faults += [
        f"{kind} has shape {array.shape}; {rows} rows are needed"
        for kind, array in (("label", label), ("weight", weight))
        if array.shape != (rows,)
    ]
    return faults


def _value_faults(
    features: Features, label: NDArray[Any], weight: NDArray[np.float64], objective: Objective
) -> list[str]:
    faults = []
    if isinstance(features, np.ndarray) and not np.isfinite(features).all():
        faults.append(f"{np.count_nonzero(~np.isfinite(features))} feature values are NaN or infinite")
    if objective.classes:
        if not (known := np.isin(label, objective.classes)).all():
            allowed = ", ".join(f"{each:+d}" if each else "0" for each in objective.classes)
            faults.append(f"{np.count_nonzero(~known)} labels such as {label[~known][0]} are none of {allowed}")
    elif not np.isfinite(np.asarray(label, dtype=np.float64)).all():
        faults.append("labels are NaN or infinite")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        faults.append("weights are negative, NaN or infinite")
    return faults


def _difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    lacking, unknown = sorted(set(ours) - set(theirs)), sorted(set(theirs) - set(ours))
    if lacking or unknown:
        return f"lacking {', '.join(lacking) or 'none'}, unknown {', '.join(unknown) or 'none'}"
    return "the same names in another order"
