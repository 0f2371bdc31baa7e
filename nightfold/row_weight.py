"""How much a row counts beyond its label's own weight: less with age, by option."""

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
