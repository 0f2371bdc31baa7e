"""Whether what is said to be likely comes as often as that: probabilities beside shares, in bins."""

import numpy as np
import polars as pl
from numpy.typing import ArrayLike


def calibration_curve(probability: ArrayLike, came: ArrayLike, bins: int = 10) -> pl.DataFrame:
    """Sort forecasts into bins of equally many rows and compare each bin with what came.

    Parameters
    ----------
    probability
        One per row, 0 to 1.
    came
        Whether it came.
    bins
        Most bins; rows with the same probability share one, so few values give fewer bins.

    Returns
    -------
    DataFrame
        One row per bin, ascending: ``lowest``, ``highest``, ``said`` (mean probability), ``came`` (share), ``error``
        (standard error of that share if what was said were true) and ``rows``; none without forecasts.

    Examples
    --------
    >>> calibration_curve([0.2, 0.2, 0.8, 0.8], [False, False, True, False], bins=2).select("said", "came").rows()
    [(0.2, 0.0), (0.8, 0.5)]
    """
    forecasts = pl.DataFrame(
        {"probability": np.asarray(probability, dtype=np.float64), "came": np.asarray(came, dtype=np.float64)}
    )
    said = pl.col("probability")
    place = (said.rank("average") - 0.5) / pl.len() * bins
    return (
        forecasts.group_by(place.floor().alias("bin"))
        .agg(
            said.min().alias("lowest"),
            said.max().alias("highest"),
            said.mean().alias("said"),
            pl.col("came").mean(),
            ((said * (1 - said)).sum().sqrt() / pl.len()).alias("error"),
            pl.len().cast(pl.Int64).alias("rows"),
        )
        .sort("bin")
        .drop("bin")
    )


def confidence_curve(forecast: ArrayLike, confidence: ArrayLike, label: ArrayLike, bins: int = 10) -> pl.DataFrame:
    """Compare the confidence in a sign with how often it was right, on rows where forecast and label have a sign.

    Parameters
    ----------
    forecast, confidence
        Change that was forecast, and the probability that its sign is right.
    label
        Change that came.
    bins
        Most bins.

    Returns
    -------
    DataFrame
        As `calibration_curve` gives it.

    Examples
    --------
    >>> confidence_curve([0.1, -0.1, 0.1], [0.6, 0.6, 0.9], [0.2, 0.3, 0.0], bins=1).select("said", "came").rows()
    [(0.6, 0.5)]
    """
    said, came = np.sign(np.asarray(forecast)), np.sign(np.asarray(label))
    signed = (said != 0) & (came != 0)
    return calibration_curve(np.asarray(confidence)[signed], (said == came)[signed], bins)
