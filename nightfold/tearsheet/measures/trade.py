"""What single trades brought, and how much of the account was in them."""

import numpy as np
import numpy.typing as npt

from nightfold.tearsheet.measures.series import finite


def win_rate(profits: npt.ArrayLike) -> float | None:
    """Share of trades with a profit after costs; a trade of exactly 0 counts and is no win; None without trades."""
    values = finite(profits, "profits")
    return float(np.mean(values > 0.0)) if values.size else None


def profit_factor(profits: npt.ArrayLike) -> float | None:
    """Sum of profits over the sum of losses, both after costs; None without a losing trade."""
    values = finite(profits, "profits")
    losses = -float(values[values < 0.0].sum())
    return float(values[values > 0.0].sum()) / losses if losses else None


def expectancy(profits: npt.ArrayLike) -> float | None:
    """Mean profit of a trade after costs, in the unit of ``profits``; None without trades."""
    values = finite(profits, "profits")
    return float(values.mean()) if values.size else None


def payoff_ratio(profits: npt.ArrayLike) -> float | None:
    """Mean win over the size of the mean loss; None unless there are both."""
    values = finite(profits, "profits")
    wins, losses = values[values > 0.0], values[values < 0.0]
    return float(wins.mean() / -losses.mean()) if wins.size and losses.size else None


def exposure(gross: npt.ArrayLike) -> float | None:
    """Mean gross exposure over bars, as a fraction of equity; None for no bars."""
    values = finite(gross, "gross")
    return float(np.abs(values).mean()) if values.size else None


def time_in_market(gross: npt.ArrayLike) -> float | None:
    """Share of bars with any position; None for no bars."""
    values = finite(gross, "gross")
    return float(np.mean(values != 0.0)) if values.size else None


def turnover(notionals: npt.ArrayLike, equity: npt.ArrayLike) -> float | None:
    """How many times mean equity was traded, buys and sells both counted; None for no bars.

    Parameters
    ----------
    notionals
        Quantity times price of each fill, of either sign, in quote currency.
    equity
        Equity at the close of each bar, in quote currency.
    """
    traded, worth = finite(notionals, "notionals"), finite(equity, "equity")
    return float(np.abs(traded).sum() / worth.mean()) if worth.size and worth.mean() > 0.0 else None
