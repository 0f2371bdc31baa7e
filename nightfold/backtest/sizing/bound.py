"""How much of a probability its calibration can vouch for: the lower bound of what came where so much was said."""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.sizing.bet import Floats
from nightfold.errors import ConfigError, SchemaError


def lower_bound(share: npt.ArrayLike, rows: npt.ArrayLike, level: float = 0.25) -> Floats:
    """Value that the share behind an observed one lies under with probability ``level``, by Wilson's score interval.

    Parameters
    ----------
    share
        Share of rows in which something came, 0 to 1.
    rows
        Rows behind it, those that share labels counted once; 1 or more.
    level
        Above 0 and at most .5, which bounds nothing: the share itself.

    Raises
    ------
    ConfigError
        If ``level`` is not above 0 and at most .5.

    References
    ----------
    Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference, *JASA* 22.

    Examples
    --------
    >>> lower_bound([0.55, 0.55], [100, 10_000]).round(4).tolist()
    [0.5163, 0.5466]
    """
    if not 0.0 < level <= 0.5:
        raise ConfigError(f"`level` is {level}; it must be above 0 and at most 0.5, such as 0.25.")
    found, count = np.asarray(share, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    score = -NormalDist().inv_cdf(level)
    reach = score * np.sqrt(found * (1.0 - found) / count + (score / (2.0 * count)) ** 2)
    return np.asarray((found + score**2 / (2.0 * count) - reach) / (1.0 + score**2 / count))


def shrunk(probability: Floats, curve: pl.DataFrame, level: float = 0.25) -> Floats:
    """Shrink probabilities to the lower bound of what came where they were said, never above what was said.

    Parameters
    ----------
    probability
        One a row, 0 to 1; NaN stays.
    curve
        Of rows out of sample that were known before, one row a bin: ``said`` (mean probability), ``came`` (share of
        rows) and ``rows``, as from `nightfold.models.calibration_curve.calibration_curve`. Between the bins the bound
        runs straight; beyond the outer ones it is theirs.
    level
        As in `lower_bound`.

    Raises
    ------
    SchemaError
        If the curve has no bin.
    """
    if curve.is_empty():
        raise SchemaError("`curve` has no bin; without rows out of sample nothing vouches for a probability.")
    bins = curve.sort("said")
    bound = lower_bound(bins["came"].to_numpy(), bins["rows"].to_numpy(), level)
    return np.minimum(probability, np.interp(probability, bins["said"].to_numpy(), bound))
