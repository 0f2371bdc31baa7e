"""How good forecasts of values are: of a mean, and of quantiles.

`label` is what came; `weight` says how much a row counts, each 1 where it is left out. A measure without rows, or
without what it divides by, is None.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = Array | None


def pinball_losses(quantiles: Array, label: Array, levels: Sequence[float]) -> Array:
    """Return the pinball loss of each row and level: (rows, levels).

    References
    ----------
    Koenker and Bassett (1978), Regression Quantiles, *Econometrica* 46.

    Examples
    --------
    >>> pinball_losses(np.array([[1.0]]), np.array([3.0]), [0.9]).tolist()
    [[1.8]]
    """
    miss = label[:, None] - quantiles
    level = np.asarray(levels)
    return np.asarray(np.maximum(level * miss, (level - 1) * miss))


def mean_scores(forecast: Array, label: Array, weight: Weights = None) -> dict[str, float | None]:
    """Root mean square and mean absolute error, R2 against the mean of what came, and the share of signs forecast.

    The sign counts on rows where neither the forecast nor what came is 0.
    """
    signed = (forecast != 0) & (label != 0)
    right = np.sign(forecast[signed]) == np.sign(label[signed])
    square = _mean((label - forecast) ** 2, weight)
    center = _mean(label, weight)
    spread = None if center is None else _mean((label - center) ** 2, weight)
    return {
        "rmse": None if square is None else float(np.sqrt(square)),
        "mae": _mean(np.abs(label - forecast), weight),
        "r2": None if square is None or not spread else 1 - square / spread,
        "sign_accuracy": _mean(right, None if weight is None else weight[signed]),
    }


def quantile_scores(
    quantiles: Array, label: Array, levels: Sequence[float], weight: Weights = None
) -> dict[str, float | None]:
    """Pinball loss, mean and per level; the share of rows at or under each level, and between the outer two."""
    losses = pinball_losses(quantiles, label, levels)
    names = [f"{round(100 * level):02d}" for level in levels]
    inside = (label >= quantiles[:, 0]) & (label <= quantiles[:, -1])
    return {
        "pinball": _mean(losses.mean(axis=1), weight),
        **{f"pinball_{name}": _mean(losses[:, place], weight) for place, name in enumerate(names)},
        **{f"share_under_{name}": _mean(label <= quantiles[:, place], weight) for place, name in enumerate(names)},
        "coverage": _mean(inside, weight),
    }


def confidence_scores(
    forecast: Array, confidence: Array, label: Array, weight: Weights = None
) -> dict[str, float | None]:
    """How well a confidence says whether the sign of a forecast is right: in nats and squared, and on average.

    Only rows count where neither the forecast nor what came is 0. `confidence_gain` is what the confidence is worth, in
    nats, against saying the share that came out right on every row; `confidence_bias` is its mean less that share.
    """
    signed = (forecast != 0) & (label != 0)
    right = (np.sign(forecast[signed]) == np.sign(label[signed])).astype(np.float64)
    said = np.clip(confidence[signed], 1e-15, 1 - 1e-15)
    counted = None if weight is None else weight[signed]
    loss = _mean(-np.log(np.where(right == 1, said, 1 - said)), counted)
    share = _mean(right, counted)
    known = None if share is None else -sum(p * np.log(p) for p in (share, 1 - share) if p)
    return {
        "confidence_log_loss": loss,
        "confidence_gain": None if loss is None or known is None else float(known - loss),
        "confidence_brier": _mean((said - right) ** 2, counted),
        "confidence_bias": None if share is None else _mean(said - share, counted),
    }


def share_right(mean: float, label: Array) -> float:
    """Share of the labels other than 0 that have the sign of a constant; 0.5 where none can."""
    moved = label[label != 0]
    return float((np.sign(moved) == np.sign(mean)).mean()) if len(moved) and mean else 0.5


def _mean(values: Array | NDArray[np.bool_], weight: Weights) -> float | None:
    total = len(values) if weight is None else weight.sum()
    if not total:
        return None
    return float(values.mean() if weight is None else (weight * values).sum() / total)
