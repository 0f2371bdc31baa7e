"""Sharpe ratios in which a day counts the less the older it is: an edge that has ended is seen to end sooner."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nightfold.errors import ConfigError
from nightfold.tearsheet.measures.luck import expected_max_sharpe, sharpe_confidence
from nightfold.tearsheet.measures.series import Values, checked_returns, varies


class _Moments(NamedTuple):
    sharpe: float
    skewness: float
    kurtosis: float
    days: float


def effective_days(days: int, half_life: float) -> float:
    """How many days of equal weight so many decaying ones are worth: ``(sum w)^2 / sum w^2`` (Kish 1965); 0 for none.

    Raises
    ------
    ConfigError
        If ``half_life`` is under 1.

    Examples
    --------
    >>> round(effective_days(3, 1), 4)
    2.3333
    """
    weights = _weights(days, half_life)
    return float(weights.sum() ** 2 / (weights**2).sum()) if days else 0.0


def decayed_sharpe_ratio(returns: npt.ArrayLike, half_life: float) -> float | None:
    """Daily Sharpe ratio with weights that halve each ``half_life`` days of age, the last day's being 1.

    Parameters
    ----------
    returns
        Daily returns, the oldest first.
    half_life
        Days, 1 or more. A very long one gives `nightfold.tearsheet.measures.daily_sharpe_ratio`.

    Returns
    -------
    float or None
        Weighted mean over weighted standard deviation, the latter free of bias as that with n - 1 is: its square is
        the weighted mean of squared deviations times ``T / (T - 1)``, T being `effective_days`. None under two days or
        where nothing varies.

    Raises
    ------
    SchemaError
        As every measure of returns.
    ConfigError
        If ``half_life`` is under 1.
    """
    found = _moments(checked_returns(returns), half_life)
    return None if found is None else found.sharpe


def decayed_deflated_sharpe_ratio(
    returns: npt.ArrayLike, half_life: float, n_trials: int = 1, variance: float | None = None
) -> float | None:
    """Deflated Sharpe ratio of decaying days: weighted moments, and `effective_days` in the place of their number.

    Parameters
    ----------
    returns, half_life
        As of `decayed_sharpe_ratio`.
    n_trials, variance
        Trials looked at, and the variance of their decayed ratios; None: ``1 / (T - 1)``, that of one without skill.

    References
    ----------
    Bailey and López de Prado (2014), *The Deflated Sharpe Ratio*.
    """
    found = _moments(checked_returns(returns), half_life)
    if found is None:
        return None
    spread = 1.0 / (found.days - 1.0) if variance is None else variance
    benchmark = expected_max_sharpe(n_trials, spread)
    return sharpe_confidence(found.sharpe, benchmark, days=found.days, skewness=found.skewness, kurtosis=found.kurtosis)


def _moments(values: Values, half_life: float) -> _Moments | None:
    weights = _weights(values.size, half_life)
    if not varies(values):
        return None
    share, days = weights / weights.sum(), effective_days(values.size, half_life)
    away = values - share @ values
    square = float(share @ away**2)
    if not square > 0.0:  # what varies lies so far back that it has no weight left
        return None
    deviation = np.sqrt(square)
    sharpe = (share @ values) / (deviation * np.sqrt(days / (days - 1.0)))
    third, fourth = (float(share @ (away / deviation) ** order) for order in (3, 4))
    return _Moments(float(sharpe), third, fourth, days)


def _weights(days: int, half_life: float) -> Values:
    if not half_life >= 1:
        raise ConfigError(f"`half_life` is {half_life}; it must be 1 day or more.")
    return np.asarray(0.5 ** (np.arange(days)[::-1] / half_life), dtype=np.float64)
