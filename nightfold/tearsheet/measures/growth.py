"""What was earned for how much unrest: growth, volatility, and ratios of the two."""

import math

import numpy as np
import numpy.typing as npt

from nightfold.tearsheet.measures.drawdown import max_drawdown
from nightfold.tearsheet.measures.series import DAYS_PER_YEAR, checked_returns, varies

_LARGEST_EXPONENT = 700.0


def total_return(returns: npt.ArrayLike) -> float | None:
    """Return over the whole range, as a fraction; None for no days.

    Raises
    ------
    SchemaError
        As every measure of returns: if one is null, NaN, infinite, or -1 and less (nothing is left to trade with).

    Examples
    --------
    >>> round(total_return([0.1, -0.1]), 6)
    -0.01
    """
    values = checked_returns(returns)
    return float(np.prod(1.0 + values) - 1.0) if values.size else None


def cagr(returns: npt.ArrayLike) -> float | None:
    """Compound return a year by calendar time, ``(1 + total) ** (365 / days) - 1``; None for no days.

    Also None where a few days of huge gains, raised to a year, leave what a float can hold.
    """
    values = checked_returns(returns)
    if not values.size:
        return None
    exponent = float(np.log1p(values).sum()) * DAYS_PER_YEAR / values.size
    return math.expm1(exponent) if exponent < _LARGEST_EXPONENT else None


def volatility(returns: npt.ArrayLike) -> float | None:
    """Yearly standard deviation: that of daily returns times sqrt(365); None under two days."""
    values = checked_returns(returns)
    return float(values.std(ddof=1)) * math.sqrt(DAYS_PER_YEAR) if values.size > 1 else None


def sharpe_ratio(returns: npt.ArrayLike) -> float | None:
    """Mean over standard deviation, times sqrt(365); None under two days or where nothing varies.

    Examples
    --------
    >>> round(sharpe_ratio([0.01, -0.02, 0.03, 0.0, 0.01]), 4)
    6.3102
    """
    daily = daily_sharpe_ratio(returns)
    return None if daily is None else daily * math.sqrt(DAYS_PER_YEAR)


def daily_sharpe_ratio(returns: npt.ArrayLike) -> float | None:
    """Mean over standard deviation, not annualised: the unit of every deflated figure and of the trial ledger."""
    values = checked_returns(returns)
    return float(values.mean() / values.std(ddof=1)) if varies(values) else None


def sortino_ratio(returns: npt.ArrayLike) -> float | None:
    """Mean over the root mean square of losses (over all days), times sqrt(365); None without a losing day.

    Examples
    --------
    >>> round(sortino_ratio([0.01, -0.02, 0.03, 0.0, 0.01]), 4)
    12.816
    """
    values = checked_returns(returns)
    downside = math.sqrt(float(np.mean(np.minimum(values, 0.0) ** 2))) if varies(values) else 0.0
    return float(values.mean()) / downside * math.sqrt(DAYS_PER_YEAR) if downside else None


def calmar_ratio(returns: npt.ArrayLike) -> float | None:
    """CAGR over the size of the largest drawdown; None without one."""
    growth, drawdown = cagr(returns), max_drawdown(returns)
    return growth / -drawdown if growth is not None and drawdown else None


def omega(returns: npt.ArrayLike, threshold: float = 0.0) -> float | None:
    """Sum of returns above a threshold over the sum below it; None where none lies below.

    ``threshold`` is a daily return.
    """
    excess = checked_returns(returns) - threshold
    losses = -float(np.minimum(excess, 0.0).sum())
    return float(np.maximum(excess, 0.0).sum()) / losses if losses else None
