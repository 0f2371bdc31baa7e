"""Rules that look at no forecast: always the same money, the same unrest, or the same loss at the stop."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from nightfold.backtest.sizing.bet import Bets, Floats, Share, Sizing


class FixedFraction(Sizing):
    """Always the same fraction of equity."""

    rule: Literal["fixed_fraction"] = "fixed_fraction"
    """Name of the rule."""
    size: PositiveFloat = 0.3
    """Position, as a fraction of equity."""

    def fraction(self, bets: Bets) -> Floats:
        """Hold the fraction, whatever the bet.

        Returns
        -------
        ndarray
            One a row; never NaN.
        """
        return self.capped(np.full(bets.p_win.shape, self.size))


class VolatilityTarget(Sizing):
    """As much as makes the position as restless as asked."""

    rule: Literal["volatility_target"] = "volatility_target"
    """Name of the rule."""
    volatility: Annotated[float, Field(gt=0, le=5)] = 0.2
    """Standard deviation that the position's returns shall have a year, as a fraction of equity."""

    def fraction(self, bets: Bets) -> Floats:
        """Divide the volatility wanted by the symbol's.

        Returns
        -------
        ndarray
            One a row; NaN where ``volatility`` is unknown or 0: a market that never moves is no reason to hold all.
        """
        known = np.where(bets.volatility > 0.0, bets.volatility, np.nan)
        return self.capped(self.volatility / known)


class RiskAtStop(Sizing):
    """As much as loses the same share of equity wherever the stop is."""

    rule: Literal["risk_at_stop"] = "risk_at_stop"
    """Name of the rule."""
    risk: Share = 0.01
    """Share of equity lost where the stop is hit, costs and gaps apart."""

    def fraction(self, bets: Bets) -> Floats:
        """Divide the risk by the distance of the stop.

        Returns
        -------
        ndarray
            One a row; NaN where ``loss`` is unknown or 0.
        """
        known = np.where(bets.loss > 0.0, bets.loss, np.nan)
        return self.capped(self.risk / known)
