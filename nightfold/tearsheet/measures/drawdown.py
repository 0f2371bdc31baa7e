"""How far and how long equity lay under its peak."""

import math

import numpy as np
import numpy.typing as npt

from nightfold.tearsheet.measures.series import Values, checked_returns


def drawdowns(returns: npt.ArrayLike) -> Values:
    """Distance of equity from its peak so far at the end of each day, as fractions <= 0.

    The money put in on the first day counts as a peak.
    """
    equity: Values = np.cumprod(1.0 + checked_returns(returns), dtype=np.float64)
    if equity.size:
        equity /= np.maximum(np.maximum.accumulate(equity), 1.0)
    return equity - 1.0


def max_drawdown(returns: npt.ArrayLike) -> float | None:
    """Deepest drawdown, a fraction <= 0; None for no days."""
    below = drawdowns(returns)
    return float(below.min()) if below.size else None


def drawdown_length(returns: npt.ArrayLike) -> int | None:
    """Longest run of days under the peak, one still open counted; None for no days.

    Examples
    --------
    >>> drawdown_length([0.1, -0.05, 0.01, 0.2, -0.1])
    2
    """
    below = drawdowns(returns) < 0.0
    if not below.size:
        return None
    edges = np.flatnonzero(np.diff(np.concatenate(([False], below, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def ulcer_index(returns: npt.ArrayLike) -> float | None:
    """Root mean square of the drawdowns, a fraction >= 0; None for no days."""
    below = drawdowns(returns)
    return math.sqrt(float(np.mean(below**2))) if below.size else None
