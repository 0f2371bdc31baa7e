"""How much a row counts beyond its label's own weight: less with age, more where its class is rare; both by option."""

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.splits.as_of import SplitSpec
from nightfold.target import Target

Array = NDArray[np.float64]


def row_weights(
    rows: pl.DataFrame, train: NDArray[np.int64], target: Target, spec: SplitSpec, as_of: datetime
) -> Array:
    """Weigh the rows of a split: those of all parts alike, by what the training rows say.

    Parameters
    ----------
    rows
        ``open_time``, ``label``, and ``weight`` of the label, known.
    train
        Places of the training rows among them.
    target, spec
        ``class_weight`` and ``half_life_days``; without them weights stay as they are.
    as_of
        The moment that age counts back from.

    Returns
    -------
    Array
        One weight a row, on any scale; the sample brings the training rows to mean 1.
    """
    weight = rows["weight"].cast(pl.Float64).to_numpy() * decay(rows["open_time"], as_of, spec.half_life_days)
    if target.class_weight == "none":
        return np.asarray(weight)
    label, classes = rows["label"].to_numpy(), target.objective.classes
    return np.asarray(weight * balance(label, label[train], weight[train], classes))


def decay(open_time: pl.Series, as_of: datetime, half_life_days: float | None) -> Array:
    """Halve what a row counts for every half-life between its bar and the as-of; 1 without one.

    Examples
    --------
    >>> moments = pl.Series([datetime(2024, 1, 1), datetime(2024, 1, 21), datetime(2024, 1, 31)])
    >>> decay(moments, datetime(2024, 1, 31), 10.0).tolist()
    [0.125, 0.5, 1.0]
    """
    if half_life_days is None:
        return np.ones(len(open_time))
    days = (pl.lit(as_of) - pl.col("open_time")).dt.total_milliseconds() / 86_400_000
    return np.asarray(open_time.to_frame("open_time").select(0.5 ** (days / half_life_days)).to_series().to_numpy())


def balance(label: Array, train_label: Array, train_weight: Array, classes: tuple[int, ...]) -> Array:
    """Scale rows so that every class that the training rows show has the same weight among them, of unchanged sum.

    Parameters
    ----------
    label
        Of the rows to be scaled; a class that the training rows lack stays as it is.
    train_label, train_weight
        Of the training rows.
    classes
        All there are.

    Examples
    --------
    >>> labels, weights = np.array([0, 0, 0, 1]), np.array([1.0, 1.0, 2.0, 1.0])
    >>> balance(labels, labels, weights, (0, 1)).tolist()
    [0.625, 0.625, 0.625, 2.5]
    """
    sums = {each: float(train_weight[train_label == each].sum()) for each in classes}
    known = {each: total for each, total in sums.items() if total > 0}
    scale = np.ones(len(label))
    for each, total in known.items():
        scale[label == each] = sum(known.values()) / len(known) / total
    return scale


def even_share(weight: Array) -> float:
    """Part of the rows that weights as uneven as these leave: 1 where all count the same.

    References
    ----------
    Kish (1965), *Survey Sampling*, section 11.7.

    Examples
    --------
    >>> even_share(np.array([1.0, 1.0, 0.0, 0.0])), even_share(np.array([3.0, 3.0]))
    (0.5, 1.0)
    """
    return float(weight.sum() ** 2 / (len(weight) * (weight**2).sum()))
