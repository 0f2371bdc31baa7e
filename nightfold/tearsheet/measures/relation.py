"""How much of a strategy is the market: a straight line through its days against those of buying and holding."""

import numpy.typing as npt

from nightfold.errors import SchemaError
from nightfold.tearsheet.measures.series import DAYS_PER_YEAR, Values, checked_returns, varies


def beta(returns: npt.ArrayLike, market: npt.ArrayLike) -> float | None:
    """Daily return that comes with one of the market: covariance over the market's variance.

    Parameters
    ----------
    returns, market
        Simple returns of the same days, in the same order; the market is what buying and holding returned.

    Returns
    -------
    float or None
        None under two days, or where the market never moves.

    Raises
    ------
    SchemaError
        If the two are not equally long, or hold what is no return.

    Examples
    --------
    >>> beta([0.01, -0.01, 0.02], [0.02, -0.02, 0.04])
    0.5
    """
    values, held = _paired(returns, market)
    if not varies(held):
        return None
    away = held - held.mean()
    return float((values - values.mean()) @ away / (away @ away))


def alpha(returns: npt.ArrayLike, market: npt.ArrayLike) -> float | None:
    """Mean return beside what the market explains, times 365; None where `beta` is.

    References
    ----------
    Jensen (1968), The Performance of Mutual Funds in the Period 1945-1964, with a rate of interest of 0.

    Examples
    --------
    >>> alpha([0.01, -0.01, 0.02], [0.02, -0.02, 0.04])
    0.0
    """
    values, held = _paired(returns, market)
    slope = beta(values, held)
    return None if slope is None else float(values.mean() - slope * held.mean()) * DAYS_PER_YEAR


def _paired(returns: npt.ArrayLike, market: npt.ArrayLike) -> tuple[Values, Values]:
    values, held = checked_returns(returns), checked_returns(market)
    if values.size != held.size:
        raise SchemaError(
            f"`returns` has {values.size} days and `market` {held.size}; both must be of the same days, flat ones "
            "included."
        )
    return values, held
