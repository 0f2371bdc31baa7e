"""Size from probability: the surer the forecast, measured in its own standard deviations, the larger the position."""

from typing import Literal

import numpy as np
from pydantic import PositiveFloat

from nightfold.backtest.sizing.bet import Bets, Floats, Sizing


class SizeFromProbability(Sizing):
    """A largest size times how far the probability is above chance."""

    rule: Literal["size_from_probability"] = "size_from_probability"
    """Name of the rule."""
    size: PositiveFloat = 1.0
    """Position where the forecast is certain, as a fraction of equity."""

    def fraction(self, bets: Bets) -> Floats:
        """Scale the size by `bet_size`.

        Returns
        -------
        ndarray
            One a row; 0 where the side is no likelier than chance, NaN where ``p_win`` is unknown.
        """
        return self.capped(self.size * bet_size(bets.p_win, bets.classes))


def bet_size(probability: Floats, classes: int) -> Floats:
    """Signed confidence of a forecast: ``2 N(z) - 1`` with ``z = (p - 1/K) / sqrt(p (1 - p))``.

    Parameters
    ----------
    probability
        Of the class that is bet on, 0 to 1.
    classes
        Number of classes, K.

    Returns
    -------
    ndarray
        -1 to 1: 0 at chance, 1 for a certain forecast; NaN where the probability is.

    References
    ----------
    López de Prado (2018), *Advances in Financial Machine Learning*, ch. 10.3.

    Examples
    --------
    >>> bet_size(np.array([0.6, 0.5]), 2).round(4).tolist()
    [0.1617, 0.0]
    """
    from scipy.special import ndtr  # takes a while, which definitions do not have

    with np.errstate(divide="ignore"):  # a certain forecast is infinitely many deviations away
        score = (probability - 1.0 / classes) / np.sqrt(probability * (1.0 - probability))
    return np.asarray(2.0 * ndtr(score) - 1.0)
