"""The worst days: value at risk by three methods, and the moments behind them.

Every value at risk is a daily return, negative for a loss; a conditional one is the mean of what lies at or beyond it.
"""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from nightfold.errors import ConfigError
from nightfold.tearsheet.measures.series import Values, checked_returns, varies

_NORMAL = NormalDist()


def value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> float | None:
    """Daily return that ``level`` of the days exceed, by linear quantile: negative for a loss; None for no days.

    Raises
    ------
    ConfigError
        If ``level`` is not in [0.5, 1).

    Examples
    --------
    >>> round(value_at_risk([0.01, -0.02, 0.03, 0.0, 0.01]), 6)
    -0.016
    """
    values = checked_returns(returns)
    return float(np.quantile(values, _tail(level))) if values.size else None


def conditional_value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> float | None:
    """Mean of the returns at or under the value at risk: negative for a loss; None for no days."""
    values = checked_returns(returns)
    return float(values[values <= np.quantile(values, _tail(level))].mean()) if values.size else None


def tail_ratio(returns: npt.ArrayLike) -> float | None:
    """Size of the 95 % quantile over that of the 5 % quantile; None unless the latter is a loss."""
    values = checked_returns(returns)
    if values.size < 2:
        return None
    low, high = np.quantile(values, (0.05, 0.95))
    return float(abs(high) / -low) if low < 0.0 else None


def skewness(returns: npt.ArrayLike) -> float | None:
    """Third standardised moment of the population; None under two days or where nothing varies."""
    return _standard_moment(checked_returns(returns), 3)


def kurtosis(returns: npt.ArrayLike) -> float | None:
    """Fourth standardised moment of the population, 3 for a normal law; None under two days or without variance."""
    return _standard_moment(checked_returns(returns), 4)


def parametric_value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> float | None:
    """Value at risk of a normal law with the mean and standard deviation found; None under two days.

    Examples
    --------
    >>> round(parametric_value_at_risk([0.01, -0.02, 0.03, 0.0, 0.01]), 6)
    -0.02388
    """
    return _beyond(checked_returns(returns), _NORMAL.inv_cdf(_tail(level)))


def parametric_conditional_value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> float | None:
    """Mean of that normal law at or under its value at risk; None under two days."""
    return _beyond(checked_returns(returns), -_hazard(_tail(level)))


def cornish_fisher_value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> float | None:
    """Value at risk of a normal law bent by the skewness and kurtosis found.

    None under two days, where nothing varies, and where the tails are too fat for the expansion (excess kurtosis above
    about 8): it then falls somewhere between the level and the median, and would call the worst days harmless.

    References
    ----------
    Favre and Galeano (2002), Mean-Modified Value-at-Risk Optimization with Hedge Funds; Maillard (2012), *A User's
    Guide to the Cornish Fisher Expansion*, for where it holds.
    """
    values = checked_returns(returns)
    point = _NORMAL.inv_cdf(_tail(level))
    bend = _expansion(values, point)
    return None if bend is None else _beyond(values, _expanded(point, point**2, point**3, *bend))


def cornish_fisher_conditional_value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> float | None:
    """Mean of the expanded quantile over the tail; None where `cornish_fisher_value_at_risk` is.

    The expansion is a polynomial of a normal variable, so its mean over the tail needs only that variable's first three
    moments there.
    """
    values = checked_returns(returns)
    point = _NORMAL.inv_cdf(_tail(level))
    bend = _expansion(values, point)
    hazard = _hazard(_tail(level))
    moments = -hazard, 1.0 - point * hazard, -(point**2 + 2.0) * hazard
    return None if bend is None else _beyond(values, _expanded(*moments, *bend))


def _beyond(values: Values, deviations: float) -> float | None:
    """Mean plus so many standard deviations."""
    return float(values.mean() + values.std(ddof=1) * deviations) if values.size > 1 else None


def _hazard(tail: float) -> float:
    """Distance of a standard normal's mean below its quantile from 0."""
    return _NORMAL.pdf(_NORMAL.inv_cdf(tail)) / tail


def _expansion(values: Values, point: float) -> tuple[float, float] | None:
    """Skewness and excess kurtosis, where the expanded quantile rises all the way from a point to the median."""
    skew, fourth = skewness(values), kurtosis(values)
    if skew is None or fourth is None:
        return None
    excess = fourth - 3.0
    curve, slope, level = excess / 8 - skew**2 / 6, skew / 3, 1.0 - excess / 8 + 5 * skew**2 / 36
    lowest = min(max(-slope / (2 * curve), point), 0.0) if curve else point
    rises = all(level + slope * z + curve * z**2 > 0.0 for z in (point, lowest, 0.0))
    return (skew, excess) if rises else None


def _expanded(first: float, second: float, third: float, skew: float, excess: float) -> float:
    """Cornish-Fisher expansion, linear in the powers of a standard normal."""
    return (
        first
        + (second - 1.0) * skew / 6
        + (third - 3.0 * first) * excess / 24
        - (2.0 * third - 5.0 * first) * skew**2 / 36
    )


def _standard_moment(values: Values, order: int) -> float | None:
    if not varies(values):
        return None
    deviations = values - values.mean()
    return float(np.mean((deviations / deviations.std()) ** order))


def _tail(level: float) -> float:
    if not 0.5 <= level < 1.0:
        raise ConfigError(f"`level` is {level}; it must lie in [0.5, 1), such as 0.95 for the worst 5 % of days.")
    return 1.0 - level
