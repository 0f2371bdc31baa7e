"""What a forecast without barriers says of the price: its expected log move over the horizon."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from nightfold.models.objective import Objective


def expected_move(objective: Objective, dead_zone: float, weights: Sequence[float] | None = None) -> pl.Expr:
    """Read the expected log return over the horizon from a forecast.

    Parameters
    ----------
    objective
        Task of the forecasts, whose columns the expression reads, beside ``width`` for classes.
    dead_zone
        Widths within which a move counts as none, for the three classes of a direction.
    weights
        Of the quantiles, in the place of those of their mean; such as .1, .8, .1 of .05, .5, .95.

    Returns
    -------
    Expr
        The forecast mean; of quantiles the mean of the quantile function that is linear between them and flat beyond
        the outer ones; of classes the share of up less that of down, times the mean size of such a move under a normal
        distribution as wide as volatility leads to expect.

    Examples
    --------
    >>> said = pl.DataFrame({"q05": [-0.03], "q50": [0.004], "q95": [0.05]})
    >>> round(said.select(expected_move(Objective(task="quantile"), 0.3)).item(), 4)
    0.0073
    """
    if objective.task in {"regression", "next_bar"}:
        return pl.col("mean")
    if objective.task == "quantile":
        weights = quantile_weights(objective.quantiles) if weights is None else weights
        parts = [pl.col(name) * weight for name, weight in zip(objective.columns, weights, strict=True)]
        return pl.sum_horizontal(parts, ignore_nulls=False)
    if objective.task == "binary":
        return (pl.col("p_yes") - pl.col("p_no")) * pl.col("width") * mean_size(0.0)
    return (pl.col("p_up") - pl.col("p_down")) * pl.col("width") * mean_size(dead_zone)


def strength(objective: Objective, cost: float | pl.Expr) -> pl.Expr:
    """How far the mean of forecast quantiles lies beyond the cost of a round trip, in units of their outer distance.

    Negative where the cost is not reached; null where the outer quantiles do not lie apart.

    Examples
    --------
    >>> said = pl.DataFrame({"q05": [-0.03], "q50": [0.004], "q95": [0.05]})
    >>> round(said.select(strength(Objective(task="quantile"), 0.002)).item(), 3)
    0.066
    """
    spread = pl.col(objective.columns[-1]) - pl.col(objective.columns[0])
    return pl.when(spread > 0).then((expected_move(objective, 0.0).abs() - cost) / spread)


def quantile_weights(levels: list[float]) -> list[float]:
    """Weight of each quantile in the mean of the piecewise linear quantile function.

    Examples
    --------
    >>> quantile_weights([0.05, 0.5, 0.95])
    [0.275, 0.45, 0.275]
    """
    edges = np.array([0.0, *((low + high) / 2 for low, high in pairwise(levels)), 1.0])
    return [round(float(weight), 12) for weight in np.diff(edges)]


def mean_size(beyond: float) -> float:
    """Mean of a standard normal above ``beyond``: density over upper tail."""
    density = math.exp(-(beyond**2) / 2) / math.sqrt(2 * math.pi)
    return density / (0.5 * math.erfc(beyond / math.sqrt(2)))
