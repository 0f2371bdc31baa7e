"""How much trials move together: many that are nearly one count as few."""

import numpy as np
import numpy.typing as npt

from nightfold.errors import SchemaError
from nightfold.tearsheet.measures.series import Values


def mean_correlation(returns: npt.ArrayLike) -> float | None:
    """Mean correlation of every two trials' daily returns, as `nightfold.tearsheet.measures.effective_trials` takes it.

    Parameters
    ----------
    returns
        Days by trials; NaN on days that a trial does not have.

    Returns
    -------
    float or None
        The mean over all pairs that share at least half of the days and both vary on these; None without such a pair.

    Raises
    ------
    SchemaError
        If ``returns`` are not days by trials.

    Examples
    --------
    >>> round(mean_correlation([[0.01, 0.02, 0.0], [0.02, 0.04, 0.0], [0.04, 0.03, 0.0]]), 4)
    0.3273
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2:
        raise SchemaError(f"`returns` has {values.ndim} dimensions; it must be a table of days by trials.")
    days, trials = values.shape
    pairs = [_correlations(values[:, [place]], values[:, place + 1 :], days / 2) for place in range(trials - 1)]
    known = np.concatenate(pairs) if pairs else np.empty(0)
    return float(known.mean()) if known.size else None


def _correlations(one: Values, others: Values, fewest: float) -> Values:
    """Correlation of a column with each of others on the days they share; those left out that are not known."""
    shared = ~(np.isnan(one) | np.isnan(others))
    pair = np.stack(np.broadcast_arrays(one, others))
    highest = pair.max(axis=1, initial=-np.inf, where=shared)
    lowest = pair.min(axis=1, initial=np.inf, where=shared)
    known = (highest > lowest).all(axis=0) & (shared.sum(axis=0) >= fewest)
    pair, shared = pair[:, :, known], shared[:, known]
    centre = np.where(shared, pair, 0.0).sum(axis=1, keepdims=True) / shared.sum(axis=0)
    away = np.where(shared, pair - centre, 0.0)
    return np.asarray((away[0] * away[1]).sum(axis=0) / np.sqrt((away**2).sum(axis=1).prod(axis=0)))
