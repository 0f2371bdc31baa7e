"""How good class forecasts are: proper scores, class scores, and the gain in direction alone.

`probabilities` everywhere are rows that sum to 1: of down, flat, up, with the `label` -1, 0 or +1 per row, or of no and
yes, with the label 0 or 1. `weight` says how much a row counts, each 1 where it is left out. A measure without rows to
measure is None.
"""

import numpy as np
from numpy.typing import NDArray

from nightfold.models.contract import PROBABILITY_FLOOR, Probabilities

Labels = NDArray[np.int8]
Weights = NDArray[np.float64] | None


def log_loss(probabilities: Probabilities, label: Labels, weight: Weights = None) -> float | None:
    """Mean of -ln(probability of what came), in nats; probabilities under 1e-15 count as 1e-15.

    Examples
    --------
    >>> round(log_loss(np.full((4, 3), 1 / 3), np.array([-1, 0, 1, 1])), 4)
    1.0986
    """
    return _mean(-np.log(np.maximum(_given(probabilities, label), 1e-15)), weight)


def brier_score(probabilities: Probabilities, label: Labels, weight: Weights = None) -> float | None:
    """Mean squared distance of the probabilities from what came, summed over classes: 0 to 2."""
    return _mean(((probabilities - _seen(probabilities, label)) ** 2).sum(axis=1), weight)


def accuracy(probabilities: Probabilities, label: Labels, weight: Weights = None) -> float | None:
    """Share of rows whose likeliest class came; of equals the first counts."""
    return _mean(probabilities.argmax(axis=1) == _codes(probabilities, label), weight)


def macro_f1(probabilities: Probabilities, label: Labels, weight: Weights = None) -> float | None:
    """Mean over classes of the F1 score of the likeliest class; a class neither forecast nor seen scores 0."""
    if not len(label):
        return None
    forecast, seen, share = _likeliest(probabilities), _seen(probabilities, label), _shares(label, weight)
    return _mean_f1((share * forecast * seen).sum(axis=0), (share * forecast).sum(axis=0), (share * seen).sum(axis=0))


def macro_f1_chance(probabilities: Probabilities, label: Labels, weight: Weights = None) -> float | None:
    """Macro F1 of the same forecasts, dealt out to the rows at random.

    With shares r of the forecasts and q of what came this is the mean over classes of 2qr / (q + r). A forecaster who
    always names one class of three equally frequent ones is at 1/6, one who names each as often as it comes at 1/3.
    """
    if not len(label):
        return None
    share = _shares(label, weight)
    forecast = (share * _likeliest(probabilities)).sum(axis=0)
    seen = (share * _seen(probabilities, label)).sum(axis=0)
    return _mean_f1(forecast * seen, forecast, seen)


def up_share(probabilities: Probabilities) -> NDArray[np.float64]:
    """Probability of up given that a barrier is touched, `p_up / (p_up + p_down)`; 1/2 where neither can be."""
    if probabilities.shape[1] == 2:
        return probabilities[:, 1]
    touch = probabilities[:, 0] + probabilities[:, 2]
    share: NDArray[np.float64] = np.divide(probabilities[:, 2], touch, out=np.full(len(touch), 0.5), where=touch > 0)
    return share


def direction_gain(probabilities: Probabilities, label: Labels, weight: Weights = None) -> float | None:
    """How much better than its base rate the direction of touched rows is forecast, in nats a row.

    Log loss of the constant forecast "the share of up among these touched rows", less that of
    `p_up / (p_up + p_down)`: positive is skill, and the base rate is given its best value, so chance is a little below
    0. None where no row touched. Of no and yes, every row counts and yes is up.
    """
    touched = (label != 0) | (probabilities.shape[1] == 2)
    up = label[touched] == 1
    share = None if weight is None else weight[touched]
    base = _mean(up, share)
    if base is None:
        return None
    forecast = np.clip(up_share(probabilities[touched]), PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    loss = _mean(-np.log(np.where(up, forecast, 1 - forecast)), share)
    return _entropy(base) - loss if loss is not None else None


def class_scores(probabilities: Probabilities, label: Labels, weight: Weights = None) -> dict[str, float | None]:
    """All measures of this module by name, and the share of rows that are not 0: those that touched a barrier."""
    return {
        "touched_share": _mean(label != 0, weight),
        "log_loss": log_loss(probabilities, label, weight),
        "brier_score": brier_score(probabilities, label, weight),
        "accuracy": accuracy(probabilities, label, weight),
        "macro_f1": macro_f1(probabilities, label, weight),
        "macro_f1_chance": macro_f1_chance(probabilities, label, weight),
        "direction_gain": direction_gain(probabilities, label, weight),
    }


def _mean(values: NDArray[np.float64] | NDArray[np.bool_], weight: Weights) -> float | None:
    total = len(values) if weight is None else weight.sum()
    if not total:
        return None
    return float(values.mean() if weight is None else (weight * values).sum() / total)


def _mean_f1(both: NDArray[np.float64], forecast: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    either = forecast + seen
    return float(np.divide(2 * both, either, out=np.zeros(len(either)), where=either > 0).mean())


def _entropy(share: float) -> float:
    return -sum(part * float(np.log(part)) for part in (share, 1 - share) if part > 0)


def _codes(probabilities: Probabilities, label: Labels) -> NDArray[np.int64]:
    """Column of each label: three columns begin with -1, two with 0."""
    return np.asarray(label.astype(np.int64) + (probabilities.shape[1] == 3))


def _given(probabilities: Probabilities, label: Labels) -> NDArray[np.float64]:
    return np.asarray(probabilities[np.arange(len(label)), _codes(probabilities, label)])


def _seen(probabilities: Probabilities, label: Labels) -> NDArray[np.float64]:
    return np.asarray(np.eye(probabilities.shape[1])[_codes(probabilities, label)])


def _likeliest(probabilities: Probabilities) -> NDArray[np.float64]:
    return np.asarray(np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)])


def _shares(label: Labels, weight: Weights) -> NDArray[np.float64]:
    """Weights as a column that sums to 1. Sums here are plain: products of long vectors depend on thread counts."""
    values = np.ones(len(label)) if weight is None else weight
    return np.asarray(values / values.sum())[:, None]
