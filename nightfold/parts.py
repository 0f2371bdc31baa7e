"""The parts of a split as tables a person can open: scaled features beside label, weight and times."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.schema import KEY
from nightfold.target import Target
from nightfold.training import Sample


def scaled_parts(sample: Sample) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each part of a sample by name: its rows with features in standard deviations of the training rows.

    Returns
    -------
    Iterator
        ``train``, ``stopping``, ``validation``, each with ``symbol``, ``open_time``, ``label_end``, ``label``,
        ``weight`` (classes not yet balanced) and the features, as Float32: mean 0 and deviation 1 over the training
        rows. A feature that never moves there is 0.
    """
    for name, part in sample.parts.items():
        yield name, sample.keys[name].with_columns(_scaled(sample, part.table))


def scaled_rows(sample: Sample, rows: pl.DataFrame, target: Target, horizon: int) -> pl.DataFrame:
    """Lay later rows out like the parts, such as those of the period that the models are in force: the test rows.

    Their weights are those of the labels alone: none of them is older than the as-of.

    Parameters
    ----------
    sample
        Whose training rows scale.
    rows
        Features and label columns; rows that lack a feature or whose label is not known are left out.
    target, horizon
        What was learnt.
    """
    names = sample.train.names
    known = rows.with_columns(**target.labelled(horizon)).drop_nulls(["label", *names])
    features = known.select(pl.col(names).cast(pl.Float32)).to_numpy(order="c")
    return known.select(*KEY, "label_end", "label", "weight").with_columns(_scaled(sample, features))


def _scaled(sample: Sample, features: NDArray[np.float32]) -> list[pl.Series]:
    mean, deviation = (np.array(sample.scaler[key]) for key in ("mean", "standard_deviation"))
    values = (features - mean) / np.where(deviation > 0, deviation, np.inf)
    return [
        pl.Series(name, np.ascontiguousarray(values[:, place], dtype=np.float32))
        for place, name in enumerate(sample.train.names)
    ]
