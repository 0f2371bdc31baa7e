"""Kelly's rule: the fraction of equity that makes it grow fastest in the long run, were the probabilities true."""

from typing import Literal

import numpy as np

from nightfold.backtest.sizing.bet import Bets, Floats, Share, Sizing

BISECTIONS = 60


class Kelly(Sizing):
    """A part of the fraction with the greatest mean log growth; for two outcomes ``p / loss - (1 - p) / gain``."""

    rule: Literal["kelly"] = "kelly"
    """Name of the rule."""
    part: Share = 0.25
    """Part of the full fraction; the full one is right only if probabilities and outcomes are."""

    def fraction(self, bets: Bets) -> Floats:
        """Maximise the mean log growth over the three outcomes, net of cost, and take a part.

        Pass probabilities shrunk to what calibration can vouch for (`nightfold.backtest.sizing.bound.shrunk`).

        Returns
        -------
        ndarray
            One a row; 0 where the mean return after cost is not positive, NaN where an input is unknown.
        """
        chances = np.stack([bets.p_win, bets.p_flat, bets.p_lose], axis=-1)
        returns = np.stack([bets.gain, bets.flat_return, -bets.loss], axis=-1) - bets.cost[..., None]
        return self.capped(self.part * growth_optimal(chances, returns, most=self.max_fraction / self.part))


def growth_optimal(chances: Floats, returns: Floats, most: float) -> Floats:
    """Fraction between 0 and ``most`` with the greatest mean of ``log(1 + fraction * return)``.

    That mean is concave, so its slope is followed to where it is 0 by halving the range.

    Parameters
    ----------
    chances, returns
        Rows by outcomes: the probability of each, and what it returns on the position, after cost.
    most
        Largest fraction considered.

    Returns
    -------
    ndarray
        One a row; 0 where nothing is gained on average, ``most`` where growth still rises there, NaN where an input is
        unknown.

    References
    ----------
    Kelly (1956), A New Interpretation of Information Rate, *Bell System Technical Journal* 35.

    Examples
    --------
    >>> growth_optimal(np.array([[0.55, 0.45]]), np.array([[0.014, -0.011]]), most=100.0).round(2).tolist()
    [17.86]
    """
    worst = np.where(chances > 0.0, returns, 0.0).min(axis=-1)
    ruin = np.divide(-1.0, worst, out=np.full(worst.shape, np.inf), where=worst < 0.0)
    low, high = np.zeros(worst.shape), np.minimum(ruin, most)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        rises = _slope(chances, returns, middle) > 0.0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    known = np.isfinite(chances).all(axis=-1) & np.isfinite(returns).all(axis=-1)
    return np.where(known, low, np.nan)


def _slope(chances: Floats, returns: Floats, fraction: Floats) -> Floats:
    """Slope of the mean log growth, endlessly steep where an outcome leaves nothing."""
    with np.errstate(divide="ignore"):
        pulls = chances * returns / (1.0 + fraction[..., None] * returns)
    return np.asarray(np.where(chances > 0.0, pulls, 0.0).sum(axis=-1))
